// y = x + scale * branch, its backward pass, and the sum that several gradients of one tensor need.

ROW_KERNEL void accumulate(global float *to, global const float *from, int count)
{
    int start = (int)get_group_id(0) * CHUNK, n = min(CHUNK, count - start);
    for (EACH(i, n))
        vec_store(to + start, i, n, vec_load(to + start, i, n, 0) + vec_load(from + start, i, n, 0));
}
