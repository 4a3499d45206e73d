/* Changes of colour, as Pillow's ImageEnhance and torchvision's adjust_* make them, in place.
 *
 *     colour_change(pixels, count, COLOUR_CONTRAST, 0.8);      // 1: unchanged
 *     colour_change(pixels, count, COLOUR_HUE, -0.1);          // 0: unchanged
 *     colour_grey(pixels, count);
 *
 * Brightness, contrast and saturation blend with black, the mean grey and the grey picture (Haeberli, Voorhies,
 * "Image processing by linear interpolation and extrapolation", 1994). Hue turns by factor of a circle, in 256 steps.
 */
#ifndef OCLIP_COLOUR_H
#define OCLIP_COLOUR_H

#include <stddef.h>

enum colour { COLOUR_BRIGHTNESS, COLOUR_CONTRAST, COLOUR_SATURATION, COLOUR_HUE, COLOURS };

void colour_change(unsigned char *pixels, // [count, 3] RGB
                   size_t count, enum colour colour, double factor);
void colour_grey(unsigned char *pixels, // [count, 3]
                 size_t count);

#endif
