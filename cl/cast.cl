// Numbers stored another way: as float or, built with DTYPE, in 16 bits.

ROW_KERNEL void widen_numbers(global float *y, global const number *x, int count)
{
    int start = (int)get_group_id(0) * CHUNK, n = min(CHUNK, count - start);
    for (EACH(i, n))
        vec_store(y + start, i, n, num_load(x + start, i, n, 0));
}

ROW_KERNEL void narrow_numbers(global number *y, global const float *x, int count)
{
    int start = (int)get_group_id(0) * CHUNK, n = min(CHUNK, count - start);
    for (EACH(i, n))
        num_store(y + start, i, n, vec_load(x + start, i, n, 0));
}
