/* What cameras write beside the pixels of JPEG, PNG and WebP files: how they were held, and when.
 *
 *     struct exif exif = exif_find(map.data, map.size);
 *     puts(exif.taken);                             // "2024-05-31 18:30:00", or ""
 *
 * "Exchangeable image file format for digital still cameras: Exif version 2.32"; tags Orientation (0x0112),
 * DateTimeOriginal (0x9003), DateTimeDigitized (0x9004) and DateTime (0x0132), the first of the three that makes sense.
 */
#ifndef OCLIP_EXIF_H
#define OCLIP_EXIF_H

#include <stddef.h>

enum { EXIF_DATE = 20 }; /* bytes of a date, its zero included */

struct exif {
    int orientation;       /* 1 to 8; 1 if the file, of whatever kind, says nothing that makes sense */
    char taken[EXIF_DATE]; /* by the camera's own clock, so that dates compare as texts do */
};

struct exif exif_find(const unsigned char *bytes, size_t size);

#endif
