/* The matrix-unit product (cl/gemm_matrix.cl) with each unit's own fragment layout, its one instruction emulated,
 * against plain loops in double over numbers rounded to 16 bits. */
#include "runtime/gemm/matrix.h"
#include "tests/op_check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Sizes around those of fragments, steps and tiles. */
static const struct shape {
    int m, n, k;
} shapes[] = {{17, 37, 33}, {1, 1, 1}, {7, 5, 3}, {64, 64, 32}, {65, 130, 40}, {129, 67, 100}};
enum { SHAPES = sizeof shapes / sizeof *shapes, LARGE_TILE_BYTES = 46 << 10 /* of local memory */ };

/* The device's own rounding makes the same numbers of them when it stores them in 16 bits, or first in a product. */
static struct tensor *random_matrix(struct device *dev, double **numbers, int rows, int columns,
                                    enum precision precision, bool stored, uint64_t *random)
{
    enum dtype dtype = dtype_of_precision(precision);
    size_t count = (size_t)rows * (size_t)columns;
    float *values = mem_new(count, sizeof *values);
    *numbers = mem_new(count, sizeof **numbers);
    for (size_t i = 0; i < count; i++) {
        values[i] = (float)(check_normal(random) * (i % 13 == 5 ? 1e-5 : 1)); /* some are subnormal in fp16 */
        (*numbers)[i] = check_rounded(dtype, (double)values[i]);
    }
    struct tensor *wide = tensor_new(dev, DTYPE_F32, 2, (int[]){rows, columns});
    tensor_upload(wide, values);
    free(values);
    if (precision == PRECISION_FP32 || !stored)
        return wide;
    struct tensor *tensor = cast_copy(wide, dtype);
    tensor_free(wide);
    return tensor;
}

static void reference(double *c, const double *a, const double *b, const double *bias, const double *residual,
                      const double *before, const struct gemm *call)
{
    for (int i = 0; i < call->m; i++)
        for (int j = 0; j < call->n; j++) {
            double sum = bias ? bias[j] : 0;
            for (int p = 0; p < call->k; p++)
                sum += a[call->a_transposed ? p * call->m + i : i * call->k + p] *
                       b[call->b_transposed ? j * call->k + p : p * call->n + j];
            if (call->activation == ACTIVATION_GELU)
                sum *= 0.5 * erfc(-sum / sqrt(2));
            int at = i * call->n + j;
            c[at] = sum + (residual ? residual[at] : 0) + (call->accumulate ? before[at] : 0);
        }
}

struct check {
    const struct matrix_unit *unit;
    enum precision precision;
    struct shape shape;
    int layout, tile;
    bool accumulate; /* into float32; else with an epilogue, into what the precision stores */
};

static void check_product(struct device *dev, const struct check *check)
{
    int m = check->shape.m, n = check->shape.n, k = check->shape.k;
    bool a_transposed = check->layout & 2, b_transposed = check->layout & 1;
    enum precision precision = check->precision, stored = check->accumulate ? PRECISION_FP32 : precision;
    uint64_t random = (uint64_t)(m + 1000 * n + check->layout);
    double *a, *b, *bias, *residual, *before, *want = mem_new((size_t)m * (size_t)n, sizeof *want);
    float *got = mem_new((size_t)m * (size_t)n, sizeof *got);
    struct tensor *in_a = random_matrix(dev, &a, a_transposed ? k : m, a_transposed ? m : k, precision, true, &random);
    struct tensor *in_b =
        random_matrix(dev, &b, b_transposed ? n : k, b_transposed ? k : n, precision, !b_transposed, &random);
    struct tensor *in_bias = random_matrix(dev, &bias, 1, n, PRECISION_FP32, true, &random);
    struct tensor *in_residual = random_matrix(dev, &residual, m, n, stored, true, &random);
    struct gemm call = {.m = m,
                        .n = n,
                        .k = k,
                        .a = in_a,
                        .b = in_b,
                        .a_transposed = a_transposed,
                        .b_transposed = b_transposed,
                        .accumulate = check->accumulate};
    call.c = random_matrix(dev, &before, m, n, stored, true, &random);
    if (!check->accumulate) {
        call.bias = in_bias;
        call.residual = in_residual;
        call.activation = ACTIVATION_GELU;
    }
    matrix_multiply(&call, check->unit, precision, check->tile, true);
    struct tensor *result = cast_copy(call.c, DTYPE_F32);
    tensor_download(got, result);
    tensor_free(result);
    reference(want, a, b, call.bias ? bias : NULL, call.residual ? residual : NULL, before, &call);
    char what[160];
    snprintf(what, sizeof what, "%s, %s, layout %d, tile %d, %d x %d x %d", check->unit->name,
             precision == PRECISION_BF16 ? "bf16" : "fp16", check->layout, check->tile, m, n, k);
    check_close(what, got, want, (size_t)m * (size_t)n,
                stored == PRECISION_FP32      ? 2e-6
                : precision == PRECISION_BF16 ? 1.0 / 256
                                              : 1.0 / 2048);
    double *doubles[] = {a, b, bias, residual, before, want};
    for (size_t i = 0; i < sizeof doubles / sizeof *doubles; i++)
        free(doubles[i]);
    struct tensor *tensors[] = {in_a, in_b, in_bias, in_residual, call.c};
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++)
        tensor_free(tensors[i]);
    free(got);
}

static void check_unit(struct device *dev, const struct matrix_unit *unit, enum precision precision, int tile)
{
    for (int layout = 0; layout < 4; layout++)
        for (int s = 0; s < SHAPES; s++) {
            const struct shape *of = &shapes[s];
            if (check_is_small((size_t)(of->m * of->k + of->k * of->n + of->m * of->n)))
                check_product(dev, &(struct check){unit, precision, *of, layout, tile, (s + layout) % 2});
        }
}

/* Every layout of fragments; what is the same code for all (the other precision, the other tile) with the first unit,
 * since a build takes seconds. */
static void units_multiply_right(struct device *dev)
{
    if (device_info(dev)->local_bytes >= LARGE_TILE_BYTES)
        check_unit(dev, matrix_units, PRECISION_FP16, matrix_units->tile);
    for (const struct matrix_unit *unit = matrix_units; unit->name; unit++)
        check_unit(dev, unit, unit->bf16 ? PRECISION_BF16 : PRECISION_FP16, unit->small_tile);
}

int main(void)
{
    for_each_device(units_multiply_right);
    return 0;
}
