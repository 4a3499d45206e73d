// Rows of Euclidean length one.

// y = x / max(|x|, 1e-12); inverse [rows]: what x was multiplied with
ROW_KERNEL void l2_normalise_forward(global number *y, global float *inverse, global const number *x, int width)
{
    ROW_SCRATCH(scratch);
    size_t r = get_group_id(0);
    x += r * width;
    y += r * width;
    vfloat squares = 0;
    for (EACH(i, width)) {
        vfloat v = num_load(x, i, width, 0);
        squares += v * v;
    }
    float scale = 1 / fmax(sqrt(row_sum(vec_sum(squares), scratch)), 1e-12f);
    for (EACH(i, width))
        num_store(y, i, width, num_load(x, i, width, 0) * scale);
    if (LANE == 0)
        inverse[r] = scale;
}

// dx (+)= inverse * (dy - y * (dy . y)): what points along x does not change y.
ROW_KERNEL void l2_normalise_backward(global number *dx, global const number *dy, global const number *y,
                                      global const float *inverse, int width, int accumulate)
{
    ROW_SCRATCH(scratch);
    size_t r = get_group_id(0);
    dy += r * width;
    y += r * width;
    vfloat products = 0;
    for (EACH(i, width))
        products += num_load(dy, i, width, 0) * num_load(y, i, width, 0);
    float along = row_sum(vec_sum(products), scratch), scale = inverse[r];
    for (EACH(i, width))
        num_store_grad(dx + r * width, i, width,
                       scale * (num_load(dy, i, width, 0) - along * num_load(y, i, width, 0)), accumulate);
}
