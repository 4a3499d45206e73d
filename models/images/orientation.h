/* How a camera was held: the orientation that EXIF keeps in JPEG, PNG and WebP files.
 *
 *     if (picture_decode(&picture, "photo.jpg", &err) != 0) ...    // has called orientation_find
 *     picture_upright(&picture);                                   // as Pillow's ImageOps.exif_transpose
 *
 * "Exchangeable image file format for digital still cameras: Exif version 2.32", tag 0x0112.
 */
#ifndef OCLIP_ORIENTATION_H
#define OCLIP_ORIENTATION_H

#include "models/images/decode.h"

/* 1 to 8; 1 if the file, of whatever kind, says nothing that makes sense. */
int orientation_find(const unsigned char *bytes, size_t size);

/* Turns and mirrors the pixels in place, so that what was up is up; the orientation is then 1. */
void picture_upright(struct picture *picture);

#endif
