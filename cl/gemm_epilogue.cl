// bias, activation and residual over a finished product, for backends that cannot do it while they store. One row of
// c and product [m, n], which may be the same, a work-group.

ROW_KERNEL void gemm_epilogue(global number *c, global const float *product, global const float *bias,
                              global const number *residual, int n, int accumulate, int activation)
{
    int row = (int)get_group_id(0);
    for (EACH(i, n))
        store_product(c, bias, residual, row, i, n, vec_load(product + (size_t)row * n, i, n, 0), accumulate,
                      activation);
}
