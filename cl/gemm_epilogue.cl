// bias, activation and residual over a finished product, for backends that cannot do it while they store. One row of
// c [m, n] a work-group.

ROW_KERNEL void gemm_epilogue(global float *c, global const float *bias, global const float *residual, int n,
                              int activation)
{
    int row = (int)get_group_id(0);
    for (EACH(i, n))
        store_product(c, bias, residual, row, i, n, vec_load(c + (size_t)row * n, i, n, 0), 0, activation);
}
