// scores[row, query] = rows[row] . queries[query], for so few queries that reading the rows is all the work; a
// work-group takes `slice` rows one after another.  rows [n, dim], queries [count, dim] -> scores [n, count]
ROW_KERNEL void row_scores(global float *scores, global const float *rows, global const float *queries, int n,
                              int dim, int count, int slice)
{
    ROW_SCRATCH(scratch);
    int middle = (dim + 2 * VEC - 1) / (2 * VEC) * VEC; // both halves at once: one chain of additions is too slow
    int first = get_group_id(0) * slice, end = min(first + slice, n);
    for (int r = first; r < end; r++) {
        global const float *row = rows + (size_t)r * dim;
        for (int q = 0; q < count; q++) {
            global const float *query = queries + (size_t)q * dim;
            vfloat sum = 0, sum2 = 0;
            for (EACH(i, middle)) {
                sum += vec_load(row, i, dim, 0) * vec_load(query, i, dim, 0);
                sum2 += vec_load(row, middle + i, dim, 0) * vec_load(query, middle + i, dim, 0);
            }
            float score = row_sum(vec_sum(sum + sum2), scratch);
            if (LANE == 0)
                scores[(size_t)r * count + q] = score;
        }
    }
}
