// Layer norm over rows. A row is read several times, but from memory once: it stays in the cache.

// y = (x - mean) * reciprocal deviation * weight + bias.  stats [rows, 2]: mean and reciprocal deviation
ROW_KERNEL void layernorm_forward(global number *y, global float *stats, global const number *x,
                                  global const float *weight, global const float *bias, int width, float eps)
{
    ROW_SCRATCH(scratch);
    int middle = (width + 2 * VEC - 1) / (2 * VEC) * VEC; // both halves at once: one chain of additions is too slow
    size_t r = get_group_id(0);
    x += r * width;
    y += r * width;
    vfloat sum = 0, sum2 = 0;
    for (EACH(i, middle)) {
        sum += num_load(x, i, width, 0);
        sum2 += num_load(x, middle + i, width, 0);
    }
    float mean = row_sum(vec_sum(sum + sum2), scratch) / width;
    vfloat squares = 0, squares2 = 0;
    for (EACH(i, middle)) {
        vfloat centered = num_load(x, i, width, mean) - mean;
        vfloat centered2 = num_load(x, middle + i, width, mean) - mean;
        squares += centered * centered;
        squares2 += centered2 * centered2;
    }
    float scale = rsqrt(row_sum(vec_sum(squares + squares2), scratch) / width + eps);
    for (EACH(i, width)) {
        vfloat centered = num_load(x, i, width, 0) - mean;
        num_store(y, i, width, centered * scale * vec_load(weight, i, width, 0) + vec_load(bias, i, width, 0));
    }
    if (LANE == 0) {
        stats[2 * r] = mean;
        stats[2 * r + 1] = scale;
    }
}

// With g = dy * weight and c = x - mean: dx (+)= scale * (g - average of g - c * scale^2 * average of g c).
static inline void input_gradient(global number *dx, global const number *dy, global const number *x, global const float *weight,
                           float mean, float scale, int width, int accumulate, local float *scratch)
{
    vfloat sum = 0, products = 0;
    for (EACH(i, width)) {
        vfloat g = num_load(dy, i, width, 0) * vec_load(weight, i, width, 0);
        sum += g;
        products += g * (num_load(x, i, width, 0) - mean);
    }
    float average = row_sum(vec_sum(sum), scratch) / width;
    float along = row_sum(vec_sum(products), scratch) / width * scale * scale;
    for (EACH(i, width)) {
        vfloat g = num_load(dy, i, width, 0) * vec_load(weight, i, width, 0);
        vfloat centered = num_load(x, i, width, 0) - mean;
        num_store_grad(dx, i, width, scale * (g - average - along * centered), accumulate);
    }
}

// A work-group takes `slice` rows one after another, and sums what they give to the gradients of weight and bias in a
// row of its own: dweight, dbias [slices, width]. Each of the three gradients may be absent (NULL).
ROW_KERNEL void layernorm_backward(global number *dx, global float *dweight, global float *dbias,
                                   global const number *dy, global const number *x, global const float *stats,
                                   global const float *weight, int rows, int width, int slice, int accumulate)
{
    ROW_SCRATCH(scratch);
    size_t own = get_group_id(0) * (size_t)width;
    int first = (int)get_group_id(0) * slice;
    for (int r = first; r < min(rows, first + slice); r++) {
        size_t row = (size_t)r * width;
        float mean = stats[2 * r], scale = stats[2 * r + 1];
        if (dx)
            input_gradient(dx + row, dy + row, x + row, weight, mean, scale, width, accumulate, scratch);
        if (dweight)
            for (EACH(i, width))
                vec_store_grad(dweight + own, i, width,
                               num_load(dy + row, i, width, 0) * (num_load(x + row, i, width, 0) - mean) * scale,
                               r > first);
        if (dbias)
            for (EACH(i, width))
                vec_store_grad(dbias + own, i, width, num_load(dy + row, i, width, 0), r > first);
    }
}
