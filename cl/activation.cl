// y = activation(x), and dx (+)= dy activation'(x). A work-group handles CHUNK numbers; the functions are in
// common.clh, since the epilogue of a matrix product calls them too.

ROW_KERNEL void activation_forward(global number *y, global const number *x, int count, int activation)
{
    int start = (int)get_group_id(0) * CHUNK, n = min(CHUNK, count - start);
    for (EACH(i, n))
        num_store(y + start, i, n, activate(num_load(x + start, i, n, 0), activation));
}

ROW_KERNEL void activation_backward(global number *dx, global const number *dy, global const number *x, int count,
                                    int activation, int accumulate)
{
    int start = (int)get_group_id(0) * CHUNK, n = min(CHUNK, count - start);
    for (EACH(i, n)) {
        vfloat slope = activation_derivative(num_load(x + start, i, n, 0), activation);
        num_store_grad(dx + start, i, n, num_load(dy + start, i, n, 0) * slope, accumulate);
    }
}
