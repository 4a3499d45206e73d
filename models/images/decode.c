#include "models/images/decode.h"

#include "models/images/decoders.h"
#include "models/images/exif.h"
#include "models/images/picture_bytes.h"

#include <stdlib.h>
#include <string.h>

enum {
    PIXELS_MAX = 200 * 1000 * 1000,
    FILE_MAX = 1 << 30,
};

#ifdef OCLIP_WEBP
#define WEBP_DECODER webp_decode
#else
#define WEBP_DECODER NULL
#endif

const char picture_extensions[] = ".jpg .jpeg .jfif .png .webp .gif .bmp .tga .pbm .pgm .ppm .pnm";

/* Told apart by the first bytes; a dot in the magic stands for any byte. Without a decoder a kind is only named. */
static const struct kind {
    const char *name, *magic;
    size_t length;
    picture_decoder *decode;
} kinds[] = {
    {"JPEG", "\xFF\xD8", 2, jpeg_decode},
    {"PNG", "\x89PNG\r\n\x1A\n", 8, png_decode},
    {"GIF", "GIF87a", 6, gif_decode},
    {"GIF", "GIF89a", 6, gif_decode},
    {"BMP", "BM", 2, bmp_decode},
    {"WebP", "RIFF....WEBP", 12, WEBP_DECODER},
    {"PBM", "P1", 2, pnm_decode},
    {"PGM", "P2", 2, pnm_decode},
    {"PPM", "P3", 2, pnm_decode},
    {"PBM", "P4", 2, pnm_decode},
    {"PGM", "P5", 2, pnm_decode},
    {"PPM", "P6", 2, pnm_decode},
    {"TIFF", "II*\0", 4, NULL},
    {"TIFF", "MM\0*", 4, NULL},
    {"Photoshop", "8BPS", 4, NULL},
    {"AVIF", "....ftypavif", 12, NULL},
    {"HEIC", "....ftypheic", 12, NULL},
    {"HEIC", "....ftypmif1", 12, NULL},
    {"JPEG 2000", "\0\0\0\x0CjP  ", 8, NULL},
    {"JPEG XL", "\0\0\0\x0CJXL ", 8, NULL},
    {"JPEG XL", "\xFF\x0A", 2, NULL},
    {"SVG", "<svg", 4, NULL},
    {"PDF", "%PDF", 4, NULL},
    {"TGA", "", 0, tga_decode}, /* has no magic, and so comes last */
};

static const struct kind *find_kind(const unsigned char *bytes, size_t size)
{
    for (const struct kind *kind = kinds;; kind++) {
        size_t same = 0;
        while (same < kind->length && same < size &&
               (kind->magic[same] == '.' || bytes[same] == (unsigned char)kind->magic[same]))
            same++;
        if (same == kind->length)
            return kind;
    }
}

int picture_new(struct picture *picture, long long width, long long height, const char *name, struct error *err)
{
    if (width <= 0 || height <= 0)
        return error_set(err, EXIT_BAD_DATA, "%s: the picture has no pixels (%lld x %lld)", name, width, height);
    if (width > PIXELS_MAX || height > PIXELS_MAX || width * height > PIXELS_MAX)
        return error_set(err, EXIT_BAD_DATA,
                         "%s: %lld x %lld is more than the %d pixels a picture may have; scale it down", name, width,
                         height, PIXELS_MAX);
    *picture = (struct picture){.pixels = mem_new((size_t)width * (size_t)height, 3),
                                .width = (int)width,
                                .height = (int)height,
                                .orientation = 1};
    return 0;
}

int picture_cut(const char *name, struct error *err)
{
    return error_set(err, EXIT_BAD_DATA, "%s: broken picture: the file ends too early", name);
}

int picture_decode_memory(struct picture *picture, const unsigned char *bytes, size_t size, const char *name,
                          struct error *err)
{
    *picture = (struct picture){0};
    if (size == 0)
        return error_set(err, EXIT_BAD_DATA, "%s: the file is empty", name);
    if (size > FILE_MAX)
        return error_set(err, EXIT_BAD_DATA, "%s: %zu bytes is more than the %d a picture's file may have", name, size,
                         FILE_MAX);
    const struct kind *kind = find_kind(bytes, size);
    if (!kind->decode)
        return error_set(err, EXIT_BAD_DATA,
                         "%s: a %s file, which this build of oclip does not read; convert it to PNG", name, kind->name);
    if (kind->decode(picture, bytes, size, name, err) != 0) {
        picture_free(picture);
        return -1;
    }
    picture->orientation = exif_find(bytes, size).orientation;
    return 0;
}

int picture_decode(struct picture *picture, const char *name, struct error *err)
{
    *picture = (struct picture){0};
    struct picture_bytes bytes;
    if (picture_bytes_open(&bytes, name, err) != 0)
        return -1;
    int result = picture_decode_memory(picture, bytes.data, bytes.size, name, err);
    picture_bytes_close(&bytes);
    return result;
}

void picture_free(struct picture *picture)
{
    free(picture->pixels);
    *picture = (struct picture){0};
}
