/* BERT's text normaliser, on code points, as the `tokenizers` library's BertNormalizer and BertPreTokenizer have it.
 *
 *     struct bert_options options = {.clean_text = true, .chinese_spaces = true, .strip_accents = true,
 *                                    .lowercase = true};
 *     uint32_t *normal = mem_new(BERT_GROWTH * count + 1, sizeof *normal);
 *     size_t n = bert_normalize(normal, points, count, &options);       // "Crème  brûlée" -> "creme  brulee"
 *
 * Source: Devlin et al. 2019, tokenization.py (BasicTokenizer), and the library's normalizers/bert.rs. The library
 * takes general categories from Unicode 8 and everything else from newer tables; libutf8proc is corrected to that.
 * What stays different: the canonical order of the few combining marks that are not stripped. A vocabulary would have
 * to hold such letters for an id to differ.
 */
#ifndef OCLIP_BERT_NORMALIZER_H
#define OCLIP_BERT_NORMALIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bert_options {
    bool clean_text;     /* drop NUL, U+FFFD and control characters; every blank becomes a space */
    bool chinese_spaces; /* a space on both sides of each Chinese character */
    bool strip_accents;  /* canonical decomposition without its nonspacing marks */
    bool lowercase;
};

enum { BERT_GROWTH = 4 }; /* no code point becomes more than four (U+1F82 decomposed; a spaced ideograph is three) */

/* Returns how many code points were written. */
size_t bert_normalize(uint32_t *out, const uint32_t *in, size_t count,
                      const struct bert_options *options); // out: [BERT_GROWTH * count], in: [count]

/* Where words end: a space belongs to no word, a punctuation mark is a word of its own. */
bool bert_is_space(uint32_t point);
bool bert_is_punctuation(uint32_t point);

#endif
