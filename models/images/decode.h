/* Pictures from files: JPEG, PNG, BMP, GIF (first frame), TGA, PNM and PSD become 8-bit RGB.
 *
 *     struct picture picture;
 *     if (picture_decode(&picture, "photo.jpg", &err) != 0)
 *         return -1;
 *     ... picture.pixels // [picture.height, picture.width, 3]
 *     picture_free(&picture);
 *
 * The pixels are those of Pillow's Image.open(path).convert("RGB"): alpha is dropped, not blended; palettes are
 * looked up; CMYK is taken as Adobe writes it (inverted); an EXIF orientation is not applied. Two exceptions:
 * 16-bit grey keeps its high byte (Pillow clips at 255), and a GIF's transparent pixels show its background.
 *
 * Files are not trusted: the kind is told by content, never by name; the size is checked before anything is
 * decoded; a file that ends too early is an error, never a half-grey picture.
 */
#ifndef OCLIP_DECODE_H
#define OCLIP_DECODE_H

#include "runtime/util/error.h"

struct picture {
    unsigned char *pixels; // [height, width, 3]
    int width, height;
};

/* On failure (EXIT_BAD_DATA, text starts with the path) the picture is empty and needs no picture_free. */
int picture_decode(struct picture *picture, const char *path, struct error *err) MUST_CHECK;

/* The same for a file already in memory; `name` is only for messages. */
int picture_decode_memory(struct picture *picture, const unsigned char *bytes, size_t size, const char *name,
                          struct error *err) MUST_CHECK;

void picture_free(struct picture *picture);

#endif
