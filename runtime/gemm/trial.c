#include "runtime/gemm/trial.h"

#include "runtime/opencl.h"
#include "runtime/util/progress.h"

#include <math.h>
#include <stdlib.h>

/* Multiples of no tile, smaller than any, and some of many steps; each with another epilogue. Of few heights, for which
 * a backend may build a program each. */
static const struct odd {
    int m, n, k;
    bool accumulate, epilogue;
} odd_shapes[] = {
    {65, 53, 71, false, false}, {1, 1, 1, true, false},     {65, 17, 130, false, true},
    {1, 19, 1031, false, true}, {65, 35, 523, true, false},
};

const char *const layout_names[LAYOUTS] = {"NN", "NT", "TN", "TT"};

int layout_of(const struct gemm *call)
{
    return 2 * call->a_transposed + call->b_transposed;
}

enum precision precision_of(const struct gemm *call)
{
    enum precision precision = PRECISION_FP32;
    if (call->c->dev->precision == PRECISION_INT16 && gemm_has_weight(call))
        return PRECISION_INT16;
    while (dtype_of_precision(precision) != call->a->dtype)
        precision++;
    return precision;
}

/* Numbers in [-1, 1) that any device gets alike and all precisions hold; caller frees those of the host. */
static struct tensor *random_matrix(float **numbers, struct device *dev, enum dtype dtype, int rows, int columns,
                                    unsigned seed)
{
    struct tensor *tensor = tensor_new(dev, DTYPE_F32, 2, (int[]){rows, columns});
    size_t count = tensor_count(tensor);
    *numbers = mem_new(count, sizeof **numbers);
    for (size_t i = 0; i < count; i++) {
        seed = seed * 1664525u + 1013904223u;
        (*numbers)[i] = (float)(seed >> 24) / 128.0f - 1.0f;
    }
    tensor_upload(tensor, *numbers);
    if (dtype == DTYPE_F32)
        return tensor;
    struct tensor *stored = cast_copy(tensor, dtype);
    tensor_free(tensor);
    return stored;
}

/* ---- right or wrong ---- */

enum { IN_A, IN_B, IN_BIAS, IN_RESIDUAL, IN_C, INPUTS };

static void host_product(double *c, float *const *in, const struct odd *odd, int layout)
{
    for (int i = 0; i < odd->m; i++)
        for (int j = 0; j < odd->n; j++) {
            double sum = 0;
            for (int p = 0; p < odd->k; p++)
                sum += (double)in[IN_A][layout & 2 ? p * odd->m + i : i * odd->k + p] *
                       (double)in[IN_B][layout & 1 ? j * odd->k + p : p * odd->n + j];
            int at = i * odd->n + j;
            if (odd->epilogue)
                sum = fmax(sum + (double)in[IN_BIAS][j], 0) + (double)in[IN_RESIDUAL][at];
            c[at] = sum + (odd->accumulate ? (double)in[IN_C][at] : 0);
        }
}

static double error_of(struct device *dev, const struct trial_case *trial, const struct odd *odd)
{
    int m = odd->m, n = odd->n, k = odd->k, layout = trial->layout;
    const int rows[INPUTS] = {m, n, 1, m, m}, columns[INPUTS] = {k, k, n, n, n};
    struct tensor *tensors[INPUTS];
    float *in[INPUTS], *got = mem_new((size_t)m * (size_t)n, sizeof *got);
    double *want = mem_new((size_t)m * (size_t)n, sizeof *want);
    for (int i = 0; i < INPUTS; i++)
        tensors[i] =
            random_matrix(&in[i], dev, i == IN_A ? trial->dtype : DTYPE_F32, rows[i], columns[i], (unsigned)i + 1);
    tensors[IN_B]->constant = true; /* as weights are: then a backend may keep what it derives from them */
    struct gemm call = {.m = m,
                        .n = n,
                        .k = k,
                        .a = tensors[IN_A],
                        .b = tensors[IN_B],
                        .a_transposed = layout & 2,
                        .b_transposed = layout & 1,
                        .c = tensors[IN_C],
                        .accumulate = odd->accumulate,
                        .bias = odd->epilogue ? tensors[IN_BIAS] : NULL,
                        .activation = odd->epilogue ? ACTIVATION_RELU : ACTIVATION_NONE,
                        .residual = odd->epilogue ? tensors[IN_RESIDUAL] : NULL};
    trial->plan.backend->run(dev, &call, trial->plan.settings);
    tensor_download(got, call.c);
    host_product(want, in, odd, layout);
    double off = selftest_difference(got, want, (size_t)m * (size_t)n);
    for (int i = 0; i < INPUTS; i++) {
        tensor_free(tensors[i]);
        free(in[i]);
    }
    free(got);
    free(want);
    return off;
}

