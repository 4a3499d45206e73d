/* Turning a picture as the camera was held.
 *
 *     if (picture_decode(&picture, "photo.jpg", &err) != 0) ...    // has read EXIF's orientation (exif.h)
 *     picture_upright(&picture);                                   // as Pillow's ImageOps.exif_transpose
 */
#ifndef OCLIP_ORIENTATION_H
#define OCLIP_ORIENTATION_H

#include "models/images/decode.h"

/* Turns and mirrors the pixels in place, so that what was up is up; the orientation is then 1. */
void picture_upright(struct picture *picture);

#endif
