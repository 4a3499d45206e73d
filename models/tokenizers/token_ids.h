/* The ids of one text as an encoder writes them: counted on past the limit, kept up to it.
 *
 *     struct token_ids out = {.ids = ids, .limit = 76};
 *     token_ids_put(&out, 49406);
 */
#ifndef OCLIP_TOKEN_IDS_H
#define OCLIP_TOKEN_IDS_H

#include <stdbool.h>

struct token_ids {
    int *ids; // [limit]
    int count, limit;
};

static inline void token_ids_put(struct token_ids *out, int id)
{
    if (out->count < out->limit)
        out->ids[out->count] = id;
    out->count++;
}

static inline bool token_ids_full(const struct token_ids *out)
{
    return out->count >= out->limit;
}

/* Ends the text with `id`, for which one place behind the limit is kept; returns how many ids there are. */
static inline int token_ids_end(struct token_ids *out, int id)
{
    int written = token_ids_full(out) ? out->limit : out->count;
    out->ids[written] = id;
    return written + 1;
}

#endif
