#include "models/tokenizers/utf8_repair.h"

#include "models/tokenizers/utf8.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- patterns of bytes ---- */

enum byte_kind {
    SPACE = 1 << 0,
    LOST = 1 << 1,         /* 1A, which one-byte encodings have for U+FFFD */
    QUESTION = 1 << 2,     /* "?" */
    TAIL = 1 << 3,         /* a continuation byte */
    LIKELY_TAIL = 1 << 4,  /* not 85 or A0, which stand for themselves too often */
    HIGH_TAIL = 1 << 5,    /* of a high surrogate */
    LOW_TAIL = 1 << 6,     /* of a low surrogate */
    LEAD_2 = 1 << 7,       /* leads a sequence of two */
    LATIN_LEAD = 1 << 8,   /* of U+0080 to U+00FF */
    BEFORE_SPACE = 1 << 9, /* leads two bytes that make a likely letter with A0 */
    LEAD_3 = 1 << 10,      /* leads a sequence of three */
    SCRIPT_LEAD = 1 << 11, /* of U+0000 to U+3FFF */
    SPACED_LEAD = 1 << 12, /* of U+2000 to U+3FFF, where A0 is as likely as any */
    SURROGATE = 1 << 13,   /* leads half a surrogate pair */
    LEAD_4 = 1 << 14,      /* leads a sequence of four */
    EMOJI_LEAD = 1 << 15,  /* of U+10000 to U+3FFFF */

    FIRST = LOST | LEAD_2 | LEAD_3 | LEAD_4, /* with what a pattern begins */
};

static const struct {
    unsigned char first, last;
    enum byte_kind kind;
} kinds[] = {
    {0x20, 0x20, SPACE},        {0x1A, 0x1A, LOST},         {'?', '?', QUESTION},       {0x80, 0xBF, TAIL},
    {0x80, 0x84, LIKELY_TAIL},  {0x86, 0x9F, LIKELY_TAIL},  {0xA1, 0xBF, LIKELY_TAIL},  {0xA0, 0xAF, HIGH_TAIL},
    {0xB0, 0xBF, LOW_TAIL},     {0xC2, 0xDF, LEAD_2},       {0xC2, 0xC3, LATIN_LEAD},   {0xC2, 0xC3, BEFORE_SPACE},
    {0xC5, 0xC5, BEFORE_SPACE}, {0xCE, 0xCE, BEFORE_SPACE}, {0xD0, 0xD0, BEFORE_SPACE}, {0xD9, 0xD9, BEFORE_SPACE},
    {0xE0, 0xEF, LEAD_3},       {0xE0, 0xE3, SCRIPT_LEAD},  {0xE2, 0xE3, SPACED_LEAD},  {0xED, 0xED, SURROGATE},
    {0xF0, 0xF4, LEAD_4},       {0xF0, 0xF0, EMOJI_LEAD},
};

enum { LONGEST_PATTERN = 6 };

struct pattern {
    uint32_t places[LONGEST_PATTERN]; /* which kinds of byte may stand there; 0: the end */
};

static uint32_t kinds_of(unsigned char byte)
{
    uint32_t found = 0;
    for (size_t i = 0; i < COUNT(kinds); i++)
        found |= byte >= kinds[i].first && byte <= kinds[i].last ? kinds[i].kind : 0;
    return found;
}

/* The length of the first pattern that the bytes begin with, or 0. */
static size_t match(const struct pattern *patterns, size_t pattern_count, const unsigned char *bytes, size_t count)
{
    uint32_t found[LONGEST_PATTERN] = {kinds_of(bytes[0])};
    if (!(found[0] & FIRST))
        return 0;
    for (size_t i = 1; i < LONGEST_PATTERN && i < count; i++)
        found[i] = kinds_of(bytes[i]);
    for (size_t i = 0; i < pattern_count; i++) {
        size_t length = 0;
        while (length < LONGEST_PATTERN && patterns[i].places[length] & found[length])
            length++;
        if (length == LONGEST_PATTERN || !patterns[i].places[length])
            return length;
    }
    return 0;
}

/* ---- spaces that were A0 ---- */

/* "Ã la" was "à la", with both spaces; "Ã quele", "Ã s" were "àquele", "às". */
static bool is_a_grave(const unsigned char *bytes, size_t count)
{
    static const char *const inside[] = {" ", "quele", "quela", "quilo", "s "};
    if (count < 2 || bytes[0] != 0xC3 || bytes[1] != ' ')
        return false;
    for (size_t i = 0; i < COUNT(inside); i++)
        if (strlen(inside[i]) <= count - 2 && memcmp(bytes + 2, inside[i], strlen(inside[i])) == 0)
            return false;
    return true;
}

