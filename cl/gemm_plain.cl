// The matrix product as it is written down, for drivers that get the faster ones wrong: no local memory, no barriers. A
// work-item makes VEC numbers of a row of c.

// Numbers j to j + VEC of row p of op(b) [k, n].
static inline vfloat load_b(global const float *b, int p, int j, int n, int k, int transposed)
{
    if (!transposed)
        return vec_load(b + (size_t)p * n, j, n, 0);
    float numbers[VEC];
    for (int v = 0; v < VEC; v++)
        numbers[v] = b[(size_t)min(j + v, n - 1) * k + p];
    return XCAT(vload, VEC)(0, numbers);
}

// Work-items are (strips of VEC columns, rows).
ROW_KERNEL void gemm_plain(global number *c, global const float *a, global const float *b, global const float *bias,
                           global const number *residual, int m, int n, int k, int a_transposed, int b_transposed,
                           int accumulate, int activation)
{
    int i = get_global_id(1), j = (int)get_global_id(0) * VEC;
    if (j >= n)
        return;
    vfloat sum = 0;
    for (int p = 0; p < k; p++)
        sum = fma((vfloat)(a[a_transposed ? (size_t)p * m + i : (size_t)i * k + p]),
                  load_b(b, p, j, n, k, b_transposed), sum);
    store_product(c, bias, residual, i, j, n, sum, accumulate, activation);
}
