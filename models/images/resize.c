#include "models/images/resize.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

static const double pi = 3.14159265358979323846;

static double bilinear(double x)
{
    x = fabs(x);
    return x < 1.0 ? 1.0 - x : 0.0;
}

static double bicubic(double x)
{
    const double a = -0.5;
    x = fabs(x);
    if (x < 1.0)
        return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
    if (x < 2.0)
        return (((x - 5) * x + 8) * x - 4) * a;
    return 0.0;
}

/* Half open: a source pixel on the edge between two belongs to one. */
static double box(double x)
{
    return x > -0.5 && x <= 0.5 ? 1.0 : 0.0;
}

static double sinc(double x)
{
    return x == 0.0 ? 1.0 : sin(x * pi) / (x * pi);
}

static double hamming(double x)
{
    return fabs(x) < 1.0 ? sinc(x) * ((double)0.54f + (double)0.46f * cos(x * pi)) : 0.0;
}

static double lanczos(double x)
{
    return x >= -3.0 && x < 3.0 ? sinc(x) * sinc(x / 3) : 0.0;
}

const struct resize_filter resize_filters[RESIZE_FILTERS] = {
    [RESIZE_BILINEAR] = {"bilinear", 2, 1.0, bilinear},
    [RESIZE_BICUBIC] = {"bicubic", 3, 2.0, bicubic},
    [RESIZE_BOX] = {"box", 4, 0.5, box},
    [RESIZE_HAMMING] = {"hamming", 5, 1.0, hamming},
    [RESIZE_LANCZOS] = {"lanczos", 1, 3.0, lanczos},
};

/* 8 bits of pixel, 22 of weight and 2 to spare: a sum of products stays within an int. */
enum { WEIGHT_BITS = 22, ROUNDING = 1 << (WEIGHT_BITS - 1) };

