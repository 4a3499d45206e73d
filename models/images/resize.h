/* Resampling as Pillow does it, to the bit: its kernels (bicubic has a = -0.5), widened when shrinking (antialiasing).
 *
 *     struct picture small;
 *     picture_resize(&small, &photo, 224, 298, &resize_filters[RESIZE_BICUBIC]);
 *     picture_free(&small);
 *
 * Horizontal, then vertical, or for tall pictures the other way; weights in 22-bit fixed point; 8 bits between the
 * passes (Pillow 13, libImaging/Resample.c).
 * Cubic kernel: R. Keys, "Cubic convolution interpolation for digital image processing", 1981.
 */
#ifndef OCLIP_RESIZE_H
#define OCLIP_RESIZE_H

#include "models/images/decode.h"

struct resize_filter {
    const char *name;
    int pillow_code; /* PIL.Image.Resampling, as "resample" of a preprocessor_config.json */
    double support;  /* the kernel is zero from here on, in source pixels at scale 1 */
    double (*kernel)(double x);
};

enum { RESIZE_BILINEAR, RESIZE_BICUBIC, RESIZE_BOX, RESIZE_HAMMING, RESIZE_LANCZOS, RESIZE_FILTERS };
extern const struct resize_filter resize_filters[RESIZE_FILTERS];

/* `out` becomes width x height pixels, of the same orientation; caller frees it. */
void picture_resize(struct picture *out, const struct picture *in, int width, int height,
                    const struct resize_filter *filter);

/* The part of a resized picture that is wanted, in its pixels. */
struct resize_window {
    int left, top, width, height;
};

/* Computes only `window` of the picture resized to width x height, at the cost of the window alone.
 * A row of `out` starts `stride` bytes after the one above. */
void picture_resize_window(unsigned char *out, // [window.height, stride], 3 * window.width bytes of each row written
                           const struct picture *in, int width, int height, struct resize_window window, size_t stride,
                           const struct resize_filter *filter);

#endif
