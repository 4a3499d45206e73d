/* One-byte encodings, of those that UTF-8 is mistaken for.
 *
 *     const uint8_t *bytes = code_page_bytes(0x20AC);     // "€"
 *     bytes[CODE_PAGE_WINDOWS_1252];                      // 0x80
 *     bytes[CODE_PAGE_LATIN_1];                           // 0: there is none
 *
 * The Windows pages are filled up as browsers and ftfy do it: a byte without a meaning is the code point of the same
 * number, and 0x1A stands for U+FFFD.
 */
#ifndef OCLIP_CODE_PAGES_H
#define OCLIP_CODE_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum code_page {
    CODE_PAGE_LATIN_1,
    CODE_PAGE_WINDOWS_1252, /* western Europe */
    CODE_PAGE_WINDOWS_1251, /* Cyrillic */
    CODE_PAGE_WINDOWS_1250, /* central Europe */
    CODE_PAGE_WINDOWS_1253, /* Greek */
    CODE_PAGE_WINDOWS_1254, /* Turkish */
    CODE_PAGE_WINDOWS_1257, /* Baltic */
    CODE_PAGE_ISO_8859_2,
    CODE_PAGE_MACROMAN,
    CODE_PAGE_437, /* DOS */
    CODE_PAGES
};

/* The byte of each page for a code point, 0 in those that lack it. NULL: it is ASCII, but for U+001A, or in no page. */
const uint8_t *code_page_bytes(uint32_t point); // [CODE_PAGES]

/* A Windows page, which has a byte for U+FFFD. */
bool code_page_is_windows(enum code_page page);

/* What is not the same in all pages, by code point. */
struct code_page_row {
    uint16_t point;
    uint8_t bytes[CODE_PAGES];
};
extern const struct code_page_row code_page_rows[]; // [code_page_row_count]
extern const size_t code_page_row_count;

#endif
