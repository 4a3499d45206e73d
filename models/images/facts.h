/* A picture with what is worth keeping of its file: a hash of the content, the size, when it was taken.
 *
 *     struct picture_facts facts;
 *     struct picture picture;
 *     if (facts_decode(&facts, &picture, "photo.jpg", &err) != 0) ...     // facts.is_read: the file could be opened
 *     printf("%d x %d, %s\n", facts.width, facts.height, facts.taken);
 *     picture_free(&picture);
 */
#ifndef OCLIP_FACTS_H
#define OCLIP_FACTS_H

#include "models/images/decode.h"
#include "models/images/exif.h"
#include "runtime/util/hash.h"

#include <stdbool.h>

struct picture_facts {
    bool is_read;      /* the hash is there */
    struct hash hash;  /* of the file's bytes, whatever they are */
    int width, height; /* of the pixels as they are stored; 0 where the file is no picture */
    struct exif exif;
};

/* As picture_decode. The facts are filled as far as they were found out when it fails. */
int facts_decode(struct picture_facts *facts, struct picture *picture, const char *path, struct error *err) MUST_CHECK;

/* The hash that facts_decode finds; false where the file cannot be read. */
bool facts_hash(struct hash *hash, const char *path);

#endif
