/* A hash of 128 bits over a list of pieces: names cache entries and recognises content; not meant against an attacker.
 *
 *     struct hash h = hash_begin();
 *     hash_add(&h, bytes, count);  hash_add_text(&h, "options");
 *     char name[HASH_TEXT];  hash_text(name, h);          // 32 hex digits
 *
 * XXH3 (libxxhash) of each piece, put behind the hash of the pieces before it and hashed again: "ab" and "c" differ
 * from "a" and "bc". The numbers depend on the machine's byte order.
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
void hash_add_text(struct hash *hash, const char *text);
void hash_text(char text[HASH_TEXT], struct hash hash);
int hash_compare(const struct hash *x, const struct hash *y); /* below, at or above 0, as strcmp */

#endif
