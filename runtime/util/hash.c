#include "runtime/util/hash.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct hash hash_begin(void)
{
    return (struct hash){.high = UINT64_C(0x6c62272e07bb0142), .low = UINT64_C(0x62b821756295c58d)};
}

void hash_add(struct hash *hash, const void *bytes, size_t count)
{
    const unsigned char *at = bytes;
    const unsigned __int128 prime = ((unsigned __int128)1 << 88) + 0x13b;
    unsigned __int128 state = (unsigned __int128)hash->high << 64 | hash->low;
    for (size_t i = 0; i < count; i++)
        state = (state ^ at[i]) * prime;
    hash->high = (uint64_t)(state >> 64);
    hash->low = (uint64_t)state;
}

void hash_add_text(struct hash *hash, const char *text)
{
    hash_add(hash, text, strlen(text) + 1);
}

void hash_text(char text[HASH_TEXT], struct hash hash)
{
    snprintf(text, HASH_TEXT, "%016" PRIx64 "%016" PRIx64, hash.high, hash.low);
}
