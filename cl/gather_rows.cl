// Chosen rows, and their gradients back to where they came from. rows [count]: distinct, so that no two work-groups
// write to one row.

ROW_KERNEL void gather_rows_forward(global float *y, global const float *x, global const int *rows, int width)
{
    size_t r = get_group_id(0);
    global const float *from = x + (size_t)rows[r] * width;
    for (EACH(i, width))
        vec_store(y + r * width, i, width, vec_load(from, i, width, 0));
}

ROW_KERNEL void gather_rows_backward(global float *dx, global const float *dy, global const int *rows, int width,
                                     int accumulate)
{
    size_t r = get_group_id(0);
    global float *to = dx + (size_t)rows[r] * width;
    for (EACH(i, width))
        vec_store_grad(to, i, width, vec_load(dy + r * width, i, width, 0), accumulate);
}
