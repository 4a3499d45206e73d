// Sums down the columns of a matrix. A work-group owns STRIP columns of one slice of rows; each of its items keeps the
// sums of its own columns, so nothing is shared and every number is read once.

#define STRIP 1024 // columns, as in runtime/ops/column_sum.c
#define STRIDE (GROUP * VEC)

// out[s] (+)= the sum of rows s * slice to (s + 1) * slice of x.  x [rows, width] -> out [slices, width]
ROW_KERNEL void column_sum(global float *out, global const number *x, int rows, int width, int slice, int accumulate)
{
    int column = (int)get_group_id(0) * STRIP, n = min(STRIP, width - column);
    int first = (int)get_group_id(1) * slice, end = min(rows, first + slice);
    vfloat sums[STRIP / STRIDE];
    for (int v = 0; v < STRIP / STRIDE; v++)
        sums[v] = 0;
    for (int row = first; row < end; row++) {
        global const number *from = x + (size_t)row * width + column;
        for (int v = 0, i = LANE * VEC; v < STRIP / STRIDE && i < n; v++, i += STRIDE)
            sums[v] += num_load(from, i, n, 0);
    }
    global float *to = out + get_group_id(1) * width + column;
    for (int v = 0, i = LANE * VEC; v < STRIP / STRIDE && i < n; v++, i += STRIDE)
        vec_store_grad(to, i, n, sums[v], accumulate);
}
