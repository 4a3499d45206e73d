/* Which photos are near-duplicates: the same picture at another size or quality, or hardly changed.
 *
 *     if (alike(&a, a_row, &b, b_row, dim)) ...
 *
 * Both the difference hashes must be close (the layout of the picture, whatever the model) and the embeddings (its
 * content). Neither is enough: skies of different photos have one hash, photos of one thing one embedding.
 */
#ifndef OCLIP_ALIKE_H
#define OCLIP_ALIKE_H

#include "tools/filter.h"

#include <stddef.h>

/* rows [dim], of unit length */
bool alike(const struct photo *a, const float *a_row, const struct photo *b, const float *b_row, size_t dim);

enum { ALIKE_BITS = 6 }; /* of 64, at most as many differ in the difference hashes */

bool alike_is_copy(const struct photo *a, const struct photo *b); /* byte for byte */

#endif
