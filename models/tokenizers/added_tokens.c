#include "models/tokenizers/added_tokens.h"

#include "runtime/util/error.h"

#include <stdlib.h>
#include <string.h>

void added_tokens_add(struct added_tokens *tokens, uint32_t *points, size_t count, int id)
{
    if (count == 0) {
        free(points);
        return;
    }
    tokens->items = mem_grow(tokens->items, tokens->count + 1, sizeof *tokens->items);
    tokens->items[tokens->count++] = (struct added_token){points, count, id};
}

const struct added_token *added_tokens_match(const struct added_tokens *tokens, const uint32_t *points, size_t count)
{
    const struct added_token *longest = NULL;
    for (size_t i = 0; i < tokens->count; i++) {
        const struct added_token *token = &tokens->items[i];
        if (token->points[0] != points[0] || token->count > count || (longest && token->count <= longest->count))
            continue;
        if (memcmp(token->points, points, token->count * sizeof *points) == 0)
            longest = token;
    }
    return longest;
}

void added_tokens_between(struct token_ids *out, const struct added_tokens *tokens, added_tokens_encode *encode,
                          const void *state, const uint32_t *points, size_t count)
{
    size_t start = 0;
    for (size_t at = 0; at < count && !token_ids_full(out);) {
        const struct added_token *token = added_tokens_match(tokens, points + at, count - at);
        if (!token) {
            at++;
            continue;
        }
        encode(state, out, points + start, at - start);
        token_ids_put(out, token->id);
        start = at += token->count;
    }
    encode(state, out, points + start, count - start);
}

void added_tokens_free(struct added_tokens *tokens)
{
    for (size_t i = 0; i < tokens->count; i++)
        free(tokens->items[i].points);
    free(tokens->items);
    *tokens = (struct added_tokens){0};
}
