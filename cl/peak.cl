// The most a device can do (runtime/peak.c).

#define CHAINS 12

// CHAINS independent multiply-adds a step: enough to hide their latency, few enough to stay in registers. The numbers
// approach a fixed point, so that none grows, and their sum is written so that none is left out.
kernel void multiply_add(global float *out, int steps)
{
    vfloat x[CHAINS];
#pragma unroll
    for (int i = 0; i < CHAINS; i++)
        x[i] = (float)get_global_id(0) + i;
    for (int step = 0; step < steps; step++)
#pragma unroll
        for (int i = 0; i < CHAINS; i++)
            x[i] = fma(x[i], (vfloat)0.999f, (vfloat)0.001f);
    vfloat sum = 0;
#pragma unroll
    for (int i = 0; i < CHAINS; i++)
        sum += x[i];
    out[get_global_id(0)] = vec_sum(sum);
}

ROW_KERNEL void copy(global float *to, global const float *from, int count)
{
    int start = (int)get_group_id(0) * CHUNK, n = min(CHUNK, count - start);
    for (EACH(i, n))
        vec_store(to + start, i, n, vec_load(from + start, i, n, 0));
}
