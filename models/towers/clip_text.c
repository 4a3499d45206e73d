/* CLIP's text tower (Radford et al. 2021): causal blocks; the feature is the projected row of the end-of-text token.
 *
 * That token is the last of each text: what may stand behind it (padding) cannot change a causal tower's row, so texts
 * are cut there. Both rules that configs know, the first end-of-text token and the largest id, then mean the last. */
#include "models/towers/text_tower.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void declare(struct text_tower *text, struct arena *arena, const char *prefix)
{
    int width = text->config.blocks.width;
    char name[128];
    snprintf(name, sizeof name, "%s.projection", prefix);
    text->projection = linear_declare(arena, GROUP_TEXT, width, text->config.projection, false,
                                      init_normal(1 / sqrtf((float)width)), name);
    text->features = text->config.projection;
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
    return linear_forward(tape, &text->projection, norm_forward(tape, &text->norm, x), ACTIVATION_NONE);
}

const struct text_kind text_clip = {"clip", declare, forward};
