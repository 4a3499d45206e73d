// Rows as one signed byte a number, and from these bytes bounds of the rows' scores; runtime/ops/row_codes.h has the
// arithmetic and why the bounds hold. Rows come in slices of SLICE, the last one filled up with rows that no result shows.

#define SLICE 64   // as ROW_CODES_SLICE in runtime/ops/row_codes.h
#define TOGETHER 4 // rows that share what is loaded of the query; far apart, which memory serves best
#define APART (SLICE / TOGETHER)

typedef XCAT(char, VEC) vchar;
#define to_vfloat XCAT(convert_float, VEC)
#define to_vchar XCAT(XCAT(convert_char, VEC), _sat_rte)
#define vec_read XCAT(vload, VEC)
#define vec_write XCAT(vstore, VEC)

#define SMALLEST 0x1p-60f // rows without a larger number are coded as zeros: 127 / smallest must not overflow
#define LONGEST 0x1p60f   // rows beyond, and those that hold NaN or infinity, have no bounds
#define VANISHED 0x1p-50f // more than underflow takes away

// A work-group codes one row.  rows [n, dim], centre [dim] -> codes [n, pitch], scale [n], slack [n]
ROW_KERNEL void row_codes(global char *codes, global float *scale, global float *slack, global const float *rows,
                          global const float *centre, float centre_length, int dim, int pitch)
{
    ROW_SCRATCH(scratch);
    size_t r = get_group_id(0);
    global const float *row = rows + r * dim;
    global char *code = codes + r * pitch;
    vfloat most = 0, squares = 0, errors = 0;
    for (EACH(i, dim)) {
        vfloat x = vec_load(row, i, dim, 0);
        most = fmax(most, fabs(x - vec_load(centre, i, dim, 0)));
        squares += x * x;
    }
    float largest = row_max(vec_max(most), scratch), length = sqrt(row_sum(vec_sum(squares), scratch));
    float step = length < LONGEST ? largest / 127 : 0, inverse = largest > SMALLEST ? 127 / largest : 0;
    for (EACH(i, pitch)) {
        vfloat x = vec_load(row, i, dim, 0) - vec_load(centre, i, dim, 0);
        vchar c = to_vchar(x * inverse);
        vfloat error = x - step * to_vfloat(c);
        errors += error * error;
        vec_write(c, 0, code + i);
    }
    float lost = sqrt(row_sum(vec_sum(errors), scratch));
    if (LANE == 0) {
        scale[r] = step;
        float rounded = (dim + 8) * 0x1p-21f * (length + centre_length);
        slack[r] = length < LONGEST ? lost + rounded + VANISHED : INFINITY;
    }
}

// A work-group bounds one slice: upper[row] for each of its rows, and in bounds[slice] the highest upper and the
// highest lower bound. The slices before `first` belong to other codes, and scores count from the centre's.
// codes [n, pitch], scale [n], slack [n], query [pitch] -> upper [., SLICE], bounds [., 2]
ROW_KERNEL void row_codes_bound(global float *upper, global float *bounds, global const char *codes,
                                global const float *scale, global const float *slack, global const float *query,
                                float query_length, int n, int pitch, int first)
{
    ROW_SCRATCH(scratch);
    local float partial[SLICE][GROUP + 1]; // a lane's share of each row's sum; + 1: lanes meet different banks
    size_t begin = get_group_id(0) * SLICE, slice = first + get_group_id(0);
    for (int r = 0; r < APART; r++) {
        global const char *row = codes + (begin + r) * pitch;
        vfloat sums[TOGETHER];
        for (int t = 0; t < TOGETHER; t++)
            sums[t] = 0;
        for (EACH(i, pitch)) {
            vfloat q = vec_read(0, query + i);
#pragma unroll // or PoCL keeps the sums in memory, at a third of the speed
            for (int t = 0; t < TOGETHER; t++)
                sums[t] += to_vfloat(vec_read(0, row + (size_t)t * APART * pitch + i)) * q;
        }
        for (int t = 0; t < TOGETHER; t++)
            partial[t * APART + r][LANE] = vec_sum(sums[t]);
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    float highest = -INFINITY, surest = -INFINITY;
    for (int r = LANE; r < SLICE && begin + r < n; r += GROUP) {
        float sum = 0;
        for (int lane = 0; lane < GROUP; lane++)
            sum += partial[r][lane];
        float score = scale[begin + r] * sum, bound = query_length * slack[begin + r];
        upper[slice * SLICE + r] = score + bound;
        highest = fmax(highest, score + bound);
        surest = fmax(surest, score - bound);
    }
    highest = row_max(highest, scratch);
    surest = row_max(surest, scratch);
    if (LANE == 0) {
        bounds[2 * slice] = highest;
        bounds[2 * slice + 1] = surest;
    }
}
