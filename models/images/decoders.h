/* What stands behind decode.h: a decoder a kind of file, and what they share.
 *
 *     int bmp_decode(struct picture *picture, const unsigned char *bytes, size_t size, const char *name, ...)
 *     {
 *         ... read width and height ...
 *         if (picture_new(picture, width, height, name, err) != 0)
 *             return -1;
 *         ... fill picture->pixels, which are zeros ...
 *     }
 *
 * A decoder may fail with the picture half made: decode.c frees it.
 */
#ifndef OCLIP_DECODERS_H
#define OCLIP_DECODERS_H

#include "models/images/decode.h"

/* Refuses a size that is absurd, before anything is allocated. */
int picture_new(struct picture *picture, long long width, long long height, const char *name,
                struct error *err) MUST_CHECK;

/* "NAME: the file ends too early"; returns -1. */
int picture_cut(const char *name, struct error *err);

typedef int picture_decoder(struct picture *picture, const unsigned char *bytes, size_t size, const char *name,
                            struct error *err);

picture_decoder jpeg_decode, png_decode, gif_decode, bmp_decode, pnm_decode, tga_decode;
picture_decoder webp_decode; /* only in a build with libwebp */

#endif
