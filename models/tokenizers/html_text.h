/* HTML's character references: "&eacute;", "&#233;", "&#xE9;".
 *
 *     struct points out = {0};
 *     html_unescape(&out, text.items, text.count);         // "a &lt b&gt;" -> "a < b>"
 *     uint32_t value[HTML_LONGEST];
 *     size_t n = html_entity(value, "eacute", 6, false);   // 1 code point; 0: there is no such entity
 *
 * Source: HTML Standard, 13.5 (named character references) and 13.2.5.80 (numbers), as Python's html.unescape has them.
 */
#ifndef OCLIP_HTML_TEXT_H
#define OCLIP_HTML_TEXT_H

#include "models/tokenizers/points.h"

#include <stdbool.h>

enum { HTML_LONGEST = 2 }; /* code points of an entity */

/* The entity of this name, without & and ;. `bare`: only if it is one that needs no semicolon. */
size_t html_entity(uint32_t *value, const char *name, size_t length, bool bare); // value: [HTML_LONGEST]

/* Appends the text with its references replaced; none that a replacement makes. */
void html_unescape(struct points *out, const uint32_t *points, size_t count); // points: [count]

/* What Windows has where Unicode has U+0080 to U+009F (code page 1252); others as they are. */
uint32_t html_windows_1252(uint32_t point);

/* "name;value" or, where the semicolon may be missing, "name value", sorted by name, each ended by a NUL. */
extern const char html_entities[]; // [html_entities_size]
extern const size_t html_entities_size;

#endif
