#include "models/towers/text_tower.h"

#include <stdio.h>

void text_tower_declare(struct text_tower *text, struct arena *arena, const struct text_config *config,
                        const char *prefix)
{
    const struct param_init init = init_normal(0.02f);
    int width = config->blocks.width;
    *text = (struct text_tower){
        .config = *config,
        .word = arena_add(arena, GROUP_TEXT, init, 2, (int[]){config->vocabulary, width}, "%s.word", prefix),
        .position = arena_add(arena, GROUP_TEXT, init, 2, (int[]){config->positions, width}, "%s.position", prefix),
    };
    config->kind->declare(text, arena, prefix);
    transformer_declare(&text->blocks, arena, GROUP_TEXT, &config->blocks, prefix);
}

void text_tower_free(struct text_tower *text)
{
    transformer_free(&text->blocks);
}

struct tensor *text_tower_forward(struct tape *tape, const struct text_tower *text, const int *ids, const int *lengths,
                                  int count)
{
    struct segments segments = segments_of_lengths(tape, lengths, count);
    CHECK(segments.longest <= text->config.positions, "a text of %d tokens for a model of %d positions",
          segments.longest, text->config.positions);
    int scope = tape_scope(tape);
    return tape_leave(tape, scope, text->config.kind->forward(tape, text, ids, lengths, &segments));
}
