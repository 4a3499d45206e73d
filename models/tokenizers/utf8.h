/* UTF-8 to code points and back, for text that nobody has checked.
 *
 *     uint32_t point;
 *     for (const char *at = text; *at; at += utf8_decode(&point, at))
 *         ...                                    // U+FFFD where the bytes are no UTF-8
 *
 * Ill-formed bytes are replaced as Python's decode(errors="replace") does it, and as the Unicode standard recommends
 * (chapter 3.9, "U+FFFD substitution of maximal subparts"): one U+FFFD for each longest beginning of a sequence.
 */
#ifndef OCLIP_UTF8_H
#define OCLIP_UTF8_H

#include <stddef.h>
#include <stdint.h>

enum { UTF8_LONGEST = 4, UTF8_REPLACEMENT = 0xFFFD };

/* Reads the code point at `text`, which ends in NUL and does not start with it; returns its bytes, 1 to 4. */
size_t utf8_decode(uint32_t *point, const char *text);

/* Writes a code point; returns its bytes. No NUL is added. */
size_t utf8_encode(char *text, uint32_t point); // text: [UTF8_LONGEST]

/* A whole NUL-terminated text; caller frees. */
uint32_t *utf8_decode_all(size_t *count, const char *text); // [count]

/* NUL-terminated UTF-8; caller frees. */
char *utf8_encode_all(const uint32_t *points, size_t count); // points: [count]

#endif
