/* UTF-8 whose bytes suffered on their way.
 *
 *     unsigned char *whole = mem_new(UTF8_REPAIR_GROWTH * count + 1, 1);
 *     count = utf8_repair_spaces(whole, bytes, count);    // C3 20 "la" -> C3 A0 20 "la"
 *     struct points text = {0};
 *     if (utf8_repair_decode(&text, whole, count))        // "à la"
 *
 * Source: ftfy 6.3 (restore_byte_a0, replace_lossy_sequences, the codec utf-8-variants).
 */
#ifndef OCLIP_UTF8_REPAIR_H
#define OCLIP_UTF8_REPAIR_H

#include "models/tokenizers/points.h"

#include <stdbool.h>

enum { UTF8_REPAIR_GROWTH = 3 }; /* bytes that one becomes at most */

/* Puts back the byte A0, a space that does not break, where it became an ordinary space inside a sequence. Returns how
 * many bytes were written. */
size_t utf8_repair_spaces(unsigned char *out, const unsigned char *bytes, size_t count); // out: [GROWTH * count]

/* U+FFFD for each sequence of which bytes became 1A, or one of them "?". Returns how many bytes were written. */
size_t utf8_repair_losses(unsigned char *out, const unsigned char *bytes, size_t count); // out: [GROWTH * count]

/* Appends the decoded text; false: the bytes are not UTF-8. Six bytes that are a surrogate pair (CESU-8) are the
 * character it stands for, C0 80 (Java) is U+0000. A NUL follows the bytes. */
bool utf8_repair_decode(struct points *out, const unsigned char *bytes, size_t count); // bytes: [count + 1]

#endif
