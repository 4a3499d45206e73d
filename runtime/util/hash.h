/* A 128-bit FNV-1a hash: names cache entries and recognises content; not meant against an attacker.
 *
 *     struct hash h = hash_begin();
 *     hash_add(&h, bytes, count);  hash_add_text(&h, "options");
 *     char name[HASH_TEXT];  hash_text(name, h);          // 32 hex digits
 *
 * Source: Fowler, Noll, Vo; the 128-bit offset basis and prime of RFC 9923's draft.
 */
#ifndef OCLIP_HASH_H
#define OCLIP_HASH_H

#include <stddef.h>
#include <stdint.h>

struct hash {
    uint64_t high, low;
};
enum { HASH_TEXT = 33 };

struct hash hash_begin(void);
void hash_add(struct hash *hash, const void *bytes, size_t count);
void hash_add_text(struct hash *hash,
                   const char *text); /* its terminating zero included: "ab"+"c" differs from "a"+"bc" */
void hash_text(char text[HASH_TEXT], struct hash hash);

#endif
