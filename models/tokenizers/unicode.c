#include "models/tokenizers/unicode.h"

#include "runtime/util/error.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

bool unicode_in_ranges(const struct unicode_range *ranges, size_t count, uint32_t point)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (point > ranges[middle].last)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && point >= ranges[low].first;
}

/* ---- classes ---- */

/* Letters and numbers of Unicode 15.1 and 16. */
static const struct unicode_range new_letters[] = {
    {0x1C89, 0x1C8A},   {0xA7CB, 0xA7CD},   {0xA7DA, 0xA7DC},   {0x105C0, 0x105F3}, {0x10D4A, 0x10D65},
    {0x10D6F, 0x10D85}, {0x10EC2, 0x10EC4}, {0x11380, 0x11389}, {0x1138B, 0x1138B}, {0x1138E, 0x1138E},
    {0x11390, 0x113B5}, {0x113B7, 0x113B7}, {0x113D1, 0x113D1}, {0x113D3, 0x113D3}, {0x11BC0, 0x11BE0},
    {0x13460, 0x143FA}, {0x16100, 0x1611D}, {0x16D40, 0x16D6C}, {0x18CFF, 0x18CFF}, {0x1E5D0, 0x1E5ED},
    {0x1E5F0, 0x1E5F0}, {0x2EBF0, 0x2EE5D},
};

static const struct unicode_range new_numbers[] = {
    {0x10D40, 0x10D49}, {0x116D0, 0x116E3}, {0x11BF0, 0x11BF9}, {0x16130, 0x16139},
    {0x16D70, 0x16D79}, {0x1CCF0, 0x1CCF9}, {0x1E5F1, 0x1E5FA},
};

enum unicode_class unicode_class(uint32_t point)
{
    if ((point >= '\t' && point <= '\r') || point == 0x85)
        return UNICODE_SPACE;
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)point);
    if (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO)
        return UNICODE_LETTER;
    if (category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO)
        return UNICODE_NUMBER;
    if (category >= UTF8PROC_CATEGORY_ZS && category <= UTF8PROC_CATEGORY_ZP)
        return UNICODE_SPACE;
    if (category != UTF8PROC_CATEGORY_CN)
        return UNICODE_OTHER;
    if (unicode_in_ranges(new_letters, COUNT(new_letters), point))
        return UNICODE_LETTER;
    return unicode_in_ranges(new_numbers, COUNT(new_numbers), point) ? UNICODE_NUMBER : UNICODE_OTHER;
}

/* ---- lower case ---- */

/* Capitals of Unicode 16 and 17. */
static const struct {
    uint32_t first, last, lower; /* of the first */
} new_capitals[] = {
    {0x1C89, 0x1C89, 0x1C8A},    {0xA7CB, 0xA7CB, 0x264},     {0xA7CC, 0xA7CC, 0xA7CD}, {0xA7CE, 0xA7CE, 0xA7CF},
    {0xA7D2, 0xA7D2, 0xA7D3},    {0xA7D4, 0xA7D4, 0xA7D5},    {0xA7DA, 0xA7DA, 0xA7DB}, {0xA7DC, 0xA7DC, 0x19B},
    {0x10D50, 0x10D65, 0x10D70}, {0x16EA0, 0x16EB8, 0x16EBB},
};

size_t unicode_lowercase(uint32_t *out, uint32_t point)
{
    if (point == 0x130) { /* the one letter whose lower case is two code points */
        out[0] = 'i';
        out[1] = 0x307;
        return 2;
    }
    out[0] = (uint32_t)utf8proc_tolower((utf8proc_int32_t)point);
    for (size_t i = 0; i < COUNT(new_capitals) && point >= new_capitals[i].first; i++)
        if (point <= new_capitals[i].last)
            out[0] = new_capitals[i].lower + (point - new_capitals[i].first);
    return 1;
}

/* ---- composition ---- */

/* Marks and composed letters younger than Unicode 9: its tables neither orders, nor takes apart, nor composes them.
 * A row may span anything that Unicode 9 leaves as it is. */
static const struct unicode_range never_composed[] = {
    {0x7FD, 0x7FD},     {0x897, 0x8D3},     {0x9FE, 0x9FE},     {0xC3C, 0xC3C},     {0xD3B, 0xD3C},
    {0xEBA, 0xEBA},     {0x1715, 0x1715},   {0x1ABF, 0x1AFF},   {0x1DF6, 0x1DFA},   {0xA82C, 0xA82C},
    {0x105C0, 0x105FF}, {0x10D24, 0x10F85}, {0x11070, 0x11070}, {0x1133B, 0x1133B}, {0x11380, 0x113FF},
    {0x1145E, 0x1145E}, {0x11839, 0x11A99}, {0x11D42, 0x11F42}, {0x16100, 0x1613F}, {0x16D40, 0x16D7F},
    {0x16FF0, 0x16FF1}, {0x1E08F, 0x1E7FF},
};

static unsigned char class_of(uint32_t point)
{
    return (unsigned char)utf8proc_get_property((utf8proc_int32_t)point)->combining_class;
}

/* Sorts a run of marks by class, equal ones staying in order: by counting, since text may be nothing but marks. */
static void order_run(uint32_t *run, size_t count)
{
    size_t starts[257] = {0};
    bool ordered = true;
    for (size_t i = 1; i < count && ordered; i++)
        ordered = class_of(run[i - 1]) <= class_of(run[i]);
    if (ordered)
        return;
    uint32_t *copy = mem_new(count, sizeof *copy);
    memcpy(copy, run, count * sizeof *run);
    for (size_t i = 0; i < count; i++)
        starts[class_of(copy[i]) + 1]++;
    for (size_t class = 1; class < 257; class ++)
        starts[class] += starts[class - 1];
    for (size_t i = 0; i < count; i++)
        run[starts[class_of(copy[i])]++] = copy[i];
    free(copy);
}

/* Composes a decomposed stretch in place; returns its new length. */
static size_t compose_stretch(uint32_t *points, size_t count)
{
    for (size_t at = 0, end; at < count; at = end + 1) {
        for (end = at; end < count && class_of(points[end]) > 0; end++)
            ;
        order_run(points + at, end - at);
    }
    return (size_t)utf8proc_normalize_utf32((utf8proc_int32_t *)points, (utf8proc_ssize_t)count,
                                            UTF8PROC_COMPOSE | UTF8PROC_STABLE);
}

size_t unicode_compose(uint32_t *out, const uint32_t *in, size_t count, enum unicode_edition edition)
{
    size_t written = 0, start = 0; /* of the stretch, in out */
    for (size_t i = 0; i < count; i++) {
        utf8proc_int32_t *at = (utf8proc_int32_t *)out + written;
        int boundary = 0;
        if (edition == UNICODE_9 && unicode_in_ranges(never_composed, COUNT(never_composed), in[i])) {
            written = start + compose_stretch(out + start, written - start);
            out[written++] = in[i];
            start = written;
        } else {
            written += (size_t)utf8proc_decompose_char((utf8proc_int32_t)in[i], at, UNICODE_GROWTH, UTF8PROC_DECOMPOSE,
                                                       &boundary);
        }
    }
    return start + compose_stretch(out + start, written - start);
}