size_t utf8_repair_spaces(unsigned char *out, const unsigned char *bytes, size_t count)
{
    static const struct pattern patterns[] = {
        {{BEFORE_SPACE, SPACE}},           {{SPACED_LEAD, SPACE, LIKELY_TAIL}}, {{SCRIPT_LEAD, LIKELY_TAIL, SPACE}},
        {{EMOJI_LEAD, SPACE, TAIL, TAIL}}, {{EMOJI_LEAD, TAIL, SPACE, TAIL}},   {{EMOJI_LEAD, TAIL, TAIL, SPACE}},
    };
    size_t written = 0, length;
    for (size_t at = 0; at < count; at += length) {
        bool a_grave = is_a_grave(bytes + at, count - at);
        length = match(patterns, COUNT(patterns), bytes + at, count - at);
        for (size_t i = 0; i < length; i++)
            out[written++] = bytes[at + i] == ' ' ? 0xA0 : bytes[at + i];
        if (a_grave)
            out[written++] = ' ';
        if (length == 0)
            out[written++] = bytes[at + length++];
    }
    return written;
}

/* ---- lost bytes ---- */

size_t utf8_repair_losses(unsigned char *out, const unsigned char *bytes, size_t count)
{
    static const struct pattern patterns[] = {
        {{LEAD_2, LOST}},
        {{LATIN_LEAD, QUESTION}},
        {{SURROGATE, HIGH_TAIL, LOST | QUESTION, SURROGATE, LOW_TAIL, LOST | QUESTION | TAIL}},
        {{SURROGATE, HIGH_TAIL, LOST | QUESTION | TAIL, SURROGATE, LOW_TAIL, LOST | QUESTION}},
        {{LEAD_3, LOST | QUESTION, LOST | TAIL}},
        {{LEAD_3, LOST | TAIL, LOST | QUESTION}},
        {{LEAD_4, LOST | QUESTION, LOST | TAIL, LOST | TAIL}},
        {{LEAD_4, LOST | TAIL, LOST | QUESTION, LOST | TAIL}},
        {{LEAD_4, LOST | TAIL, LOST | TAIL, LOST | QUESTION}},
        {{LOST}},
    };
    size_t written = 0, length;
    for (size_t at = 0; at < count; at += length) {
        length = match(patterns, COUNT(patterns), bytes + at, count - at);
        if (length > 0)
            written += utf8_encode((char *)out + written, UTF8_REPLACEMENT);
        else
            out[written++] = bytes[at + length++];
    }
    return written;
}

/* ---- decoding ---- */

static bool is_tail(unsigned char byte)
{
    return (byte & 0xC0) == 0x80;
}

/* The length of what only variants of UTF-8 have, or 0. ftfy takes a newline that ends the text for a last byte. */
static size_t decode_variant(uint32_t *point, const unsigned char *bytes, size_t count)
{
    if (count >= 2 && bytes[0] == 0xC0 && (bytes[1] == 0x80 || (bytes[1] == '\n' && count == 2))) {
        *point = 0;
        return 2;
    }
    if (count < 6 || bytes[0] != 0xED || bytes[3] != 0xED || !is_tail(bytes[2]) || bytes[1] >> 4 != 0xA ||
        bytes[4] >> 4 != 0xB || !(is_tail(bytes[5]) || (bytes[5] == '\n' && count == 6)))
        return 0;
    *point =
        0x10000u + ((bytes[1] & 0xFu) << 16 | (bytes[2] & 0x3Fu) << 10 | (bytes[4] & 0xFu) << 6 | (bytes[5] & 0x3Fu));
    return 6;
}

bool utf8_repair_decode(struct points *out, const unsigned char *bytes, size_t count)
{
    static const char replacement[] = "\xEF\xBF\xBD"; /* in UTF-8 */
    for (size_t at = 0; at < count;) {
        const char *text = (const char *)bytes + at;
        uint32_t point;
        size_t length = decode_variant(&point, bytes + at, count - at);
        if (length == 0)
            length = utf8_decode(&point, text);
        if (point == UTF8_REPLACEMENT && strncmp(text, replacement, sizeof replacement - 1) != 0)
            return false;
        points_put(out, point);
        at += length;
    }
    return true;
}
