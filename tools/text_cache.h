/* Vectors of the texts that were asked for last, so that a text asked again costs nothing.
 *
 *     struct text_cache *cache = text_cache_new(1000, 2 * dim);
 *     const float *vector = text_cache_find(cache, "a dog");        // [width], or NULL
 *     if (!vector)
 *         text_cache_add(cache, "a dog", fresh);
 *     text_cache_free(cache);
 *
 * The text that was not asked for longest gives way. For one thread at a time.
 */
#ifndef OCLIP_TEXT_CACHE_H
#define OCLIP_TEXT_CACHE_H

#include <stddef.h>

struct text_cache;

struct text_cache *text_cache_new(size_t capacity, size_t width);
void text_cache_free(struct text_cache *cache); /* NULL is fine */

/* The vector belongs to the cache; the next addition may take it. */
const float *text_cache_find(struct text_cache *cache, const char *text);

/* vector [width] is copied; a text that is there already is not added again. */
void text_cache_add(struct text_cache *cache, const char *text, const float *vector);

#endif
