#include "models/tokenizers/clip_words.h"

#include "runtime/util/error.h"

#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum { FIRST_COMPOSING = 0x300 }; /* nothing below it is changed by NFC unless something above it is there */

size_t clip_normalize(uint32_t *out, const uint32_t *in, size_t count)
{
    uint32_t *composed = NULL;
    for (size_t i = 0; i < count && !composed; i++)
        if (in[i] >= FIRST_COMPOSING)
            composed = mem_new(UNICODE_GROWTH * count, sizeof *composed);
    if (composed) {
        count = unicode_compose(composed, in, count);
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

/* The length of the first of the texts that points start with, or 0. */
static size_t match_any(const char *const *texts, size_t choices, const uint32_t *points, size_t count)
{
    for (size_t i = 0; i < choices; i++) {
        size_t n = 0;
        while (n < count && texts[i][n] && points[n] == (unsigned char)texts[i][n])
            n++;
        if (!texts[i][n])
            return n;
    }
    return 0;
}

static size_t special_length(const uint32_t *points, size_t count)
{
    static const char *const specials[] = {"<|startoftext|>", "<|endoftext|>"};
    return match_any(specials, COUNT(specials), points, count);
}

static size_t word_length(const uint32_t *points, size_t count)
{
    static const char *const contractions[] = {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"};
    size_t length = points[0] == '\'' ? match_any(contractions, COUNT(contractions), points, count) : 0;
    if (length > 0)
        return length;
    enum unicode_class class = unicode_class(points[0]);
    length = 1;
    while (class != UNICODE_NUMBER && length < count && unicode_class(points[length]) == class)
        length++;
    return length;
}

bool clip_words_next(size_t *start, size_t *length, struct clip_words *words)
{
    while (words->at < words->count && words->points[words->at] == ' ')
        words->at++;
    if (words->at == words->count)
        return false;
    /* A special that is spelled out is cut off from what surrounds it, and then into words itself. */
    if (words->spelled_specials && words->at >= words->special_end)
        words->special_end = words->at + special_length(words->points + words->at, words->count - words->at);
    size_t end = words->special_end > words->at ? words->special_end : words->count;
    *start = words->at;
    *length = word_length(words->points + words->at, end - words->at);
    words->at += *length;
    return true;
}
