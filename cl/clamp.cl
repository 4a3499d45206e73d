// Numbers kept between two others. A NaN is neither below nor above.

ROW_KERNEL void clamp_numbers(global float *x, float low, float high, int count)
{
    int start = (int)get_group_id(0) * CHUNK, n = min(CHUNK, count - start);
    for (EACH(i, n)) {
        vfloat value = vec_load(x + start, i, n, 0);
        value = value < low ? (vfloat)low : value;
        vec_store(x + start, i, n, value > high ? (vfloat)high : value);
    }
}
