#include "runtime/util/hash.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

struct hash hash_begin(void)
{
    return (struct hash){0};
}

void hash_add(struct hash *hash, const void *bytes, size_t count)
{
    XXH128_hash_t added = XXH3_128bits(bytes, count);
    const uint64_t both[] = {hash->high, hash->low, added.high64, added.low64};
    XXH128_hash_t sum = XXH3_128bits(both, sizeof both);
    *hash = (struct hash){.high = sum.high64, .low = sum.low64};
}

void hash_add_text(struct hash *hash, const char *text)
{
    hash_add(hash, text, strlen(text));
}

void hash_text(char text[HASH_TEXT], struct hash hash)
{
    snprintf(text, HASH_TEXT, "%016" PRIx64 "%016" PRIx64, hash.high, hash.low);
}

int hash_compare(const struct hash *x, const struct hash *y)
{
    return x->high != y->high ? (x->high > y->high) - (x->high < y->high) : (x->low > y->low) - (x->low < y->low);
}
