#include "tools/text_cache.h"

#include "runtime/util/error.h"
#include "runtime/util/hash.h"

#include <stdlib.h>
#include <string.h>

struct entry {
    struct hash hash; /* of the text, to look at few of them */
    char *text;
    unsigned long used; /* when, in calls */
};

struct text_cache {
    struct entry *entries; // [capacity]
    float *vectors;        // [capacity, width]
    size_t count, capacity, width;
    unsigned long calls;
};

struct text_cache *text_cache_new(size_t capacity, size_t width)
{
    struct text_cache *cache = mem_new(1, sizeof *cache);
    *cache = (struct text_cache){.entries = mem_new(capacity, sizeof *cache->entries),
                                 .vectors = mem_new(capacity * width, sizeof *cache->vectors),
                                 .capacity = capacity,
                                 .width = width};
    return cache;
}

void text_cache_free(struct text_cache *cache)
{
    if (!cache)
        return;
    for (size_t i = 0; i < cache->count; i++)
        free(cache->entries[i].text);
    free(cache->entries);
    free(cache->vectors);
    free(cache);
}

static struct hash hash_of(const char *text)
{
    struct hash hash = hash_begin();
    hash_add_text(&hash, text);
    return hash;
}

const float *text_cache_find(struct text_cache *cache, const char *text)
{
    struct hash hash = hash_of(text);
    for (size_t i = 0; i < cache->count; i++) {
        struct entry *entry = &cache->entries[i];
        if (entry->hash.low != hash.low || entry->hash.high != hash.high || strcmp(entry->text, text) != 0)
            continue;
        entry->used = ++cache->calls;
        return cache->vectors + i * cache->width;
    }
    return NULL;
}

/* A free place, or that of the text which was not asked for longest. */
static size_t choose_place(struct text_cache *cache)
{
    if (cache->count < cache->capacity)
        return cache->count++;
    size_t oldest = 0;
    for (size_t i = 1; i < cache->count; i++)
        if (cache->entries[i].used < cache->entries[oldest].used)
            oldest = i;
    free(cache->entries[oldest].text);
    return oldest;
}

void text_cache_add(struct text_cache *cache, const char *text, const float *vector)
{
    if (text_cache_find(cache, text))
        return;
    size_t at = choose_place(cache);
    cache->entries[at] = (struct entry){hash_of(text), mem_format("%s", text), ++cache->calls};
    memcpy(cache->vectors + at * cache->width, vector, cache->width * sizeof *vector);
}
