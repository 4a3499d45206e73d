#include "models/tokenizers/mojibake.h"

#include "models/tokenizers/badness.h"
#include "models/tokenizers/code_pages.h"
#include "models/tokenizers/html_text.h"
#include "models/tokenizers/utf8_repair.h"

#include <stdlib.h>

enum { SUBSTITUTE = 0x1A };

/* ---- the whole text ---- */

static bool encode(unsigned char *bytes, const struct points *text, enum code_page page) // bytes: [text->count]
{
    for (size_t i = 0; i < text->count; i++) {
        uint32_t point = text->items[i];
        const uint8_t *row = point < 0x80 && point != SUBSTITUTE ? NULL : code_page_bytes(point);
        if (row ? !row[page] : point >= 0x80)
            return false;
        bytes[i] = row ? row[page] : (unsigned char)point;
    }
    return true;
}

/* Mends what happened to the bytes; frees them and returns others. */
static unsigned char *mend(size_t *count, unsigned char *bytes, enum code_page page)
{
    typedef size_t mender(unsigned char *out, const unsigned char *bytes, size_t count);
    mender *menders[] = {page == CODE_PAGE_MACROMAN ? NULL : utf8_repair_spaces, /* there D0 20 is a dash and a space */
                         code_page_is_windows(page) ? utf8_repair_losses : NULL};
    for (size_t i = 0; i < sizeof menders / sizeof *menders; i++) {
        if (!menders[i])
            continue;
        unsigned char *mended = mem_new(UTF8_REPAIR_GROWTH * *count + 1, 1);
        *count = menders[i](mended, bytes, *count);
        free(bytes);
        bytes = mended;
    }
    return bytes;
}

/* Whether that page makes the text UTF-8, which `out` is then. */
static bool read_back(struct points *out, const struct points *text, enum code_page page)
{
    unsigned char *bytes = mem_new(text->count + 1, 1);
    size_t count = text->count;
    bool is_utf8 = encode(bytes, text, page);
    if (is_utf8) {
        bytes = mend(&count, bytes, page);
        out->count = 0;
        is_utf8 = utf8_repair_decode(out, bytes, count);
    }
    free(bytes);
    return is_utf8;
}

/* ---- parts of it ---- */

enum clue {
    CONTINUES = 1 << 0,
    ONLY_CONTINUES = 1 << 1, /* and means nothing by itself beside mojibake, as quotes and dashes do */
    LEADS_2 = 1 << 2,
    LEADS_3 = 1 << 3,
    LEADS_4 = 1 << 4,
};

/* What the character may be in UTF-8, by the bytes it has in the pages up to ISO 8859-2. */
static unsigned clues_of(uint32_t point)
{
    static const struct {
        unsigned char first, last;
        unsigned clues;
    } table[] = {{0x80, 0xBF, CONTINUES | ONLY_CONTINUES},
                 {0xC2, 0xDF, LEADS_2},
                 {0xE0, 0xEF, LEADS_3},
                 {0xF0, 0xF0, LEADS_4},
                 {0xF3, 0xF3, LEADS_4}};
    bool is_mark = (point >= 0x2013 && point <= 0x201E) || point == 0x2022 || point == 0x2026; /* – to „, •, … */
    const uint8_t *row = point >= 0x80 ? code_page_bytes(point) : NULL;
    unsigned clues = point == ' ' ? CONTINUES : 0;
    for (size_t page = 0; row && page <= CODE_PAGE_ISO_8859_2; page++)
        for (size_t i = 0; i < sizeof table / sizeof *table; i++)
            if (row[page] >= table[i].first && row[page] <= table[i].last)
                clues |= table[i].clues;
    return is_mark ? clues & ~(unsigned)ONLY_CONTINUES : clues;
}

/* The length of a character's bytes, or 0. */
static size_t sequence_length(const uint32_t *points, size_t count)
{
    unsigned clues = clues_of(points[0]);
    size_t length = clues & LEADS_2 ? 2 : clues & LEADS_3 ? 3 : clues & LEADS_4 ? 4 : 0;
    for (size_t i = 1; i < length; i++)
        if (i == count || !(clues_of(points[i]) & CONTINUES))
            return 0;
    return length;
}

/* The length of the longest run of such characters at `at`, or 0; also where a garble only goes on. */
static size_t run_length(const uint32_t *points, size_t count, size_t at)
{
    size_t end = at, length;
    if (at > 0 && clues_of(points[at - 1]) & ONLY_CONTINUES)
        return 0;
    while (end < count && (length = sequence_length(points + end, count - end)) > 0)
        end += length;
    return end - at;
}

static void put_repaired(struct points *out, const uint32_t *points, size_t count, size_t *budget)
{
    struct points run = {0};
    points_append(&run, points, count);
    mojibake_repair(&run, budget);
    points_append(out, run.items, run.count);
    free(run.items);
}

/* Each run apart, unless it is all of the text. */
static void read_runs_back(struct points *out, const struct points *text, size_t *budget)
{
    out->count = 0;
    for (size_t at = 0; at < text->count;) {
        size_t length = run_length(text->items, text->count, at);
        if (length > 0 && length < text->count) {
            put_repaired(out, text->items + at, length, budget);
        } else {
            length = length ? length : 1;
            points_append(out, text->items + at, length);
        }
        at += length;
    }
}

/* ---- all ---- */

/* Whether anything changed. */
static bool repair_once(struct points *text, size_t *budget)
{
    struct points out = {0};
    bool done = false;
    points_reserve(&out, text->count);
    for (enum code_page page = 0; page < CODE_PAGES && !done; page++)
        done = read_back(&out, text, page);
    if (!done) {
        read_runs_back(&out, text, budget);
        done = !points_equal(&out, text);
    }
    for (size_t i = 0; i < text->count && !done; i++)
        out.items[i] = html_windows_1252(text->items[i]);
    bool changed = !points_equal(&out, text);
    free(text->items);
    *text = out;
    return changed;
}

void mojibake_repair(struct points *text, size_t *budget)
{
    bool changed = true;
    while (changed && text->count > 0 && *budget >= text->count && badness_found(text->items, text->count)) {
        *budget -= text->count;
        changed = repair_once(text, budget);
    }
}
