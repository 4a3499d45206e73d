/* Embeddings of texts that do not change, kept in the cache folder so that a program encodes them once.
 *
 *     struct hash key = clip->fingerprint;
 *     hash_add_text(&key, text);                                     // everything the numbers depend on
 *     if (!kept_rows_find(rows, "classes", key, n, dim)) {
 *         ... make them ...
 *         kept_rows_keep("classes", key, rows, n, dim);
 *     }
 */
#ifndef OCLIP_KEPT_ROWS_H
#define OCLIP_KEPT_ROWS_H

#include "runtime/util/hash.h"

#include <stdbool.h>

/* rows [n, dim]; false where they are not kept, or damaged. */
bool kept_rows_find(float *rows, const char *subfolder, struct hash key, size_t n, size_t dim);

/* rows [n, dim], of unit length. A cache that cannot be written is a line on stderr: it costs only time. */
void kept_rows_keep(const char *subfolder, struct hash key, const float *rows, size_t n, size_t dim);

#endif
