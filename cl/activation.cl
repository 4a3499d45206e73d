// y = activation(x), and dx (+)= dy activation'(x). A work-group handles CHUNK numbers; the functions are in
// common.clh, since the epilogue of a matrix product calls them too.

ROW_KERNEL void activation_forward(global float *y, global const float *x, int count, int activation)
{
    int start = (int)get_group_id(0) * CHUNK, n = min(CHUNK, count - start);
    for (EACH(i, n))
        vec_store(y + start, i, n, activate(vec_load(x + start, i, n, 0), activation));
}

ROW_KERNEL void activation_backward(global float *dx, global const float *dy, global const float *x, int count,
                                    int activation, int accumulate)
{
    int start = (int)get_group_id(0) * CHUNK, n = min(CHUNK, count - start);
    for (EACH(i, n)) {
        vfloat slope = activation_derivative(vec_load(x + start, i, n, 0), activation);
        vec_store_grad(dx + start, i, n, vec_load(dy + start, i, n, 0) * slope, accumulate);
    }
}
