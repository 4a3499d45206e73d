#include "models/tokenizers/python_text.h"

#include "models/tokenizers/unicode.h"

#include <stdlib.h>
#include <utf8proc.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum { CAPITAL_SIGMA = 0x3A3, SMALL_SIGMA = 0x3C3, FINAL_SIGMA = 0x3C2 };

bool python_is_space(uint32_t point)
{
    return unicode_class(point) == UNICODE_SPACE || (point >= 0x1C && point <= 0x1F);
}

/* ---- lower case ---- */

/* Case_Ignorable: what may stand between a letter and the sigma that ends its word. */
static bool is_case_ignorable(uint32_t point)
{
    static const struct unicode_range punctuation[] = {
        {'\'', '\''},     {'.', '.'},       {':', ':'},       {0xB7, 0xB7},     {0x387, 0x387},   {0x55F, 0x55F},
        {0x5F4, 0x5F4},   {0x2018, 0x2019}, {0x2024, 0x2024}, {0x2027, 0x2027}, {0xFE13, 0xFE13}, {0xFE52, 0xFE52},
        {0xFE55, 0xFE55}, {0xFF07, 0xFF07}, {0xFF0E, 0xFF0E}, {0xFF1A, 0xFF1A},
    };
    switch (utf8proc_category((utf8proc_int32_t)point)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK:
        return true;
    default:
        return unicode_in_ranges(punctuation, COUNT(punctuation), point);
    }
}

/* Cased, of what is not case-ignorable. */
static bool is_cased(uint32_t point)
{
    static const struct unicode_range others[] = {
        {0xAA, 0xAA},       {0xBA, 0xBA},       {0x2160, 0x217F},   {0x24B6, 0x24E9},
        {0x1F130, 0x1F149}, {0x1F150, 0x1F169}, {0x1F170, 0x1F189},
    };
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)point);
    return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LT) ||
           unicode_in_ranges(others, COUNT(others), point);
}

/* Whether a word ends with the sigma at `at`. */
static bool is_final(const uint32_t *points, size_t count, size_t at)
{
    size_t before = at, after = at + 1;
    while (before > 0 && is_case_ignorable(points[before - 1]))
        before--;
    while (after < count && is_case_ignorable(points[after]))
        after++;
    return before > 0 && is_cased(points[before - 1]) && !(after < count && is_cased(points[after]));
}

void python_lower(struct points *text)
{
    struct points out = {0};
    points_reserve(&out, UNICODE_LOWERCASE * text->count);
    for (size_t i = 0; i < text->count; i++) {
        uint32_t point = text->items[i];
        if (point == CAPITAL_SIGMA)
            points_put(&out, is_final(text->items, text->count, i) ? FINAL_SIGMA : SMALL_SIGMA);
        else
            out.count += unicode_lowercase(out.items + out.count, point);
    }
    free(text->items);
    *text = out;
}

/* ---- blanks and punctuation ---- */

void python_join_words(struct points *text)
{
    size_t written = 0;
    bool apart = false; /* a blank is due before the next word */
    for (size_t i = 0; i < text->count; i++) {
        if (python_is_space(text->items[i])) {
            apart = written > 0;
            continue;
        }
        if (apart)
            text->items[written++] = ' ';
        apart = false;
        text->items[written++] = text->items[i];
    }
    text->count = written;
}

static bool is_punctuation(uint32_t point)
{
    return (point >= '!' && point <= '/') || (point >= ':' && point <= '@') || (point >= '[' && point <= '`') ||
           (point >= '{' && point <= '~');
}

void python_remove_punctuation(struct points *text)
{
    size_t written = 0;
    for (size_t i = 0; i < text->count; i++)
        if (!is_punctuation(text->items[i]))
            text->items[written++] = text->items[i];
    text->count = written;
}
