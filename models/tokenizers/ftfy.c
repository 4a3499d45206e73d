#include "models/tokenizers/ftfy.h"

#include "models/tokenizers/html_text.h"
#include "models/tokenizers/mojibake.h"
#include "models/tokenizers/unicode.h"

#include <stdlib.h>
#include <utf8proc.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum {
    LONGEST_ENTITY = 24,    /* of the names that are unescaped */
    LONGEST_LINE = 1000000, /* code points */
    LONGEST_WIDE = 4,       /* code points that a full- or halfwidth form stands for */
    BUDGET = 1 << 22,       /* code points that are looked at before no more changes are awaited... */
    ROUNDS = 8,             /* ...and in long texts, so many rounds of each */
    ESCAPE = 0x1B,
    SHARP_S = 0xDF,
};

typedef void fixer(struct points *out, const uint32_t *points, size_t count); // points: [count]

/* ---- entities ---- */

static bool is_alphanumeric(uint32_t point)
{
    return (point >= '0' && point <= '9') || (point >= 'A' && point <= 'Z') || (point >= 'a' && point <= 'z');
}

/* "&name;", "&#number;": its length, or 0. */
static size_t entity_length(const uint32_t *points, size_t count)
{
    size_t start = count > 1 && points[1] == '#' ? 2 : 1, end = start;
    while (end < count && end < start + LONGEST_ENTITY && is_alphanumeric(points[end]))
        end++;
    return end > start && end < count && points[end] == ';' ? end + 1 : 0;
}

static void put_capital(struct points *out, uint32_t point)
{
    points_put(out, point == SHARP_S ? 'S' : (uint32_t)utf8proc_toupper((utf8proc_int32_t)point));
    if (point == SHARP_S)
        points_put(out, 'S');
}

/* "&EACUTE;": a name in capitals where only that in small letters is known, and no entity begins the name. */
static size_t put_capital_entity(struct points *out, const char *name, size_t length)
{
    char small[LONGEST_ENTITY];
    uint32_t value[HTML_LONGEST];
    for (size_t i = 0; i < length; i++) {
        if (name[i] >= 'a' && name[i] <= 'z')
            return 0;
        small[i] = (char)(name[i] >= 'A' ? name[i] - 'A' + 'a' : name[i]);
        if (i > 0 && html_entity(value, name, i + 1, true) > 0)
            return 0;
    }
    size_t count = html_entity(value, small, length, false);
    for (size_t i = 0; i < count; i++)
        put_capital(out, value[i]);
    return count;
}

/* Returns whether it was known. */
static bool put_named(struct points *out, const uint32_t *points, size_t count)
{
    char name[LONGEST_ENTITY] = {0};
    uint32_t value[HTML_LONGEST];
    size_t length = count - 2;
    for (size_t i = 0; i < length; i++)
        name[i] = (char)points[1 + i];
    size_t known = html_entity(value, name, length, false);
    points_append(out, value, known);
    return known > 0 || put_capital_entity(out, name, length) > 0;
}

/* A number must be good up to its semicolon. */
static bool put_numbered(struct points *out, const uint32_t *points, size_t count)
{
    size_t start = out->count;
    html_unescape(out, points, count);
    bool whole = true;
    for (size_t i = start; i < out->count; i++)
        whole = whole && out->items[i] != ';';
    if (!whole)
        out->count = start;
    return whole;
}

static void unescape(struct points *out, const uint32_t *points, size_t count)
{
    for (size_t at = 0; at < count;) {
        size_t length = points[at] == '&' ? entity_length(points + at, count - at) : 0;
        bool known = false;
        if (length > 0)
            known = (points[at + 1] == '#' ? put_numbered : put_named)(out, points + at, length);
        if (!known)
            points_put(out, points[at]);
        at += known ? length : 1;
    }
}

/* ---- single characters ---- */

static void put_straight(struct points *out, uint32_t point)
{
    bool is_single = point == 0x2BC || (point >= 0x2018 && point <= 0x201B);
    bool is_double = point >= 0x201C && point <= 0x201F;
    points_put(out, is_single ? '\'' : is_double ? '"' : point);
}

