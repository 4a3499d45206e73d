#include "models/images/resize.h"

#include <math.h>
#include <stdlib.h>

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

const struct resize_filter resize_filters[RESIZE_FILTERS] = {
    [RESIZE_BILINEAR] = {"bilinear", 2, 1.0, bilinear},
    [RESIZE_BICUBIC] = {"bicubic", 3, 2.0, bicubic},
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

/* One row of output is the weighted sum of `length` rows of input. */
static void blend_rows(unsigned char *restrict out,      // [bytes]
                       int *restrict sums,               // [bytes] scratch
                       const unsigned char *restrict in, // [length, bytes]
                       const int *weights,               // [length]
                       int length, int bytes)
{
    for (int i = 0; i < bytes; i++)
        sums[i] = ROUNDING;
    for (int k = 0; k < length; k++)
        for (int i = 0; i < bytes; i++)
            sums[i] += weights[k] * in[(size_t)k * (size_t)bytes + (size_t)i];
    for (int i = 0; i < bytes; i++)
        out[i] = clip8(sums[i]);
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

    /* The source rows that the window needs, already at their final width. */
    int last = window.height - 1, top = down.first[0], rows = down.first[last] + down.length[last] - top;
    size_t bytes = 3 * (size_t)window.width;
    unsigned char *narrow = mem_new((size_t)rows * bytes, 1); // [rows, window.width, 3]
    for (int y = 0; y < rows; y++)
        resize_row(narrow + (size_t)y * bytes, in->pixels + 3 * (size_t)(top + y) * (size_t)in->width, &across);

    int *sums = mem_new(bytes, sizeof *sums);
    for (int y = 0; y < window.height; y++)
        blend_rows(out + (size_t)y * stride, sums, narrow + (size_t)(down.first[y] - top) * bytes,
                   down.weights + (size_t)y * (size_t)down.capacity, down.length[y], (int)bytes);

    free(sums);
    free(narrow);
    taps_free(&down);
    taps_free(&across);
}

void picture_resize(struct picture *out, const struct picture *in, int width, int height,
                    const struct resize_filter *filter)
{
    size_t stride = 3 * (size_t)width;
    *out = (struct picture){.pixels = mem_new((size_t)height, stride), .width = width, .height = height};
    struct resize_window whole = {.width = width, .height = height};
    picture_resize_window(out->pixels, in, width, height, whole, stride, filter);
}
