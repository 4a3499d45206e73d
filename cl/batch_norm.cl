// Batch norm: statistics of each column over all rows, first of slices of rows, then of all of them. Sums over a slice
// are made by work-groups that own STRIP columns of it; each item keeps those of its own columns.

#define STRIP 1024 // columns, as in runtime/ops/batch_norm.c
#define STRIDE (GROUP * VEC)
#define EACH_PART(v, i, n) int v = 0, i = LANE * VEC; v < STRIP / STRIDE && i < (n); v++, i += STRIDE

// partial [slices, 2, width]: the mean, and the sum of squared distances from it.  x [rows, width]
ROW_KERNEL void batch_norm_slices(global float *partial, global const float *x, int rows, int width, int slice)
{
    int column = (int)get_group_id(0) * STRIP, n = min(STRIP, width - column);
    int first = (int)get_group_id(1) * slice, end = min(rows, first + slice);
    vfloat mean[STRIP / STRIDE], squares[STRIP / STRIDE];
    for (int v = 0; v < STRIP / STRIDE; v++)
        mean[v] = squares[v] = 0;
    for (int r = first; r < end; r++)
        for (EACH_PART(v, i, n))
            mean[v] += vec_load(x + (size_t)r * width + column, i, n, 0);
    for (int v = 0; v < STRIP / STRIDE; v++)
        mean[v] /= end - first;
    for (int r = first; r < end; r++) // these are in the cache
        for (EACH_PART(v, i, n)) {
            vfloat centered = vec_load(x + (size_t)r * width + column, i, n, 0) - mean[v];
            squares[v] += centered * centered;
        }
    global float *to = partial + get_group_id(1) * 2 * width + column;
    for (EACH_PART(v, i, n)) {
        vec_store(to, i, n, mean[v]);
        vec_store(to + width, i, n, squares[v]);
    }
}

// What normalises: stats [2, width], mean and reciprocal deviation.
static inline void store_stats(global float *stats, int i, int width, vfloat mean, vfloat variance, float eps)
{
    vec_store(stats, i, width, mean);
    vec_store(stats + width, i, width, rsqrt(variance + eps));
}

// The slices' statistics as one (Chan, Golub, LeVeque 1983), and the running ones moved by them.
ROW_KERNEL void batch_norm_join(global float *stats, global float *running_mean, global float *running_variance,
                                global const float *partial, int rows, int width, int slice, float eps, float momentum)
{
    int i = ((int)get_group_id(0) * GROUP + LANE) * VEC;
    if (i >= width)
        return;
    vfloat mean = 0, squares = 0;
    for (int first = 0, s = 0; first < rows; first += slice, s++)
        mean += vec_load(partial + (size_t)s * 2 * width, i, width, 0) * ((float)min(slice, rows - first) / rows);
    for (int first = 0, s = 0; first < rows; first += slice, s++) {
        vfloat off = vec_load(partial + (size_t)s * 2 * width, i, width, 0) - mean;
        squares += vec_load(partial + ((size_t)s * 2 + 1) * width, i, width, 0) + off * off * min(slice, rows - first);
    }
    store_stats(stats, i, width, mean, squares / rows, eps);
    vfloat unbiased = squares / max(1, rows - 1), kept = 1 - momentum;
    vec_store(running_mean, i, width, kept * vec_load(running_mean, i, width, 0) + momentum * mean);
    vec_store(running_variance, i, width, kept * vec_load(running_variance, i, width, 0) + momentum * unbiased);
}

ROW_KERNEL void batch_norm_running(global float *stats, global const float *running_mean,
                                   global const float *running_variance, int width, float eps)
{
    int i = ((int)get_group_id(0) * GROUP + LANE) * VEC;
    if (i < width)
        store_stats(stats, i, width, vec_load(running_mean, i, width, 0), vec_load(running_variance, i, width, 0), eps);
}

static inline vfloat normalised(global const float *x, global const float *stats, int i, int width)
{
    return (vec_load(x, i, width, 0) - vec_load(stats, i, width, 0)) * vec_load(stats + width, i, width, 0);
}

// What the activation is of.
static inline vfloat result(vfloat normal, global const float *weight, global const float *bias,
                            global const float *residual, int i, int width)
{
    vfloat y = normal * vec_load(weight, i, width, 0) + vec_load(bias, i, width, 0);
    return residual ? y + vec_load(residual, i, width, 0) : y;
}

