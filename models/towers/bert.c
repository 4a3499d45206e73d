#include "models/towers/bert.h"

#include <stdio.h>
#include <stdlib.h>

void bert_declare(struct bert *bert, struct arena *arena, const struct bert_config *config, const char *prefix)
{
    const struct param_init init = init_normal(0.02f);
    int width = config->blocks.width;
    char name[128];
#define ADD(part, rows) arena_add(arena, GROUP_TEXT, init, 2, (int[]){rows, width}, "%s.%s", prefix, part)
    *bert = (struct bert){
        .config = *config,
        .features = width,
        .word = ADD("word", config->vocabulary),
        .position = ADD("position", config->positions),
        .type = ADD("type", config->types),
    };
#undef ADD
    snprintf(name, sizeof name, "%s.norm", prefix);
    bert->norm = norm_declare(arena, GROUP_TEXT, width, config->blocks.norm_eps, name);
    transformer_declare(&bert->blocks, arena, GROUP_TEXT, &config->blocks, prefix);
}

void bert_free(struct bert *bert)
{
    transformer_free(&bert->blocks);
}

static struct tensor *pool(struct tape *tape, const struct bert *bert, struct tensor *x,
                           const struct segments *segments)
{
    return bert->config.pooling == POOLING_MEAN ? op_pool_mean(tape, x, segments) : x;
}

struct tensor *bert_forward(struct tape *tape, const struct bert *bert, const int *ids, const int *lengths, int count)
{
    struct segments segments = segments_of_lengths(tape, lengths, count);
    CHECK(segments.longest <= bert->config.positions, "a text of %d tokens for a model of %d positions",
          segments.longest, bert->config.positions);
    int *first_rows = mem_new((size_t)count, sizeof *first_rows); // [count]
    for (int i = 1; i < count; i++)
        first_rows[i] = first_rows[i - 1] + lengths[i - 1];
    struct wanted_rows first = {first_rows, count};

    int scope = tape_scope(tape);
    struct tensor *x = op_text_tokens(tape, bert->word, bert->position, bert->type, ids, &segments, lengths);
    x = norm_forward(tape, &bert->norm, x);
    x = op_dropout(tape, x, bert->config.blocks.dropout);
    tape_leave(tape, scope, x);
    x = transformer_forward(tape, &bert->blocks, x, &segments, bert->config.pooling == POOLING_FIRST ? &first : NULL);
    x = pool(tape, bert, x, &segments);
    if (bert->config.normalise)
        x = op_l2_normalise(tape, x);
    free(first_rows);
    return tape_leave(tape, scope, x);
}
