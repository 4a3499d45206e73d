/* A small copy of a picture: its bytes, or a data URI for pages that must stand alone.
 *
 *     struct thumbnail thumbnail;
 *     if (thumbnail_make(&thumbnail, "photo.jpg", 224, &err) != 0) ...
 *     ... thumbnail.type is "image/jpeg", thumbnail.bytes [thumbnail.size] ...
 *     thumbnail_free(&thumbnail);
 *     fputs("<img src=\"", stream);
 *     if (thumbnail_write(stream, "photo.jpg", 224, &err) != 0) ...   // "data:image/jpeg;base64,..."
 *     fputs("\">", stream);
 */
#ifndef OCLIP_THUMBNAIL_H
#define OCLIP_THUMBNAIL_H

#include "runtime/util/error.h"

#include <stdio.h>

struct thumbnail {
    unsigned char *bytes; // [size]
    size_t size;
    const char *type; /* of media; constant */
};

/* `path` may also be a member of an archive (picture_bytes.h). The short side becomes `side` pixels at most. A file
 * that is small anyway is taken as it is. */
int thumbnail_make(struct thumbnail *out, const char *path, int side, struct error *err) MUST_CHECK;
void thumbnail_free(struct thumbnail *thumbnail);

/* Nothing is written when the picture cannot be read. */
int thumbnail_write(FILE *stream, const char *path, int side, struct error *err) MUST_CHECK;

#endif
