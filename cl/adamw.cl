// AdamW over the whole parameter arena (Loshchilov, Hutter 2019), in PyTorch's order of operations.

#define BLOCK 256 // ARENA_BLOCK of runtime/arena.h

// rates [16]: for each value of block_rates, the step over 1 - beta1^t, and 1 - the learning rate * the weight decay.
// Gradients are left at zero for the next step, while they are in the cache.
// norm [2] holds the factor that clips the gradients (grad_norm.cl), or is NULL.
// values, grads, moment1, moment2 [blocks * BLOCK], block_rates [blocks]
ROW_KERNEL void adamw_step(global float *values, global float *grads, global float *moment1,
                           global float *moment2, global const int *block_rates, global const float2 *rates,
                           global const float *norm, float beta1, float beta2, float rest1, float rest2, float root2,
                           float eps, int blocks)
{
    float clip = norm ? norm[1] : 1;
    int first = (int)get_group_id(0) * (CHUNK / BLOCK), last = min(first + CHUNK / BLOCK, blocks);
    for (int block = first; block < last; block++) {
        float2 rate = rates[block_rates[block]];
        size_t start = (size_t)block * BLOCK;
        for (EACH(i, BLOCK)) {
            vfloat g = clip * vec_load(grads + start, i, BLOCK, 0);
            vfloat m = beta1 * vec_load(moment1 + start, i, BLOCK, 0) + rest1 * g;
            vfloat v = beta2 * vec_load(moment2 + start, i, BLOCK, 0) + rest2 * g * g;
            vfloat value = rate.y * vec_load(values + start, i, BLOCK, 0);
            vec_store(grads + start, i, BLOCK, 0);
            vec_store(moment1 + start, i, BLOCK, m);
            vec_store(moment2 + start, i, BLOCK, v);
            vec_store(values + start, i, BLOCK, value - rate.x * m / (sqrt(v) / root2 + eps));
        }
    }
}
