/* bench: matrix products and the device's limits. */
#include "runtime/gemm/gemm.h"
#include "tools/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tensor *bench_tensor(struct device *dev, int rows, int width)
{
    size_t count = (size_t)rows * (size_t)width;
    float *numbers = mem_new(count, sizeof *numbers); // [rows, width]
    for (size_t i = 0; i < count; i++)
        numbers[i] = (float)((i * 2654435761u >> 8) % 2001) / 1000.0f - 1;
    struct tensor *tensor = tensor_new(dev, DTYPE_F32, 2, (int[]){rows, width});
    tensor_upload(tensor, numbers);
    free(numbers);
    return tensor;
}

struct tensor *bench_activations(struct device *dev, int rows, int width)
{
    struct tensor *wide = bench_tensor(dev, rows, width);
    struct tensor *stored = cast_copy(wide, dtype_of_precision(device_precision(dev)));
    tensor_free(wide);
    return stored;
}

static void multiply(void *context)
{
    gemm(context);
}

/* As in a model: B of layout NT is a weight, constant, so that it is packed once; that of NN is a weight too; TN makes
 * the gradient of one. */
static int run_gemm(struct bench *bench, const char *const *words, int count, struct error *err)
{
    static const char *const layouts[] = {"NN", "NT", "TN"};
    int m, n, k, used = 0, layout = 1;
    if (count < 1 || sscanf(words[0], "%dx%dx%d%n", &m, &n, &k, &used) != 3 || words[0][used] || m < 1 || n < 1 ||
        k < 1 || (double)m * n > 1e9 || (double)n * k > 1e9 || (double)m * k > 1e9)
        return error_set(err, EXIT_USAGE, "gemm wants sizes MxNxK, such as 1600x3072x768");
    for (int i = 0; i < 3 && count > 1; i++)
        if (strcmp(words[1], layouts[i]) == 0)
            layout = i;
    bool a_transposed = layout == 2, b_transposed = layout == 1;
    struct device *dev = bench->session.dev;
    struct tensor *a = bench_activations(dev, a_transposed ? k : m, a_transposed ? m : k);
    struct tensor *b =
        (a_transposed ? bench_activations : bench_tensor)(dev, b_transposed ? n : k, b_transposed ? k : n);
    struct tensor *c = (a_transposed ? bench_tensor : bench_activations)(dev, m, n);
    b->constant = b_transposed;
    struct gemm call = {
        .m = m, .n = n, .k = k, .a = a, .b = b, .c = c, .a_transposed = a_transposed, .b_transposed = b_transposed};
    char name[96];
    snprintf(name, sizeof name, "gemm %dx%dx%d %s (%s)", m, n, k, layouts[layout], gemm_choice(dev, &call));
    int result = bench_time(bench, name, multiply, &call, &(struct bench_work){.flops = 2.0 * m * n * k}, err);
    tensor_free(a);
    tensor_free(b);
    tensor_free(c);
    return result;
}

static int run_peak(struct bench *bench, const char *const *words, int count, struct error *err)
{
    (void)words;
    (void)count;
    if (bench_peak(bench, err) != 0)
        return -1;
    if (bench->session.json)
        printf("{\"case\":\"peak\",\"gflops\":%.6g,\"gbytes_per_s\":%.6g}\n", bench->peak.gflops, bench->peak.gbytes);
    else
        printf("fused multiply-add %.1f GFLOP/s, copy %.1f GB/s\n", bench->peak.gflops, bench->peak.gbytes);
    return 0;
}

const struct bench_case bench_kernel_cases[] = {
    {"gemm", "MxNxK [NN|NT|TN]", "one matrix product; NT (the default) has a constant right side", run_gemm},
    {"peak", "", "the most the device can do: multiply-add on registers, copying", run_peak},
    {0},
};
