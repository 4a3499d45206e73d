/* CLIP's text tower (Radford et al. 2021): causal blocks; the feature is the projected row of the last token. SigLIP's
 * (Zhai et al. 2023): the same with blocks that see everything.
 *
 * CLIP's last token is the end of the text: what may stand behind it (padding) cannot change a causal tower's row, so
 * texts are cut there. Both rules that configs know, the first end-of-text token and the largest id, then mean the
 * last. SigLIP sees its padding: texts come filled up (encoder.h), and the last token is mostly padding. */
#include "models/towers/text_tower.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void declare(struct text_tower *text, struct arena *arena, const char *prefix)
{
    const struct text_config *config = &text->config;
    int width = config->blocks.width, last = arena_place(GROUP_TEXT, config->blocks.layers);
    char name[128];
    text->features = width;
    if (config->projection) {
        snprintf(name, sizeof name, "%s.projection", prefix);
        text->projection = linear_declare(arena, last, width, config->projection, config->projection_bias,
                                          init_normal(1 / sqrtf((float)width)), name);
        text->features = config->projection;
    }
    snprintf(name, sizeof name, "%s.norm", prefix);
    text->norm = norm_declare(arena, last, width, config->blocks.norm_eps, name);
}

static struct tensor *forward(struct tape *tape, const struct text_tower *text, const int *ids, const int *lengths,
                              const struct segments *segments)
{
    int *rows = mem_new((size_t)segments->count, sizeof *rows); // [count]
    for (int i = 0, end = 0; i < segments->count; i++) {
        end += lengths[i];
        rows[i] = end - 1;
    }
    struct tensor *x = op_text_tokens(tape, text->word, text->position, NULL, ids, segments, lengths);
    x = transformer_forward(tape, &text->blocks, x, segments, &(struct wanted_rows){rows, segments->count});
    free(rows);
    x = norm_forward(tape, &text->norm, x);
    return text->projection.weight ? linear_forward(tape, &text->projection, x, ACTIVATION_NONE) : x;
}

const struct text_kind text_clip = {"clip", declare, forward};
