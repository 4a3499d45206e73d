/* BERT's encoder (Devlin et al. 2019) with the pooling of a sentence-transformers folder.
 *
 *     struct bert bert;
 *     bert_declare(&bert, arena, &config, "text");
 *     features = bert_forward(tape, &bert, ids, lengths, count);      // packed ids -> [count, width]
 *
 * Texts travel packed: ids of all texts one after the other, and each one's length; nothing is padded.
 */
#ifndef OCLIP_BERT_H
#define OCLIP_BERT_H

#include "models/towers/transformer.h"

enum pooling { POOLING_MEAN, POOLING_FIRST };

struct bert_config {
    int vocabulary, positions, types;
    enum pooling pooling;
    bool normalise; /* divide each pooled vector by its length */
    struct transformer_config blocks;
};

struct bert {
    struct bert_config config;
    int features;
    struct tensor *word;     // [vocabulary, width]
    struct tensor *position; // [positions, width]
    struct tensor *type;     // [types, width]
    struct norm norm;
    struct transformer blocks;
};

void bert_declare(struct bert *bert, struct arena *arena, const struct bert_config *config, const char *prefix);
void bert_free(struct bert *bert);

/* ids [sum of lengths], lengths [count], both on the host */
struct tensor *bert_forward(struct tape *tape, const struct bert *bert, const int *ids, const int *lengths, int count);

#endif
