/* Unicode where the reference tokenizers and libutf8proc hold different versions of its tables.
 *
 *     out += unicode_lowercase(out, 0x130);                        // 0x69 0x307
 *     uint32_t *composed = mem_new(UNICODE_GROWTH * count + 1, sizeof *composed);
 *     size_t n = unicode_compose(composed, points, count, UNICODE_15); // "e" U+0301 -> U+00E9
 *
 * The `tokenizers` library (0.23) lowers case by Unicode 17, knows letters and digits by Unicode 16 and composes by
 * Unicode 9; libutf8proc 2.8 is Unicode 15. What differs is in tables here.
 */
#ifndef OCLIP_UNICODE_H
#define OCLIP_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    UNICODE_LOWERCASE = 2, /* code points that one becomes at most */
    UNICODE_GROWTH = 4,
};

enum unicode_class { UNICODE_OTHER, UNICODE_SPACE, UNICODE_LETTER, UNICODE_NUMBER };

/* \s, \p{L}, \p{N} of regular expressions, or none of them. */
enum unicode_class unicode_class(uint32_t point);

/* Full lower case without context; returns how many code points were written. */
size_t unicode_lowercase(uint32_t *out, uint32_t point); // out: [UNICODE_LOWERCASE]

/* Normalisation form C (Unicode Standard Annex 15) by the tables of an edition; returns how many code points were
 * written. */
enum unicode_edition { UNICODE_9, UNICODE_15 };
size_t unicode_compose(uint32_t *out, const uint32_t *in, size_t count,
                       enum unicode_edition edition); // out: [UNICODE_GROWTH * count], in: [count]

/* A table of ranges in rising order. */
struct unicode_range {
    uint32_t first, last;
};
bool unicode_in_ranges(const struct unicode_range *ranges, size_t count, uint32_t point); // ranges: [count]

#endif
