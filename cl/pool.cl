// The mean over each segment's rows; starts [segments + 1]. A work-group owns a segment.

ROW_KERNEL void pool_mean_forward(global number *y, global const number *x, global const int *starts, int width)
{
    size_t s = get_group_id(0);
    int first = starts[s], end = starts[s + 1];
    for (EACH(i, width)) {
        vfloat sum = 0;
        for (int row = first; row < end; row++)
            sum += num_load(x + (size_t)row * width, i, width, 0);
        num_store(y + s * width, i, width, sum / (end - first));
    }
}

ROW_KERNEL void pool_mean_backward(global number *dx, global const number *dy, global const int *starts, int width,
                                   int accumulate)
{
    size_t s = get_group_id(0);
    int first = starts[s], end = starts[s + 1];
    for (int row = first; row < end; row++)
        for (EACH(i, width))
            num_store_grad(dx + (size_t)row * width, i, width, num_load(dy + s * width, i, width, 0) / (end - first),
                           accumulate);
}
