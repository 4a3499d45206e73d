// Dot products of rows with so few queries that reading the rows is all the work.

// Two sums: one chain of additions is too slow.
static inline float row_dot(global const float *row, global const float *query, int dim)
{
    vfloat sum = 0, sum2 = 0;
    for (int i = LANE * VEC; i < dim; i += 2 * GROUP * VEC) {
        int next = i + GROUP * VEC;
        sum += vec_load(row, i, dim, 0) * vec_load(query, i, dim, 0);
        sum2 += vec_load(row, next, dim, 0) * vec_load(query, next, dim, 0);
    }
    return vec_sum(sum + sum2);
}

// scores[row, query] = rows[row] . queries[query]; a work-group takes `slice` rows one after another.
// rows [n, dim], queries [count, dim] -> scores [n, count]
ROW_KERNEL void row_scores(global float *scores, global const float *rows, global const float *queries, int n,
                           int dim, int count, int slice)
{
    ROW_SCRATCH(scratch);
    int first = get_group_id(0) * slice, end = min(first + slice, n);
    for (int r = first; r < end; r++) {
        for (int q = 0; q < count; q++) {
            float dot = row_dot(rows + (size_t)r * dim, queries + (size_t)q * dim, dim);
            float score = row_sum(dot, scratch);
            if (LANE == 0)
                scores[(size_t)r * count + q] = score;
        }
    }
}

// The same for one query and the slices of `wanted`, which counts them from slice `first`, the first of `rows`. Rows
// whose upper bound is below the threshold are not worth it and get -infinity.
// wanted [.], upper [., slice], rows [n, dim], query [dim] -> scores [., slice]
ROW_KERNEL void row_scores_wanted(global float *scores, global const int *wanted, global const float *upper,
                                  global const float *rows, global const float *query, float threshold, int n,
                                  int dim, int slice, int first, int offset)
{
    ROW_SCRATCH(scratch);
    size_t at = offset + get_group_id(0), begin = (size_t)(wanted[at] - first) * slice;
    upper += (size_t)wanted[at] * slice;
    for (int r = 0; r < slice && begin + r < n; r++) {
        float score = -INFINITY;
        if (!(upper[r] < threshold))
            score = row_sum(row_dot(rows + (begin + r) * dim, query, dim), scratch);
        if (LANE == 0)
            scores[at * slice + r] = score;
    }
}
