// The Euclidean norm of all gradients, in two stages of fixed order.

// A chunk's sum of squares.  parts [chunks], grads [blocks * block], block being a multiple of VEC
ROW_KERNEL void grad_norm_parts(global float *parts, global const float *grads, int blocks, int block)
{
    ROW_SCRATCH(scratch);
    size_t start = (size_t)get_group_id(0) * CHUNK;
    int n = (int)min((size_t)CHUNK, (size_t)blocks * block - start);
    vfloat sum = 0;
    for (EACH(i, n)) {
        vfloat g = XCAT(vload, VEC)(0, grads + start + i);
        sum += g * g;
    }
    float part = row_sum(vec_sum(sum), scratch);
    if (LANE == 0)
        parts[get_group_id(0)] = part;
}

// One work-group.  norm [2]: the norm, and what to multiply the gradients with so that theirs is at most max_norm
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
