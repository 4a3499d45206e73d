// The mean over each segment's rows; starts [segments + 1]. A work-group owns a segment.

ROW_KERNEL void pool_mean_forward(global float *y, global const float *x, global const int *starts, int width)
{
    size_t s = get_group_id(0);
    int first = starts[s], end = starts[s + 1];
    for (EACH(i, width)) {
        vfloat sum = 0;
        for (int row = first; row < end; row++)
            sum += vec_load(x + (size_t)row * width, i, width, 0);
        vec_store(y + s * width, i, width, sum / (end - first));
    }
}

ROW_KERNEL void pool_mean_backward(global float *dx, global const float *dy, global const int *starts, int width,
                                   int accumulate)
{
    size_t s = get_group_id(0);
    int first = starts[s], end = starts[s + 1];
    for (int row = first; row < end; row++)
        for (EACH(i, width))
            vec_store_grad(dx + (size_t)row * width, i, width, vec_load(dy + s * width, i, width, 0) / (end - first),
                           accumulate);
}