static unsigned char clip8(int sum)
{
    sum >>= WEIGHT_BITS;
    return (unsigned char)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

/* Which source pixels, with which weights, make each of `count` pixels along one axis. */
struct taps {
    int count, capacity;
    int *first;   // [count] source pixel of the first weight
    int *length;  // [count]
    int *weights; // [count, capacity] fixed point
};

/* Zero weights at either end would only cost time; an axis that keeps its size has one weight a pixel left. */
static void trim_zeros(int *first, int *length, int *weights)
{
    int zeros = 0;
    while (*length > 1 && weights[*length - 1] == 0)
        --*length;
    while (zeros < *length - 1 && weights[zeros] == 0)
        zeros++;
    *first += zeros;
    *length -= zeros;
    for (int i = 0; i < *length; i++)
        weights[i] = weights[i + zeros];
}

/* The taps of output pixels from, from + 1, ... when `in_size` source pixels become `out_size`. */
static struct taps taps_new(int in_size, int out_size, int from, int count, const struct resize_filter *filter)
{
    double scale = (double)in_size / out_size;
    double stretch = scale < 1.0 ? 1.0 : scale;
    double support = filter->support * stretch, shrink = 1.0 / stretch;
    int capacity = (int)ceil(support) * 2 + 1;
    struct taps taps = {.count = count,
                        .capacity = capacity,
                        .first = mem_new((size_t)count, sizeof(int)),
                        .length = mem_new((size_t)count, sizeof(int)),
                        .weights = mem_new((size_t)count * (size_t)capacity, sizeof(int))};
    double *exact = mem_new((size_t)capacity, sizeof *exact);

    for (int i = 0; i < count; i++) {
        double centre = (from + i + 0.5) * scale;
        int low = (int)(centre - support + 0.5), high = (int)(centre + support + 0.5);
        low = low < 0 ? 0 : low;
        high = high > in_size ? in_size : high;

        double sum = 0.0;
        for (int x = low; x < high; x++)
            sum += exact[x - low] = filter->kernel((x - centre + 0.5) * shrink);
        int *weights = taps.weights + (size_t)i * (size_t)capacity;
        for (int k = 0; k < high - low; k++) {
            double weight = exact[k] / sum * (1 << WEIGHT_BITS);
            weights[k] = (int)(weight < 0 ? weight - 0.5 : weight + 0.5);
        }
        taps.first[i] = low;
        taps.length[i] = high - low;
        trim_zeros(&taps.first[i], &taps.length[i], weights);
    }
    free(exact);
    return taps;
}

static void taps_free(struct taps *taps)
{
    free(taps->first);
    free(taps->length);
    free(taps->weights);
}

static void resize_row(unsigned char *out,      // [taps.count, 3]
                       const unsigned char *in, // [source width, 3]
                       const struct taps *taps)
{
    for (int x = 0; x < taps->count; x++) {
        const unsigned char *pixel = in + 3 * (size_t)taps->first[x];
        const int *weights = taps->weights + (size_t)x * (size_t)taps->capacity;
        int red = ROUNDING, green = ROUNDING, blue = ROUNDING;
        for (int k = 0; k < taps->length[x]; k++, pixel += 3) {
            red += weights[k] * pixel[0];
            green += weights[k] * pixel[1];
            blue += weights[k] * pixel[2];
        }
        out[3 * x + 0] = clip8(red);
        out[3 * x + 1] = clip8(green);
        out[3 * x + 2] = clip8(blue);
    }
}

/* One row of output is the weighted sum of `length` rows of input, which start `stride` bytes after one another. */
static void blend_rows(unsigned char *restrict out,      // [bytes]
                       int *restrict sums,               // [bytes] scratch
                       const unsigned char *restrict in, // [length, stride]
                       const int *weights,               // [length]
                       int length, int bytes, size_t stride)
{
    for (int i = 0; i < bytes; i++)
        sums[i] = ROUNDING;
    for (int k = 0; k < length; k++)
        for (int i = 0; i < bytes; i++)
            sums[i] += weights[k] * in[(size_t)k * stride + (size_t)i];
    for (int i = 0; i < bytes; i++)
        out[i] = clip8(sums[i]);
}

/* Rows of a picture, or of a part of it: the source, what lies between the two passes, the output. */
struct rows {
    unsigned char *bytes; // [rows, stride]
    size_t stride;
};

static void resize_across(struct rows out, struct rows in, int count, const struct taps *across)
{
    for (int y = 0; y < count; y++)
        resize_row(out.bytes + (size_t)y * out.stride, in.bytes + (size_t)y * in.stride, across);
}

static void resize_down(struct rows out, struct rows in, int bytes, const struct taps *down)
{
    int *sums = mem_new((size_t)bytes, sizeof *sums);
    for (int y = 0; y < down->count; y++)
        blend_rows(out.bytes + (size_t)y * out.stride, sums, in.bytes + (size_t)down->first[y] * in.stride,
                   down->weights + (size_t)y * (size_t)down->capacity, down->length[y], bytes, in.stride);
    free(sums);
}

/* The source pixels that the taps need are *first, *first + 1, ...; the taps count from there afterwards. Returns how
 * many. As zeros are trimmed, it need not be the first tap that begins first, nor the last that ends last. */
static int taps_rebase(struct taps *taps, int *first)
{
    int end = 0;
    *first = taps->first[0];
    for (int i = 0; i < taps->count; i++) {
        *first = taps->first[i] < *first ? taps->first[i] : *first;
        end = taps->first[i] + taps->length[i] > end ? taps->first[i] + taps->length[i] : end;
    }
    for (int i = 0; i < taps->count; i++)
        taps->first[i] -= *first;
    return end - *first;
}

/* Pillow 13 begins with the height where it shrinks by far more pixels than the width. (Older ones never did.) */
static bool down_first(const struct picture *in, int width, int height)
{
    return height < in->height && in->height - height > 2LL * (in->width - width);
}

void picture_resize_window(unsigned char *out, const struct picture *in, int width, int height,
                           struct resize_window window, size_t stride, const struct resize_filter *filter)
{
    CHECK(window.left >= 0 && window.top >= 0 && window.width > 0 && window.height > 0 &&
              window.width <= width - window.left && window.height <= height - window.top,
          "window %d x %d at %d, %d leaves the picture of %d x %d", window.width, window.height, window.left,
          window.top, width, height);
    struct taps across = taps_new(in->width, width, window.left, window.width, filter);
    struct taps down = taps_new(in->height, height, window.top, window.height, filter);
    int left, top, columns = taps_rebase(&across, &left), rows = taps_rebase(&down, &top);

    size_t in_stride = 3 * (size_t)in->width;
    struct rows source = {in->pixels + (size_t)top * in_stride + 3 * (size_t)left, in_stride}, result = {out, stride};
    bool tall = down_first(in, width, height);
    struct rows between = {.stride = 3 * (size_t)(tall ? columns : window.width)};
    between.bytes = mem_new((size_t)(tall ? window.height : rows), between.stride);
    if (tall) {
        resize_down(between, source, 3 * columns, &down);
        resize_across(result, between, window.height, &across);
    } else {
        resize_across(between, source, rows, &across);
        resize_down(result, between, 3 * window.width, &down);
    }
    free(between.bytes);
    taps_free(&down);
    taps_free(&across);
}

void picture_resize(struct picture *out, const struct picture *in, int width, int height,
                    const struct resize_filter *filter)
{
    size_t stride = 3 * (size_t)width;
    *out = (struct picture){
        .pixels = mem_new((size_t)height, stride), .width = width, .height = height, .orientation = in->orientation};
    struct resize_window whole = {.width = width, .height = height};
    picture_resize_window(out->pixels, in, width, height, whole, stride, filter);
}
