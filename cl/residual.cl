// y = x + scale * branch, its backward pass, and the sum that several gradients of one tensor need.

ROW_KERNEL void accumulate(global number *to, global const number *from, int count)
{
    int start = (int)get_group_id(0) * CHUNK, n = min(CHUNK, count - start);
    for (EACH(i, n))
        num_store(to + start, i, n, num_load(to + start, i, n, 0) + num_load(from + start, i, n, 0));
}

ROW_KERNEL void residual_add(global number *y, global const number *x, global const number *branch, int count)
{
    int start = (int)get_group_id(0) * CHUNK, n = min(CHUNK, count - start);
    for (EACH(i, n))
        num_store(y + start, i, n, num_load(x + start, i, n, 0) + num_load(branch + start, i, n, 0));
}

ROW_KERNEL void residual_add_scaled(global number *y, global const number *x, global const number *branch,
                                    global const float *scale, int width)
{
    size_t row = get_group_id(0) * (size_t)width;
    for (EACH(i, width))
        num_store(y + row, i, width,
                  num_load(x + row, i, width, 0) + vec_load(scale, i, width, 0) * num_load(branch + row, i, width, 0));
}

// dbranch (+)= dy * scale
ROW_KERNEL void residual_scale(global number *dbranch, global const number *dy, global const float *scale, int width,
                               int accumulate_grad)
{
    size_t row = get_group_id(0) * (size_t)width;
    for (EACH(i, width))
        num_store_grad(dbranch + row, i, width, num_load(dy + row, i, width, 0) * vec_load(scale, i, width, 0),
                       accumulate_grad);
}

// What summed down the columns is the gradient of scale.
ROW_KERNEL void residual_products(global float *products, global const number *dy, global const number *branch,
                                  int count)
{
    int start = (int)get_group_id(0) * CHUNK, n = min(CHUNK, count - start);
    for (EACH(i, n))
        vec_store(products + start, i, n, num_load(dy + start, i, n, 0) * num_load(branch + start, i, n, 0));
}
