// The Euclidean norm of all gradients, in two stages of fixed order.

#define BLOCK 256 // ARENA_BLOCK of runtime/arena.h

// A chunk's sum of squares.  parts [..]: a bucket's begin at `part`; blocks [.., 2] and grads [count * BLOCK] as in
// adamw.cl, for the `count` blocks from `first` on
ROW_KERNEL void grad_norm_parts(global float *parts, global const float *grads, global const int2 *blocks, int part,
                                int first, int count)
{
    ROW_SCRATCH(scratch);
    int begin = (int)get_group_id(0) * (CHUNK / BLOCK), end = min(begin + CHUNK / BLOCK, count);
    vfloat sum = 0;
    for (int i = begin; i < end; i++) {
        int used = blocks[first + i].y;
        for (EACH(j, used)) {
            vfloat g = vec_load(grads + (size_t)i * BLOCK, j, used, 0);
            sum += g * g;
        }
    }
    float total = row_sum(vec_sum(sum), scratch);
    if (LANE == 0)
        parts[part + get_group_id(0)] = total;
}

// One work-group.  norm [4]: the norm, and what to multiply the gradients with so that theirs is at most
// max_norm; the rest stays
ROW_KERNEL void grad_norm_finish(global float *norm, global const float *parts, int count, float max_norm)
{
    ROW_SCRATCH(scratch);
    vfloat sum = 0;
    for (EACH(i, count))
        sum += vec_load(parts, i, count, 0);
    float total = sqrt(row_sum(vec_sum(sum), scratch));
    if (LANE == 0) {
        norm[0] = total;
        norm[1] = fmin(1.0f, max_norm / (total + 1e-6f));
    }
}
