#include "models/tokenizers/utf8.h"

#include "runtime/util/error.h"

#include <stdbool.h>
#include <string.h>

/* Well-formed sequences (Unicode 15, table 3-7): the lead bytes, what may follow them first, and how many bytes in all.
 * The narrowed second bytes keep out overlong forms, surrogates and what lies above U+10FFFF. */
static const struct sequence {
    unsigned char first, last; /* lead byte */
    unsigned char second_low, second_high;
    unsigned char length;
    unsigned char lead_mask;
} sequences[] = {
    {0xC2, 0xDF, 0x80, 0xBF, 2, 0x1F}, {0xE0, 0xE0, 0xA0, 0xBF, 3, 0x0F}, {0xE1, 0xEC, 0x80, 0xBF, 3, 0x0F},
    {0xED, 0xED, 0x80, 0x9F, 3, 0x0F}, {0xEE, 0xEF, 0x80, 0xBF, 3, 0x0F}, {0xF0, 0xF0, 0x90, 0xBF, 4, 0x07},
    {0xF1, 0xF3, 0x80, 0xBF, 4, 0x07}, {0xF4, 0xF4, 0x80, 0x8F, 4, 0x07},
};

static const struct sequence *sequence_of(unsigned char lead)
{
    for (size_t i = 0; i < sizeof sequences / sizeof sequences[0]; i++)
        if (lead >= sequences[i].first && lead <= sequences[i].last)
            return &sequences[i];
    return NULL;
}

size_t utf8_decode(uint32_t *point, const char *text)
{
    const unsigned char *bytes = (const unsigned char *)text;
    if (bytes[0] < 0x80) {
        *point = bytes[0];
        return 1;
    }
    *point = UTF8_REPLACEMENT;
    const struct sequence *sequence = sequence_of(bytes[0]);
    if (!sequence)
        return 1;
    uint32_t value = bytes[0] & sequence->lead_mask;
    for (size_t i = 1; i < sequence->length; i++) {
        unsigned char low = i == 1 ? sequence->second_low : 0x80, high = i == 1 ? sequence->second_high : 0xBF;
        if (bytes[i] < low || bytes[i] > high) /* the final NUL stops here too */
            return i;
        value = value << 6 | (bytes[i] & 0x3F);
    }
    *point = value;
    return sequence->length;
}

size_t utf8_encode(char *text, uint32_t point)
{
    static const unsigned char lead_marks[] = {0, 0, 0xC0, 0xE0, 0xF0};
    size_t length = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    for (size_t i = length - 1; i > 0; i--, point >>= 6)
        text[i] = (char)(0x80 | (point & 0x3F));
    text[0] = (char)(lead_marks[length] | point);
    return length;
}

uint32_t *utf8_decode_all(size_t *count, const char *text)
{
    uint32_t *points = mem_new(strlen(text) + 1, sizeof *points);
    *count = 0;
    while (*text)
        text += utf8_decode(&points[(*count)++], text);
    return points;
}

char *utf8_encode_all(const uint32_t *points, size_t count)
{
    char *text = mem_new(UTF8_LONGEST * count + 1, 1);
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += utf8_encode(text + bytes, points[i]);
    return text;
}
