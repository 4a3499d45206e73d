/* A picture with what is worth keeping of its file: a hash of the content, its look, the size, when it was taken.
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
    uint64_t look;     /* picture_look; 0 where the file is no picture */
    struct exif exif;
};

/* As picture_decode. The facts are filled as far as they were found out when it fails. */
int facts_decode(struct picture_facts *facts, struct picture *picture, const char *path, struct error *err) MUST_CHECK;

/* A difference hash: bit i tells whether the grey of cell i is brighter than that of the cell to its right, in a grid
 * of 9 x 8. Copies of other sizes and qualities differ in a few of the 64 bits, other pictures in about half of them
 * (N. Krawetz, "Kind of like that", 2013). */
uint64_t picture_look(const struct picture *picture);

/* The hash that facts_decode finds; false where the file cannot be read. */
bool facts_hash(struct hash *hash, const char *path);

#endif
