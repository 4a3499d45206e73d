/* BERT's encoder (Devlin et al. 2019) with the pooling of a sentence-transformers folder. */
#include "models/towers/text_tower.h"

#include <stdio.h>
#include <stdlib.h>

static void declare(struct text_tower *text, struct arena *arena, const char *prefix)
{
    const struct transformer_config *blocks = &text->config.blocks;
    int width = blocks->width, last = arena_place(GROUP_TEXT, blocks->layers);
    char name[128];
    text->type =
        arena_add(arena, GROUP_TEXT, init_normal(0.02f), 2, (int[]){text->config.types, width}, "%s.type", prefix);
    if (text->config.pooling == POOLING_POOLER) {
        snprintf(name, sizeof name, "%s.pooler", prefix);
        text->pooler = linear_declare(arena, last, width, width, true, init_normal(0.02f), name);
    }
    snprintf(name, sizeof name, "%s.norm", prefix);
    text->norm = norm_declare(arena, GROUP_TEXT, width, blocks->norm_eps, name);
    text->features = width;
}

static struct tensor *embed(struct tape *tape, const struct text_tower *text, const int *ids, const int *lengths,
                            const struct segments *segments)
{
    int scope = tape_scope(tape);
    struct tensor *x = op_text_tokens(tape, text->word, text->position, text->type, ids, segments, lengths);
    x = norm_forward(tape, &text->norm, x);
    return tape_leave(tape, scope, op_dropout(tape, x, text->config.blocks.dropout));
}

/* Only the first token's row of the last block is used, so only that is computed. [count, width] */
static struct tensor *first_tokens(struct tape *tape, const struct text_tower *text, struct tensor *x,
                                   const int *lengths, const struct segments *segments)
{
    int *rows = mem_new((size_t)segments->count, sizeof *rows); // [count]
    for (int i = 1; i < segments->count; i++)
        rows[i] = rows[i - 1] + lengths[i - 1];
    x = transformer_forward(tape, &text->blocks, x, segments, &(struct wanted_rows){rows, segments->count});
    free(rows);
    return x;
}

static struct tensor *mean_tokens(struct tape *tape, const struct text_tower *text, struct tensor *x,
                                  const int *lengths, const struct segments *segments)
{
    (void)lengths;
    return op_pool_mean(tape, transformer_forward(tape, &text->blocks, x, segments, NULL), segments);
}

static struct tensor *forward(struct tape *tape, const struct text_tower *text, const int *ids, const int *lengths,
                              const struct segments *segments)
{
    struct tensor *x = embed(tape, text, ids, lengths, segments);
    x = (text->config.pooling == POOLING_MEAN ? mean_tokens : first_tokens)(tape, text, x, lengths, segments);
    if (text->pooler.weight)
        x = linear_forward(tape, &text->pooler, x, ACTIVATION_TANH);
    return text->config.normalise ? op_l2_normalise(tape, x) : x;
}

const struct text_kind text_bert = {"bert", declare, forward};
