#include "models/tokenizers/html_text.h"

#include "models/tokenizers/utf8.h"

#include <string.h>

enum {
    LONGEST_NAME = 32, /* of what is looked up */
    LAST_POINT = 0x10FFFF,
};

/* ---- names ---- */

static bool is_letter_or_digit(uint32_t point)
{
    return (point >= '0' && point <= '9') || (point >= 'A' && point <= 'Z') || (point >= 'a' && point <= 'z');
}

static int compare(const char *name, size_t length, const char *line)
{
    int order = strncmp(name, line, length);
    return order != 0 ? order : -(int)is_letter_or_digit((unsigned char)line[length]);
}

size_t html_entity(uint32_t *value, const char *name, size_t length, bool bare)
{
    size_t low = 0, high = html_entities_size, count = 0; /* where entries begin */
    while (low < high) {
        size_t start = low + (high - low) / 2;
        while (start > low && html_entities[start - 1])
            start--;
        const char *entry = html_entities + start, *end = entry + length;
        int order = compare(name, length, entry);
        if (order < 0)
            high = start;
        if (order > 0)
            low = start + strlen(entry) + 1;
        if (order != 0)
            continue;
        for (const char *at = end + 1; *at && !(bare && *end == ';'); count++)
            at += utf8_decode(&value[count], at);
        return count;
    }
    return 0;
}

/* ---- numbers ---- */

uint32_t html_windows_1252(uint32_t point)
{
    static const uint16_t table[] = {0x20AC, 0x81,   0x201A, 0x192,  0x201E, 0x2026, 0x2020, 0x2021,
                                     0x2C6,  0x2030, 0x160,  0x2039, 0x152,  0x8D,   0x17D,  0x8F,
                                     0x90,   0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
                                     0x2DC,  0x2122, 0x161,  0x203A, 0x153,  0x9D,   0x17E,  0x178};
    return point >= 0x80 && point <= 0x9F ? table[point - 0x80] : point;
}

static void put_number(struct points *out, uint32_t number)
{
    bool nothing = number >= 1 && number < ' ' && number != '\t' && number != '\n' && number != '\f' && number != '\r';
    nothing = nothing || number == 0x7F || (number >= 0xFDD0 && number <= 0xFDEF) || (number & 0xFFFE) == 0xFFFE;
    if (number == 0 || number > LAST_POINT || (number >= 0xD800 && number <= 0xDFFF))
        points_put(out, UTF8_REPLACEMENT);
    else if (!nothing)
        points_put(out, html_windows_1252(number));
}

static int digit_of(uint32_t point, uint32_t base)
{
    uint32_t lower = point | 0x20;
    if (point >= '0' && point <= '9')
        return (int)(point - '0');
    return base == 16 && lower >= 'a' && lower <= 'f' && point < 0x80 ? (int)(lower - 'a') + 10 : -1;
}

/* "&#...": returns the code points it takes, or 0. */
static size_t put_numeric(struct points *out, const uint32_t *points, size_t count)
{
    bool hexadecimal = count > 2 && (points[2] == 'x' || points[2] == 'X');
    uint32_t base = hexadecimal ? 16 : 10, number = 0;
    size_t start = hexadecimal ? 3 : 2, at = start;
    for (int digit; at < count && (digit = digit_of(points[at], base)) >= 0; at++)
        number = number > LAST_POINT ? number : number * base + (uint32_t)digit;
    if (at == start)
        return 0;
    put_number(out, number);
    return at + (at < count && points[at] == ';');
}

/* ---- either ---- */

static bool ends_name(uint32_t point)
{
    return point == '\t' || point == '\n' || point == '\f' || point == ' ' || point == '<' || point == '&' ||
           point == '#' || point == ';';
}

/* "&name;", "&name", or the longest beginning of a name that is one without a semicolon. */
static size_t put_named(struct points *out, const uint32_t *points, size_t count)
{
    char name[LONGEST_NAME];
    uint32_t value[HTML_LONGEST];
    size_t letters = 0, end = 1;
    while (letters < LONGEST_NAME && 1 + letters < count && is_letter_or_digit(points[1 + letters])) {
        name[letters] = (char)points[1 + letters];
        letters++;
    }
    while (end < count && end <= LONGEST_NAME && !ends_name(points[end]))
        end++;
    bool closed = end < count && points[end] == ';' && letters == end - 1;
    for (size_t length = letters; length >= 2; length--) {
        size_t found = html_entity(value, name, length, !(closed && length == letters));
        points_append(out, value, found);
        if (found > 0)
            return 1 + length + (closed && length == letters);
    }
    return 0;
}

void html_unescape(struct points *out, const uint32_t *points, size_t count)
{
    for (size_t at = 0; at < count;) {
        size_t taken = 0;
        if (points[at] == '&' && at + 1 < count)
            taken = points[at + 1] == '#' ? put_numeric(out, points + at, count - at)
                                          : put_named(out, points + at, count - at);
        if (taken == 0)
            points_put(out, points[at]);
        at += taken > 0 ? taken : 1;
    }
}
