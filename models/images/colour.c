#include "models/images/colour.h"

#include <math.h>

/* ITU-R 601-2 luma in 16-bit fixed point, rounded. */
static unsigned char luma(const unsigned char *pixel)
{
    return (unsigned char)((19595u * pixel[0] + 38470u * pixel[1] + 7471u * pixel[2] + 0x8000u) >> 16);
}

static unsigned char clip8(float x)
{
    return (unsigned char)(x <= 0 ? 0 : x >= 255 ? 255 : x);
}

/* From `from` (factor 0) through `to` (factor 1) and beyond; fractions are cut off. */
static unsigned char blend(unsigned char from, unsigned char to, float factor)
{
    return clip8((float)from + factor * (float)(to - from));
}

static void change_brightness(unsigned char *pixels, size_t count, double factor)
{
    for (size_t i = 0; i < 3 * count; i++)
        pixels[i] = blend(0, pixels[i], (float)factor);
}

static void change_contrast(unsigned char *pixels, size_t count, double factor)
{
    unsigned long long sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += luma(pixels + 3 * i);
    unsigned char mean = (unsigned char)((double)sum / (double)count + 0.5);
    for (size_t i = 0; i < 3 * count; i++)
        pixels[i] = blend(mean, pixels[i], (float)factor);
}

static void change_saturation(unsigned char *pixels, size_t count, double factor)
{
    for (size_t i = 0; i < count; i++) {
        unsigned char *pixel = pixels + 3 * i, grey = luma(pixel);
        for (int c = 0; c < 3; c++)
            pixel[c] = blend(grey, pixel[c], (float)factor);
    }
}

/* A colour by its place on the circle (0 to 255), saturation and brightest channel. To and from it Pillow's mixture of
 * float and double is kept: the last bit decides between two hues. */
struct hsv {
    unsigned char hue, saturation, value;
};

static struct hsv to_hsv(const unsigned char *pixel)
{
    int red = pixel[0], green = pixel[1], blue = pixel[2];
    int most = red > green ? red : green, least = red < green ? red : green;
    most = blue > most ? blue : most;
    least = blue < least ? blue : least;
    if (most == least)
        return (struct hsv){.value = (unsigned char)most};
    float range = (float)(most - least), sixths;
    float less_red = (float)(most - red) / range, less_green = (float)(most - green) / range,
          less_blue = (float)(most - blue) / range;
    if (red == most)
        sixths = less_blue - less_green;
    else if (green == most)
        sixths = (float)(2.0 + (double)less_red - (double)less_blue);
    else
        sixths = (float)(4.0 + (double)less_green - (double)less_red);
    float turn = (float)fmod((double)sixths / 6.0 + 1.0, 1.0);
    return (struct hsv){(unsigned char)((double)turn * 255.0), (unsigned char)((double)(range / (float)most) * 255.0),
                        (unsigned char)most};
}

static void from_hsv(unsigned char *pixel, struct hsv colour)
{
    double value = colour.value, sixths = colour.hue * 6.0 / 255.0;
    float saturation = (float)(colour.saturation / 255.0);
    int sector = (int)sixths;
    float rest = (float)(sixths - sector), falling = saturation * rest;
    unsigned char levels[4] = {
        colour.value,
        (unsigned char)round(value * (1.0 - (double)saturation)),
        (unsigned char)round(value * (1.0 - (double)falling)),
        (unsigned char)round(value * (1.0 - (double)saturation * (1.0 - (double)rest))),
    };
    enum { FULL, LOW, FALLING, RISING };
    static const unsigned char sectors[6][3] = {{FULL, RISING, LOW},  {FALLING, FULL, LOW}, {LOW, FULL, RISING},
                                                {LOW, FALLING, FULL}, {RISING, LOW, FULL},  {FULL, LOW, FALLING}};
    for (int c = 0; c < 3; c++)
        pixel[c] = levels[sectors[sector % 6][c]];
}

static void change_hue(unsigned char *pixels, size_t count, double factor)
{
    for (size_t i = 0; i < count; i++) {
        struct hsv colour = to_hsv(pixels + 3 * i);
        colour.hue = (unsigned char)(colour.hue + (int)(factor * 255));
        from_hsv(pixels + 3 * i, colour);
    }
}

void colour_change(unsigned char *pixels, size_t count, enum colour colour, double factor)
{
    static void (*const changes[COLOURS])(unsigned char *, size_t, double) = {
        [COLOUR_BRIGHTNESS] = change_brightness,
        [COLOUR_CONTRAST] = change_contrast,
        [COLOUR_SATURATION] = change_saturation,
        [COLOUR_HUE] = change_hue,
    };
    changes[colour](pixels, count, factor);
}

void colour_grey(unsigned char *pixels, size_t count)
{
    change_saturation(pixels, count, 0);
}
