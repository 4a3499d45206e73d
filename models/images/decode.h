/* Pictures from files: JPEG, PNG, GIF, BMP, WebP, PNM and TGA become 8-bit RGB. Of an animation, the first frame.
 *
 *     struct picture picture;
 *     if (picture_decode(&picture, "photo.jpg", &err) != 0)
 *         return -1;
 *     ... picture.pixels // [picture.height, picture.width, 3]
 *     picture_free(&picture);
 *
 * The pixels are those of Pillow's Image.open(path).convert("RGB"): alpha is dropped, not blended; palettes are
 * looked up; CMYK is taken as Adobe writes it (inverted); grey of 16 bits is clipped at 255, colour of 16 bits keeps
 * its high byte; an EXIF orientation is told, not applied.
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
    int orientation; /* EXIF's, 1 to 8; 1 (upright) where the file says nothing. picture_upright applies it */
};

/* How files of pictures are named, for file_list; what they are is told by content. */
extern const char picture_extensions[];

/* `name`: a path, or a member of an archive (picture_bytes.h). On failure (EXIT_BAD_DATA, text starts with the name)
 * the picture is empty and needs no picture_free. */
int picture_decode(struct picture *picture, const char *name, struct error *err) MUST_CHECK;

/* The same for a file already in memory; `name` is only for messages. */
int picture_decode_memory(struct picture *picture, const unsigned char *bytes, size_t size, const char *name,
                          struct error *err) MUST_CHECK;

void picture_free(struct picture *picture);

#endif
