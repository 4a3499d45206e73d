#include "models/tokenizers/clip_words.h"

#include "runtime/util/error.h"

#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum {
    FIRST_COMPOSING = 0x300, /* nothing below it is changed by NFC unless something above it is there */
    LONG_S = 0x17F,
    IOTA_MARK = 0x345,
    KELVIN = 0x212A,
};

size_t clip_normalize(uint32_t *out, const uint32_t *in, size_t count)
{
    uint32_t *composed = NULL;
    for (size_t i = 0; i < count && !composed; i++)
        if (in[i] >= FIRST_COMPOSING)
            composed = mem_new(UNICODE_GROWTH * count, sizeof *composed);
    if (composed) {
        count = unicode_compose(composed, in, count, UNICODE_9);
        in = composed;
    }
    size_t written = 0;
    for (size_t i = 0; i < count; i++) {
        if (unicode_class(in[i]) != UNICODE_SPACE)
            written += unicode_lowercase(out + written, in[i]);
        else if (written == 0 || out[written - 1] != ' ')
            out[written++] = ' ';
    }
    free(composed);
    return written;
}

/* The ASCII letter that `regex` takes a character for where case is ignored: the long s and the Kelvin sign too. */
static uint32_t folded(uint32_t point)
{
    if (point == LONG_S || point == KELVIN)
        return point == LONG_S ? 's' : 'k';
    return point >= 'A' && point <= 'Z' ? point - 'A' + 'a' : point;
}

/* The length of the first of the texts that points start with, or 0. */
static size_t match_any(const char *const *texts, size_t choices, const uint32_t *points, size_t count, bool fold)
{
    for (size_t i = 0; i < choices; i++) {
        size_t n = 0;
        while (n < count && texts[i][n] && (fold ? folded(points[n]) : points[n]) == (unsigned char)texts[i][n])
            n++;
        if (!texts[i][n])
            return n;
    }
    return 0;
}

static size_t special_length(const uint32_t *points, size_t count, enum clip_pattern pattern)
{
    static const char *const spelled[] = {"<|startoftext|>", "<|endoftext|>"};
    static const char *const open_clip[] = {"<start_of_text>", "<end_of_text>"};
    if (pattern == CLIP_PLAIN || points[0] != '<')
        return 0;
    bool fold = pattern == CLIP_OPEN_CLIP;
    return match_any(fold ? open_clip : spelled, COUNT(spelled), points, count, fold);
}

/* Where case is ignored, U+0345 is no letter, and no other character either, since its capital is the letter iota. */
static enum unicode_class class_of(uint32_t point, enum clip_pattern pattern)
{
    return pattern == CLIP_OPEN_CLIP && point == IOTA_MARK ? UNICODE_SPACE : unicode_class(point);
}

static size_t word_length(const uint32_t *points, size_t count, enum clip_pattern pattern)
{
    static const char *const contractions[] = {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"};
    size_t length = 0;
    if (points[0] == '\'')
        length = match_any(contractions, COUNT(contractions), points, count, pattern == CLIP_OPEN_CLIP);
    if (length > 0)
        return length;
    enum unicode_class class = class_of(points[0], pattern);
    length = 1;
    while (class != UNICODE_NUMBER && length < count && class_of(points[length], pattern) == class)
        length++;
    return length;
}

bool clip_words_next(size_t *start, size_t *length, struct clip_words *words)
{
    while (words->at < words->count && class_of(words->points[words->at], words->pattern) == UNICODE_SPACE)
        words->at++;
    if (words->at == words->count)
        return false;
    const uint32_t *points = words->points + words->at;
    size_t special = 0;
    if (words->at >= words->special_end)
        special = special_length(points, words->count - words->at, words->pattern);
    if (special > 0)
        words->special_end = words->at + special;
    *start = words->at;
    if (special > 0 && words->pattern == CLIP_OPEN_CLIP) {
        *length = special;
    } else { /* inside a special that is spelled out, a word ends where that does */
        size_t end = words->special_end > words->at ? words->special_end : words->count;
        *length = word_length(points, end - words->at, words->pattern);
    }
    words->at += *length;
    return true;
}
