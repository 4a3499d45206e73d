#include "trainer/canonical.h"

#include "runtime/gemm/gemm.h"

#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Next to a variance of 1: features that hardly vary, or vary alike, are not trusted. 0.6 to 1 gave the best recall of
 * photos that were held out, of a thousand. */
static const double RIDGE = 1;
enum { CHUNK = 4096 /* pairs on the device at once */ };

/* sum [n, m] += a' b of a [pairs, n] and b [pairs, m] */
static void add_products(struct tensor *sum, struct tensor *a, struct tensor *b)
{
    gemm(&(struct gemm){.m = sum->dim[0],
                        .n = sum->dim[1],
                        .k = a->dim[0],
                        .a = a,
                        .a_transposed = true,
                        .b = b,
                        .c = sum,
                        .accumulate = true});
}

static struct tensor *zeros(struct device *dev, size_t rows, size_t columns)
{
    return tensor_zeros(dev, DTYPE_F32, 2, (int[]){(int)rows, (int)columns});
}

static struct tensor *gather(struct device *dev, const struct canonical_side *side, size_t first, size_t count)
{
    size_t width = side->features->width;
    float *rows = mem_new(count * width, sizeof *rows); // [count, width]
    for (size_t i = 0; i < count; i++)
        memcpy(rows + i * width, side->features->rows + (size_t)side->rows[first + i] * width, width * sizeof *rows);
    struct tensor *tensor = tensor_new(dev, DTYPE_F32, 2, (int[]){(int)count, (int)width});
    tensor_upload(tensor, rows);
    free(rows);
    return tensor;
}

/* The mean of what was summed over pairs, with `ridge` on its diagonal; frees the sum. */
static double *mean_of(struct tensor *sum, size_t pairs, double ridge)
{
    size_t count = tensor_count(sum), width = (size_t)sum->dim[1];
    float *numbers = mem_new(count, sizeof *numbers);
    double *mean = mem_new(count, sizeof *mean); // as sum
    tensor_download(numbers, sum);
    for (size_t i = 0; i < count; i++)
        mean[i] = (double)numbers[i] / (double)pairs + (i % (width + 1) == 0 ? ridge : 0);
    free(numbers);
    tensor_free(sum);
    return mean;
}

static double *transposed(const double *x, int rows, int columns)
{
    double *y = mem_new((size_t)rows * (size_t)columns, sizeof *y); // [columns, rows]
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < columns; c++)
            y[c * (size_t)rows + (size_t)r] = x[(size_t)r * (size_t)columns + (size_t)c];
    return y;
}

/* x [n, columns] = the inverse of the lower triangle l [n, n], or of its transpose ('T'), times x */
static bool solve(char trans, const double *l, int n, double *x, int columns)
{
    return LAPACKE_dtrtrs(LAPACK_ROW_MAJOR, 'L', trans, 'N', n, columns, l, n, x, columns) == 0;
}

/* weights [outputs, n]: the columns of map [n, ranks], each times its correlation, all times what makes the squares of
 * the outputs add up to their number in the mean. map' (covariance + ridge) map is the identity, so they are known. */
static bool write_weights(float *weights, const double *map, int n, const double *correlation, int ranks, int outputs)
{
    double squares = 0;
    int used = ranks < outputs ? ranks : outputs;
    memset(weights, 0, (size_t)outputs * (size_t)n * sizeof *weights);
    for (int j = 0; j < used; j++) {
        double length = 0;
        for (int i = 0; i < n; i++)
            length += map[(size_t)i * (size_t)ranks + (size_t)j] * map[(size_t)i * (size_t)ranks + (size_t)j];
        squares += correlation[j] * correlation[j] * (1 - RIDGE * length);
    }
    double gain = sqrt(outputs / squares);
    for (int j = 0; j < used; j++)
        for (int i = 0; i < n; i++)
            weights[(size_t)j * (size_t)n + (size_t)i] =
                (float)(gain * correlation[j] * map[(size_t)i * (size_t)ranks + (size_t)j]);
    return isfinite(gain);
}

/* Of covariances with their ridge [n, n] and [m, m], and between the sides [n, m], which are overwritten: with
 * L L' = covariance on each side and L^-1 between L^-T = P S Q', the maps are L^-T P and L^-T Q, and S the
 * correlations. */
static bool find_maps(const struct canonical_side *images, double *of_images, const struct canonical_side *texts,
                      double *of_texts, double *between, int outputs)
{
    int n = (int)images->features->width, m = (int)texts->features->width, ranks = n < m ? n : m;
    double *s = mem_new((size_t)ranks, sizeof *s);                                // [ranks]
    double *image_map, *text_map = mem_new((size_t)m * (size_t)ranks, sizeof *s); // [n, ranks], [m, ranks]
    double *rotated = mem_new((size_t)ranks * (size_t)n, sizeof *s);              // [ranks, n]
    bool found = LAPACKE_dpotrf(LAPACK_ROW_MAJOR, 'L', n, of_images, n) == 0 &&
                 LAPACKE_dpotrf(LAPACK_ROW_MAJOR, 'L', m, of_texts, m) == 0 && solve('N', of_images, n, between, m);
    double *turned = transposed(between, n, m); // [m, n]
    found = found && solve('N', of_texts, m, turned, n) &&
            LAPACKE_dgesdd(LAPACK_ROW_MAJOR, 'S', m, n, turned, n, s, text_map, ranks, rotated, n) == 0;
    image_map = transposed(rotated, ranks, n);
    found = found && solve('T', of_images, n, image_map, ranks) && solve('T', of_texts, m, text_map, ranks) &&
            write_weights(images->weights, image_map, n, s, ranks, outputs) &&
            write_weights(texts->weights, text_map, m, s, ranks, outputs);
    free(turned);
    free(rotated);
    free(image_map);
    free(text_map);
    free(s);
    return found;
}

bool canonical_find(struct device *dev, const struct canonical_side *images, const struct canonical_side *texts,
                    size_t pairs, int outputs)
{
    size_t n = images->features->width, m = texts->features->width;
    struct tensor *of_images = zeros(dev, n, n), *of_texts = zeros(dev, m, m), *between = zeros(dev, n, m);
    for (size_t first = 0; first < pairs; first += CHUNK) {
        size_t count = pairs - first < CHUNK ? pairs - first : CHUNK;
        struct tensor *image = gather(dev, images, first, count), *text = gather(dev, texts, first, count);
        add_products(of_images, image, image);
        add_products(of_texts, text, text);
        add_products(between, image, text);
        tensor_free(image);
        tensor_free(text);
    }
    double *image_covariance = mean_of(of_images, pairs, RIDGE), *text_covariance = mean_of(of_texts, pairs, RIDGE),
           *across = mean_of(between, pairs, 0); // [n, n], [m, m], [n, m]
    bool found = find_maps(images, image_covariance, texts, text_covariance, across, outputs);
    free(image_covariance);
    free(text_covariance);
    free(across);
    return found;
}
