/* JPEG by TurboJPEG, whose inverse transform and upsampling are Pillow's. */
#include "models/images/decoders.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <turbojpeg.h>

/* True if the last scan is followed by an end-of-image marker. Entropy-coded data never holds either marker. */
static bool has_end(const unsigned char *bytes, size_t size)
{
    for (size_t at = size; at >= 2; at--)
        if (bytes[at - 2] == 0xFF && (bytes[at - 1] == 0xD9 || bytes[at - 1] == 0xDA))
            return bytes[at - 1] == 0xD9;
    return false;
}

/* Many photos of the wild draw a warning that every viewer, Pillow too, decodes past. TurboJPEG reports them like
 * errors and keeps only the first warning's text, so a cut file could hide behind one: hence the look at the end. */
static bool warning_is_harmless(const char *warning, const unsigned char *bytes, size_t size)
{
    static const char *const harmless[] = {"Corrupt JPEG data", "Invalid SOS parameters", "Inconsistent progression",
                                           "Warning: unknown JFIF", "Unknown Adobe color"};
    for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++)
        if (strncmp(warning, harmless[i], strlen(harmless[i])) == 0)
            return has_end(bytes, size);
    return false;
}

/* a * b / 255, rounded; exact for bytes. */
static int multiply_bytes(int a, int b)
{
    int product = a * b + 128;
    return (product + (product >> 8)) >> 8;
}

/* Adobe stores 255 minus the ink. Works in place: a pixel's three bytes never pass its four. */
static void rgb_from_inverted_cmyk(unsigned char *pixels /* [count, 4] to [count, 3] */, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        unsigned char cmyk[4];
        memcpy(cmyk, pixels + 4 * i, 4);
        for (int channel = 0; channel < 3; channel++)
            pixels[3 * i + channel] = (unsigned char)(cmyk[3] - multiply_bytes(255 - cmyk[channel], cmyk[3]));
    }
}

static int decode_with(tjhandle decoder, struct picture *picture, const unsigned char *bytes, size_t size,
                       const char *name, struct error *err)
{
    /* An unusual chroma sampling makes this fail after it has told the size, and decodes well all the same. */
    int width = 0, height = 0, sampling, space = -1;
    if (tjDecompressHeader3(decoder, bytes, size, &width, &height, &sampling, &space) != 0 &&
        (width <= 0 || height <= 0))
        return error_set(err, EXIT_BAD_DATA, "%s: broken JPEG: %s", name, tjGetErrorStr2(decoder));
    if (picture_new(picture, width, height, name, err) != 0)
        return -1;

    bool cmyk = space == TJCS_CMYK || space == TJCS_YCCK;
    size_t count = (size_t)width * (size_t)height;
    if (cmyk)
        picture->pixels = mem_grow(picture->pixels, count, 4);
    int status = tjDecompress2(decoder, bytes, size, picture->pixels, width, 0, height, cmyk ? TJPF_CMYK : TJPF_RGB,
                               TJFLAG_LIMITSCANS);
    if (status != 0 && !warning_is_harmless(tjGetErrorStr2(decoder), bytes, size))
        return error_set(err, EXIT_BAD_DATA, "%s: broken JPEG: %s", name, tjGetErrorStr2(decoder));
    if (cmyk)
        rgb_from_inverted_cmyk(picture->pixels, count);
    return 0;
}

int jpeg_decode(struct picture *picture, const unsigned char *bytes, size_t size, const char *name, struct error *err)
{
    tjhandle decoder = tjInitDecompress();
    if (!decoder)
        return error_set(err, EXIT_NO_MEMORY, "%s: cannot start the JPEG decoder: %s", name, tjGetErrorStr2(NULL));
    int result = decode_with(decoder, picture, bytes, size, name, err);
    tjDestroy(decoder);
    return result;
}
