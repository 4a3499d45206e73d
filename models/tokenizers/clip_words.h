/* What CLIP's tokenizer does before it merges bytes: normalise, and cut into words.
 *
 *     uint32_t *normal = mem_new(CLIP_GROWTH * count + 1, sizeof *normal);
 *     struct clip_words words = {.points = normal, .count = clip_normalize(normal, points, count)};
 *     for (size_t start, length; clip_words_next(&start, &length, &words);)
 *         ...                                       // "It's 42!" -> "it" "'s" "4" "2" "!"
 *
 * Words are those of the pattern
 *     's|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+
 * Sources: Radford et al. 2021 (CLIP), simple_tokenizer.py; transformers' CLIPTokenizer; open_clip's SimpleTokenizer.
 */
#ifndef OCLIP_CLIP_WORDS_H
#define OCLIP_CLIP_WORDS_H

#include "models/tokenizers/unicode.h"

enum { CLIP_GROWTH = UNICODE_GROWTH };

/* Composed (NFC), each run of blanks one space, lower case. Returns how many code points were written. */
size_t clip_normalize(uint32_t *out, const uint32_t *in, size_t count); // out: [CLIP_GROWTH * count], in: [count]

enum clip_pattern {
    CLIP_PLAIN,
    CLIP_SPELLED,   /* starts with <\|startoftext\|>|<\|endoftext\|>|, whose matches are cut into words themselves */
    CLIP_OPEN_CLIP, /* starts with <start_of_text>|<end_of_text>|, words of their own; capitals do not matter */
};

struct clip_words {
    const uint32_t *points; // [count], normalised
    size_t count;
    enum clip_pattern pattern;
    size_t at, special_end;
};

/* The next word, or false after the last. */
bool clip_words_next(size_t *start, size_t *length, struct clip_words *words);

#endif
