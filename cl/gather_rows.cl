// Chosen rows, and their gradients back to where they came from. rows [count]: distinct, so that no two work-groups
// write to one row.

ROW_KERNEL void gather_rows_forward(global number *y, global const number *x, global const int *rows, int width)
{
    size_t r = get_group_id(0);
    global const number *from = x + (size_t)rows[r] * width;
    for (EACH(i, width))
        num_store(y + r * width, i, width, num_load(from, i, width, 0));
}

ROW_KERNEL void gather_rows_backward(global number *dx, global const number *dy, global const int *rows, int width,
                                     int accumulate)
{
    size_t r = get_group_id(0);
    global number *to = dx + (size_t)rows[r] * width;
    for (EACH(i, width))
        num_store_grad(to, i, width, num_load(dy + r * width, i, width, 0), accumulate);
}
