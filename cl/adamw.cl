// AdamW over a bucket of the parameter arena (Loshchilov, Hutter 2019), in PyTorch's order of operations.

#define BLOCK 256 // ARENA_BLOCK of runtime/arena.h

// blocks [.., 2]: for each block of the arena, which rate it has, and how many of its numbers are in use.
// rates [..]: the step over 1 - beta1^t, and 1 - the learning rate * the weight decay.
// norm [4] holds the factor that clips the gradients (grad_norm.cl), or is NULL. With `scaled` (loss_scale.cl) it holds what
// depends on the steps taken too, rates and root2 do not, and a factor of 0 leaves all as it is.
// guard [2] (step_guard.cl) says whether the step is taken, or is NULL.
// average, NULL or as the values, moves `follow` of its way to them.
// values, moment1, moment2 [.. * BLOCK]: the arena's; `count` blocks from `first` on are updated, whose gradients begin at
// block `first_grad` of grads, and their moments at block `first_moment` of moment1 and moment2
ROW_KERNEL void adamw_step(global float *values, global float *moment1, global float *moment2,
                           global const float *grads, global const int2 *blocks, global const float2 *rates,
                           global const float *norm, global const float *guard, global float *average, float follow,
                           float beta1, float beta2, float rest1, float rest2, float root2, float eps, int first,
                           int first_grad, int first_moment, int count, int scaled)
{
    if (guard && guard[1] == 0)
        return;
    float clip = norm ? norm[1] : 1, warm = scaled ? norm[2] : 1;
    if (scaled && clip == 0)
        return;
    root2 = scaled ? norm[3] : root2;
    int begin = (int)get_group_id(0) * (CHUNK / BLOCK), end = min(begin + CHUNK / BLOCK, count);
    for (int i = begin; i < end; i++) {
        int2 block = blocks[first + i];
        float2 rate = rates[block.x];
        rate.x /= warm;
        size_t start = (size_t)(first + i) * BLOCK, grad = (size_t)(first_grad + i) * BLOCK,
               moment = (size_t)(first_moment + i) * BLOCK;
        for (EACH(j, block.y)) {
            vfloat g = clip * vec_load(grads + grad, j, block.y, 0);
            vfloat m = beta1 * vec_load(moment1 + moment, j, BLOCK, 0) + rest1 * g;
            vfloat v = beta2 * vec_load(moment2 + moment, j, BLOCK, 0) + rest2 * g * g;
            vfloat value = rate.y * vec_load(values + start, j, BLOCK, 0);
            vec_store(moment1 + moment, j, BLOCK, m);
            vec_store(moment2 + moment, j, BLOCK, v);
            value -= rate.x * m / (sqrt(v) / root2 + eps);
            vec_store(values + start, j, BLOCK, value);
            if (average) {
                vfloat old = vec_load(average + start, j, BLOCK, 0);
                vec_store(average + start, j, BLOCK, old + follow * (value - old));
            }
        }
    }
}
