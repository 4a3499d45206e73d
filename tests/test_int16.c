/* Products of 16-bit integers (cl/gemm_int16.cl) against plain loops in double: no further off than the rounding of
 * both sides explains, whatever the sizes and however the numbers lie. Devices without them have nothing to test. */
#include "runtime/gemm/gemm.h"
#include "tests/op_check.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { BLOCK = 384 }; /* numbers that have a scale */

static float any(uint64_t *random, int i)
{
    (void)i;
    return (float)check_normal(random);
}
/* All sums of products are as large as they can be. */
static float alike(uint64_t *random, int i)
{
    (void)random;
    (void)i;
    return -3;
}
static float with_outliers(uint64_t *random, int i)
{
    return (float)check_normal(random) * (i % 97 == 5 ? 1000 : 1);
}
static float of_many_sizes(uint64_t *random, int i)
{
    return (float)check_normal(random) * powf(10, (float)(i / 64 % 25 - 12));
}
static float mostly_zeros(uint64_t *random, int i)
{
    return i / 50 % 3 ? 0 : (float)check_normal(random);
}

static const struct kind {
    const char *name;
    float (*number)(uint64_t *random, int i);
} kinds[] = {{"any numbers", any},
             {"equal numbers", alike},
             {"outliers", with_outliers},
             {"all sizes", of_many_sizes},
             {"zeros", mostly_zeros}};
enum { KINDS = sizeof kinds / sizeof *kinds };

static const struct shape {
    int m, n, k;
} shapes[] = {{1, 1, 1},    {7, 5, 3},     {13, 17, 383}, {2, 33, 384},
              {65, 3, 385}, {50, 16, 768}, {3, 131, 1031}, {1030, 40, 71}};

static float *fill(struct tensor **tensor, struct device *dev, int rows, int columns, const struct kind *kind,
                   uint64_t *random)
{
    float *numbers = mem_new((size_t)rows * (size_t)columns, sizeof *numbers);
    for (int i = 0; i < rows * columns; i++)
        numbers[i] = kind->number(random, i);
    *tensor = tensor_new(dev, DTYPE_F32, 2, (int[]){rows, columns});
    tensor_upload(*tensor, numbers);
    return numbers;
}

/* The sum of products, and what rounding may change it by: a block that is |a| long is rounded by at most half a unit
 * in each of BLOCK numbers, a unit being |a| / 46340, or the largest number / 32767; and by float32 sums of all blocks.
 */
static double product(double *allowed, const float *a, const float *b, int k)
{
    double sum = 0;
    *allowed = FLT_MIN;
    for (int from = 0; from < k; from += BLOCK) {
        double aa = 0, bb = 0, magnitude = 0;
        for (int p = from; p < k && p < from + BLOCK; p++) {
            sum += (double)a[p] * (double)b[p];
            magnitude += fabs((double)a[p] * (double)b[p]);
            aa += (double)a[p] * (double)a[p];
            bb += (double)b[p] * (double)b[p];
        }
        double rounding = 0.5 * sqrt(BLOCK) / 32700;
        *allowed += (2 * rounding + rounding * rounding) * sqrt(aa * bb) + 1e-6 * magnitude;
    }
    return sum;
}

static void check_product(struct device *dev, const struct shape *shape, const struct kind *kind)
{
    int m = shape->m, n = shape->n, k = shape->k;
    uint64_t random = (uint64_t)(m + n + k);
    struct tensor *in_a, *in_b, *c = tensor_new(dev, DTYPE_F32, 2, (int[]){m, n});
    float *a = fill(&in_a, dev, m, k, kind, &random), *b = fill(&in_b, dev, n, k, kind, &random);
    float *got = mem_new((size_t)m * (size_t)n, sizeof *got);
    in_b->constant = true;
    struct gemm call = {.m = m, .n = n, .k = k, .a = in_a, .b = in_b, .b_transposed = true, .c = c};
    for (int run = 0; run < 2; run++) { /* the second with the weight as it was kept */
        gemm_int16.run(dev, &call, NULL);
        tensor_download(got, c);
        for (int i = 0; i < m; i++)
            for (int j = 0; j < n; j++) {
                double allowed, want = product(&allowed, a + (size_t)i * (size_t)k, b + (size_t)j * (size_t)k, k);
                double off = fabs((double)got[i * n + j] - want);
                CHECK(off <= allowed, "%d x %d x %d, %s: row %d, column %d is %g instead of %g, off by %g of %g", m, n,
                      k, kind->name, i, j, (double)got[i * n + j], want, off, allowed);
            }
    }
    tensor_free(in_a);
    tensor_free(in_b);
    tensor_free(c);
    free(a);
    free(b);
    free(got);
}

/* What is not finite stays in its row. */
static void check_not_finite(struct device *dev)
{
    enum { ROWS = 9, COLUMNS = 20, WIDTH = 200 };
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    uint64_t random = 1;
    struct tensor *in_a, *in_b, *c = tensor_new(dev, DTYPE_F32, 2, (int[]){ROWS, COLUMNS});
    float *a = fill(&in_a, dev, ROWS, WIDTH, &kinds[0], &random), got[ROWS * COLUMNS];
    free(fill(&in_b, dev, COLUMNS, WIDTH, &kinds[0], &random));
    for (int i = 0; i < 3; i++)
        a[(3 * i + 1) * WIDTH + 70 * i] = bad[i];
    tensor_upload(in_a, a);
    in_b->constant = true;
    gemm_int16.run(dev, &(struct gemm){ROWS, COLUMNS, WIDTH, in_a, in_b, .b_transposed = true, .c = c}, NULL);
    tensor_download(got, c);
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < COLUMNS; j++)
            CHECK(!isfinite(got[i * COLUMNS + j]) == (i % 3 == 1), "row %d, column %d is %g", i, j,
                  (double)got[i * COLUMNS + j]);
    tensor_free(in_a);
    tensor_free(in_b);
    tensor_free(c);
    free(a);
}

static void test_products(struct device *dev)
{
    gemm_set_precision(dev, "int16");
    if (device_precision(dev) != PRECISION_INT16) {
        printf("%s: none\n", device_info(dev)->label);
        return;
    }
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int kind = 0; kind < KINDS; kind++)
            check_product(dev, &shapes[i], &kinds[kind]);
    check_not_finite(dev);
    printf("%s: %zu shapes of %d kinds\n", device_info(dev)->label, sizeof shapes / sizeof *shapes, KINDS);
}

int main(void)
{
    for_each_device(test_products);
    return EXIT_OK;
}
