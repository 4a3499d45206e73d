/* A small copy of a picture as a data URI, for pages that must stand alone.
 *
 *     fputs("<img src=\"", stream);
 *     if (thumbnail_write(stream, "photo.jpg", 224, &err) != 0) ...   // "data:image/jpeg;base64,..."
 *     fputs("\">", stream);
 */
#ifndef OCLIP_THUMBNAIL_H
#define OCLIP_THUMBNAIL_H

#include "runtime/util/error.h"

#include <stdio.h>

/* The short side becomes `side` pixels at most. A file that is small anyway is embedded as it is. Nothing is written
 * when the picture cannot be read. */
int thumbnail_write(FILE *stream, const char *path, int side, struct error *err) MUST_CHECK;

#endif