// y, x, residual [rows, width]; residual may be NULL
ROW_KERNEL void batch_norm_forward(global float *y, global const float *x, global const float *stats,
                                   global const float *weight, global const float *bias, global const float *residual,
                                   int rows, int width, int with_relu)
{
    const int lanes = lanes_of(width), block = BLOCK_ROWS(width);
    int first = (int)get_group_id(0) * block, end = min(rows, first + block);
    for (EACH_ROW(r, first, end, lanes)) {
        size_t row = (size_t)r * width;
        global const float *other = residual ? residual + row : 0;
        for (EACH_STRIP(i, width, lanes)) {
            vfloat v = result(normalised(x + row, stats, i, width), weight, bias, other, i, width);
            vec_store(y + row, i, width, with_relu ? relu(v) : v);
        }
    }
}

// The gradient before the activation, whose sign is found again: y is not kept.
static inline vfloat inner_gradient(global const float *dy, vfloat normal, global const float *weight,
                                    global const float *bias, global const float *residual, int i, int width,
                                    int with_relu)
{
    vfloat g = vec_load(dy, i, width, 0);
    return with_relu ? g * relu_derivative(result(normal, weight, bias, residual, i, width)) : g;
}

// partial [slices, 2, width]: sums of the gradient, and of the gradient times the normalised numbers.
ROW_KERNEL void batch_norm_sums(global float *partial, global const float *dy, global const float *x,
                                global const float *stats, global const float *weight, global const float *bias,
                                global const float *residual, int rows, int width, int slice, int with_relu)
{
    int column = (int)get_group_id(0) * STRIP, n = min(STRIP, width - column);
    int start = (int)get_group_id(1) * slice, end = min(rows, start + slice);
    vfloat sums[STRIP / STRIDE], products[STRIP / STRIDE];
    for (int v = 0; v < STRIP / STRIDE; v++)
        sums[v] = products[v] = 0;
    for (int r = start; r < end; r++) {
        size_t row = (size_t)r * width;
        global const float *other = residual ? residual + row : 0;
        for (EACH_PART(v, part, n)) {
            int i = column + part;
            vfloat normal = normalised(x + row, stats, i, width);
            vfloat g = inner_gradient(dy + row, normal, weight, bias, other, i, width, with_relu);
            sums[v] += g;
            products[v] += g * normal;
        }
    }
    global float *to = partial + get_group_id(1) * 2 * width + column;
    for (EACH_PART(v, i, n)) {
        vec_store(to, i, n, sums[v]);
        vec_store(to + width, i, n, products[v]);
    }
}

// dx (+)= weight scale (g - (sum of g + normalised * sum of g normalised) / rows), g being dy before the activation.
// sums [2, width], or NULL where the statistics do not depend on x. dx and dresidual (+)= g may be NULL.
ROW_KERNEL void batch_norm_backward(global float *dx, global float *dresidual, global const float *dy,
                                    global const float *x, global const float *stats, global const float *weight,
                                    global const float *bias, global const float *residual, global const float *sums,
                                    int rows, int width, int with_relu, int add_x, int add_residual)
{
    const int lanes = lanes_of(width), block = BLOCK_ROWS(width);
    int first = (int)get_group_id(0) * block, end = min(rows, first + block);
    for (EACH_ROW(r, first, end, lanes)) {
        size_t row = (size_t)r * width;
        global const float *other = residual ? residual + row : 0;
        for (EACH_STRIP(i, width, lanes)) {
            vfloat normal = normalised(x + row, stats, i, width), average = 0;
            vfloat g = inner_gradient(dy + row, normal, weight, bias, other, i, width, with_relu);
            if (dresidual)
                vec_store_grad(dresidual + row, i, width, g, add_residual);
            if (!dx)
                continue;
            if (sums)
                average = (vec_load(sums, i, width, 0) + normal * vec_load(sums + width, i, width, 0)) / rows;
            vfloat slope = vec_load(weight, i, width, 0) * vec_load(stats + width, i, width, 0);
            vec_store_grad(dx + row, i, width, slope * (g - average), add_x);
        }
    }
}

// to [width] (+)= sums [0] or [1] of sums [2, width]
ROW_KERNEL void batch_norm_half(global float *to, global const float *sums, int which, int width, int accumulate)
{
    int i = ((int)get_group_id(0) * GROUP + LANE) * VEC;
    if (i < width)
        vec_store_grad(to, i, width, vec_load(sums + which * width, i, width, 0), accumulate);
}
