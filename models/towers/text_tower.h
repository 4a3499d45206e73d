/* Text towers: one struct for all, and a table of functions for what differs between their kinds.
 *
 *     struct text_config config = {.kind = &text_bert, .vocabulary = 30522, ...};     // see models/files/config.h
 *     struct text_tower text;
 *     text_tower_declare(&text, arena, &config, "text");
 *     features = text_tower_forward(tape, &text, ids, lengths, count);      // packed ids -> [count, text.features]
 *
 * Texts travel packed: ids of all texts one after the other, and each one's length; nothing is padded.
 */
#ifndef OCLIP_TEXT_TOWER_H
#define OCLIP_TEXT_TOWER_H

#include "models/towers/transformer.h"

enum pooling { POOLING_MEAN, POOLING_FIRST, POOLING_POOLER /* tanh of a linear map of the first */ };

struct text_config {
    const struct text_kind *kind;
    int vocabulary, positions;
    struct transformer_config blocks;
    /* BERT's */
    int types;
    enum pooling pooling;
    bool normalise; /* divide each pooled vector by its length */
    /* CLIP's and SigLIP's */
    int projection; /* the feature's width; 0: the last norm gives it */
    bool projection_bias;
    int padded, padding; /* SigLIP's: each text is filled up to `padded` tokens (0: never) with the id `padding` */
};

struct text_tower {
    struct text_config config;
    int features;
    struct tensor *word;     // [vocabulary, width]
    struct tensor *position; // [positions, width]
    struct tensor *type;     // [types, width] or NULL
    struct norm norm;        /* BERT: of the embeddings; CLIP: behind the last block */
    struct transformer blocks;
    struct linear pooler, projection; /* weights NULL where there are none */
};

struct text_kind {
    const char *name;
    /* What the kind has beyond word, position and blocks; sets features. */
    void (*declare)(struct text_tower *text, struct arena *arena, const char *prefix);
    struct tensor *(*forward)(struct tape *tape, const struct text_tower *text, const int *ids, const int *lengths,
                              const struct segments *segments);
};
extern const struct text_kind text_bert, text_clip; /* bert.c, clip_text.c */

void text_tower_declare(struct text_tower *text, struct arena *arena, const struct text_config *config,
                        const char *prefix);
void text_tower_free(struct text_tower *text);

/* ids [sum of lengths], lengths [count], both on the host; no text is empty */
struct tensor *text_tower_forward(struct tape *tape, const struct text_tower *text, const int *ids, const int *lengths,
                                  int count);

#endif