double trial_error(struct device *dev, const void *context)
{
    double off = 0;
    for (size_t i = 0; i < sizeof odd_shapes / sizeof *odd_shapes && !device_failed(dev); i++)
        off = fmax(off, error_of(dev, context, &odd_shapes[i]));
    return off;
}

/* ---- how fast ---- */

static struct tensor *filled_matrix(struct device *dev, enum dtype dtype, int rows, int columns, unsigned seed)
{
    float *numbers;
    struct tensor *tensor = random_matrix(&numbers, dev, dtype, rows, columns, seed);
    free(numbers);
    return tensor;
}

/* Twice what the driver says of the last cache, within reason. */
static struct tensor *flush_buffer(struct device *dev)
{
    const cl_ulong least = 16 << 20, most = 256 << 20;
    cl_ulong cache = 0;
    clGetDeviceInfo(dev->id, CL_DEVICE_GLOBAL_MEM_CACHE_SIZE, sizeof cache, &cache, NULL);
    cl_ulong bytes = cache < least / 2 ? least : cache > most / 2 ? most : 2 * cache;
    if (bytes > dev->info.largest_bytes / 4)
        bytes = dev->info.largest_bytes / 4;
    return tensor_new(dev, DTYPE_U8, 1, (int[]){(int)bytes});
}

struct trial trial_new(struct device *dev, const struct gemm *like, double most_flops)
{
    int sizes[] = {like->m, like->n, like->k};
    while (2.0 * sizes[0] * sizes[1] * sizes[2] > most_flops) {
        int largest = 0;
        for (int i = 1; i < 3; i++)
            largest = sizes[i] > sizes[largest] ? i : largest;
        sizes[largest] = (sizes[largest] + 1) / 2;
    }
    int m = sizes[0], n = sizes[1], k = sizes[2];
    struct trial trial = {.call = {.m = m,
                                   .n = n,
                                   .k = k,
                                   .a = filled_matrix(dev, like->a->dtype, m, k, 1),
                                   .a_transposed = like->a_transposed,
                                   .b = filled_matrix(dev, like->b->dtype, n, k, 2),
                                   .b_transposed = like->b_transposed,
                                   .c = tensor_new(dev, like->c->dtype, 2, (int[]){m, n})},
                          .flush = flush_buffer(dev),
                          .flops = 2.0 * m * n * k};
    trial.call.b->constant = like->b->constant;
    return trial;
}

void trial_free(struct trial *trial)
{
    tensor_free((struct tensor *)(size_t)trial->call.a);
    tensor_free(trial->call.b);
    tensor_free(trial->call.c);
    tensor_free(trial->flush);
}

/* Seconds of one run; INFINITY if it fails. */
static double one_run(struct device *dev, const struct trial *trial, const struct gemm_plan *plan)
{
    struct error err;
    buffer_zero(trial->flush->buffer, 0, tensor_bytes(trial->flush));
    bool failed = device_finish(dev, &err) != 0;
    double start = clock_seconds();
    plan->backend->run(dev, &trial->call, plan->settings);
    failed = device_finish(dev, &err) != 0 || failed;
    if (failed)
        device_forgive(dev);
    return failed ? INFINITY : clock_seconds() - start;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double trial_seconds(struct device *dev, const struct trial *trial, const struct gemm_plan *plan, int samples,
                     double enough)
{
    enum { MOST = 9 };
    double seconds[MOST];
    CHECK(samples > 0 && samples <= MOST, "%d samples", samples);
    if (isinf(one_run(dev, trial, plan))) /* builds the kernel, packs what is kept */
        return INFINITY;
    int done = 0;
    do
        seconds[done] = one_run(dev, trial, plan);
    while (seconds[done] <= enough && ++done < samples);
    int count = done < samples ? done + 1 : done;
    qsort(seconds, (size_t)count, sizeof *seconds, compare_doubles);
    return seconds[count / 2];
}
