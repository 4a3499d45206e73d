// y = x + scale * branch, its backward pass, and the sum that several gradients of one tensor need.

ROW_KERNEL void accumulate(global float *to, global const float *from, int count)
{
    int start = (int)get_group_id(0) * CHUNK, n = min(CHUNK, count - start);
    for (EACH(i, n))
        vec_store(to + start, i, n, vec_load(to + start, i, n, 0) + vec_load(from + start, i, n, 0));
}

ROW_KERNEL void residual_add(global float *y, global const float *x, global const float *branch, int count)
{
    int start = (int)get_group_id(0) * CHUNK, n = min(CHUNK, count - start);
    for (EACH(i, n))
        vec_store(y + start, i, n, vec_load(x + start, i, n, 0) + vec_load(branch + start, i, n, 0));
}

ROW_KERNEL void residual_add_scaled(global float *y, global const float *x, global const float *branch,
                                    global const float *scale, int width)
{
    size_t row = get_group_id(0) * (size_t)width;
    for (EACH(i, width))
        vec_store(y + row, i, width,
                  vec_load(x + row, i, width, 0) + vec_load(scale, i, width, 0) * vec_load(branch + row, i, width, 0));
}

// dbranch (+)= dy * scale
ROW_KERNEL void residual_scale(global float *dbranch, global const float *dy, global const float *scale, int width,
                               int accumulate_grad)
{
    size_t row = get_group_id(0) * (size_t)width;
    for (EACH(i, width))
        vec_store_grad(dbranch + row, i, width, vec_load(dy + row, i, width, 0) * vec_load(scale, i, width, 0),
                       accumulate_grad);
}

// What summed down the columns is the gradient of scale.
ROW_KERNEL void residual_products(global float *products, global const float *dy, global const float *branch, int count)
{
    int start = (int)get_group_id(0) * CHUNK, n = min(CHUNK, count - start);
    for (EACH(i, n))
        vec_store(products + start, i, n, vec_load(dy + start, i, n, 0) * vec_load(branch + start, i, n, 0));
}