static bool put_ligature(struct points *out, uint32_t point)
{
    static const struct {
        uint32_t ligature, letters[3];
    } table[] = {
        {0x132, {'I', 'J'}},    {0x133, {'i', 'j'}},   {0x149, {0x2BC, 'n'}},     {0x1C4, {'D', 0x17D}},
        {0x1C5, {'D', 0x17E}},  {0x1C6, {'d', 0x17E}}, {0x1C7, {'L', 'J'}},       {0x1C8, {'L', 'j'}},
        {0x1C9, {'l', 'j'}},    {0x1CA, {'N', 'J'}},   {0x1CB, {'N', 'j'}},       {0x1CC, {'n', 'j'}},
        {0x1F1, {'D', 'Z'}},    {0x1F2, {'D', 'z'}},   {0x1F3, {'d', 'z'}},       {0xFB00, {'f', 'f'}},
        {0xFB01, {'f', 'i'}},   {0xFB02, {'f', 'l'}},  {0xFB03, {'f', 'f', 'i'}}, {0xFB04, {'f', 'f', 'l'}},
        {0xFB05, {0x17F, 't'}}, {0xFB06, {'s', 't'}},
    };
    for (size_t i = 0; i < COUNT(table); i++) {
        if (table[i].ligature != point)
            continue;
        for (size_t j = 0; j < COUNT(table[i].letters) && table[i].letters[j]; j++)
            put_straight(out, table[i].letters[j]);
        return true;
    }
    return false;
}

static bool put_wide(struct points *out, uint32_t point)
{
    utf8proc_int32_t parts[LONGEST_WIDE] = {' '};
    utf8proc_ssize_t count = 1;
    int boundary = 0;
    if (point != 0x3000 && (point < 0xFF01 || point > 0xFFEF))
        return false;
    if (point != 0x3000)
        count = utf8proc_decompose_char((utf8proc_int32_t)point, parts, LONGEST_WIDE,
                                        UTF8PROC_COMPAT | UTF8PROC_DECOMPOSE, &boundary);
    for (utf8proc_ssize_t i = 0; i < count && i < LONGEST_WIDE; i++)
        put_straight(out, (uint32_t)parts[i]);
    return true;
}

static void plain_characters(struct points *out, const uint32_t *points, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t point = html_windows_1252(points[i]);
        if (point == '\r' && i + 1 < count && points[i + 1] == '\n')
            continue;
        if (point == '\r' || point == 0x2028 || point == 0x2029)
            point = '\n';
        if (!put_ligature(out, point) && !put_wide(out, point))
            put_straight(out, point);
    }
}

/* ---- what is removed ---- */

/* "ESC [ 31;1 m": its length, or 0. */
static size_t escape_length(const uint32_t *points, size_t count)
{
    size_t end = 2;
    if (count < 3 || points[0] != ESCAPE || points[1] != '[')
        return 0;
    while (end < count &&
           (points[end] == ';' || utf8proc_category((utf8proc_int32_t)points[end]) == UTF8PROC_CATEGORY_ND))
        end++;
    return end < count && is_alphanumeric(points[end]) ? end + 1 : 0;
}

static bool is_control(uint32_t point)
{
    return point < '\t' || point == '\v' || (point > '\r' && point < ' ') || point == 0x7F ||
           (point >= 0x206A && point <= 0x206F) || point == 0xFEFF || (point >= 0xFFF9 && point <= 0xFFFC);
}

static void remove_escapes(struct points *out, const uint32_t *points, size_t count)
{
    for (size_t at = 0; at < count; at++) {
        size_t length = escape_length(points + at, count - at);
        if (length > 0)
            at += length - 1;
        else if (!is_control(points[at]))
            points_put(out, points[at]);
    }
}

static void compose(struct points *out, const uint32_t *points, size_t count)
{
    points_reserve(out, UNICODE_GROWTH * count);
    out->count += unicode_compose(out->items + out->count, points, count, UNICODE_15);
}

/* ---- all ---- */

static void apply(struct points *line, fixer *fix)
{
    struct points out = {0};
    points_reserve(&out, line->count + 1);
    fix(&out, line->items, line->count);
    free(line->items);
    *line = out;
}

/* Whether that changed anything. */
static bool fix_once(struct points *line, bool with_entities, size_t *budget)
{
    struct points before = {0};
    points_append(&before, line->items, line->count);
    if (with_entities)
        apply(line, unescape);
    mojibake_repair(line, budget);
    apply(line, plain_characters);
    apply(line, remove_escapes);
    apply(line, compose);
    bool changed = !points_equal(line, &before);
    free(before.items);
    return changed;
}

/* Appends a line, fixed until nothing changes any more. */
static void fix_line(struct points *out, const uint32_t *points, size_t count, bool with_entities, size_t *budget)
{
    struct points line = {0};
    points_append(&line, points, count);
    while (fix_once(&line, with_entities, budget) && *budget >= line.count)
        *budget -= line.count;
    points_append(out, line.items, line.count);
    free(line.items);
}

void ftfy_fix(struct points *text)
{
    struct points out = {0};
    bool with_entities = true;
    size_t budget = BUDGET + ROUNDS * text->count;
    for (size_t start = 0, end; start < text->count; start = end) {
        for (end = start; end < text->count && end < start + LONGEST_LINE; end++) {
            with_entities = with_entities && text->items[end] != '<';
            if (text->items[end] == '\n') {
                end++;
                break;
            }
        }
        fix_line(&out, text->items + start, end - start, with_entities, &budget);
    }
    free(text->items);
    *text = out;
}
