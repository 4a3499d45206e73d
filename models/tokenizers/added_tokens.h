/* Added tokens: those, like "[SEP]", that are found in the text itself before it is cut into words.
 *
 *     struct added_tokens added = {0};
 *     added_tokens_add(&added, mask, 6, 103);                        // takes over mask: [6]
 *     const struct added_token *token = added_tokens_match(&added, points, count);   // longest at points[0], or NULL
 *     added_tokens_free(&added);
 *
 * Tokens and text are code points. Matching goes from left to right and takes the longest, as the reference's
 * AddedVocabulary does. Blanks that a token may swallow (lstrip, rstrip) produce no ids here and are not modelled.
 */
#ifndef OCLIP_ADDED_TOKENS_H
#define OCLIP_ADDED_TOKENS_H

#include "models/tokenizers/token_ids.h"

#include <stddef.h>
#include <stdint.h>

struct added_token {
    uint32_t *points; // [count]
    size_t count;
    int id;
};

struct added_tokens {
    struct added_token *items; // [count]
    size_t count;
};

/* Takes over points. A token of no code points is left out. */
void added_tokens_add(struct added_tokens *tokens, uint32_t *points, size_t count, int id); // points: [count]

const struct added_token *added_tokens_match(const struct added_tokens *tokens, const uint32_t *points,
                                             size_t count); // points: [count]

/* Writes the ids of the tokens in a text, and has `encode` write those of the stretches between them, until out is
 * full. */
typedef void added_tokens_encode(const void *state, struct token_ids *out, const uint32_t *points,
                                 size_t count); // points: [count]
void added_tokens_between(struct token_ids *out, const struct added_tokens *tokens, added_tokens_encode *encode,
                          const void *state, const uint32_t *points, size_t count); // points: [count]

void added_tokens_free(struct added_tokens *tokens);

#endif
