/* What a tokenizer of one kind gives to tokenizer.c, and what it is given. Only files of this folder include this.
 *
 *     const struct tokenizer_kind wordpiece_kind = {"WordPiece", wordpiece_fits, wordpiece_open, ...};
 *
 * A new kind is one .c with such a table and one line in tokenizer.c's list.
 */
#ifndef OCLIP_TOKENIZER_KIND_H
#define OCLIP_TOKENIZER_KIND_H

#include "runtime/util/error.h"

#include <jansson.h>
#include <stdbool.h>

/* The files of a model folder, read already; NULL where there is none. They are dropped after open(). */
struct tokenizer_files {
    const char *folder;
    char *vocabulary_path;  /* vocab.txt */
    char *tokenizer_path;   /* tokenizer.json, for messages */
    json_t *tokenizer;      /* tokenizer.json */
    json_t *config;         /* tokenizer_config.json */
    json_t *sentence;       /* sentence_bert_config.json */
    json_t *special_tokens; /* special_tokens_map.json */
};

struct tokenizer_kind {
    const char *name;
    bool (*fits)(const struct tokenizer_files *files);
    int (*open)(void **state, const struct tokenizer_files *files, struct error *err);
    int (*encode)(const void *state, int *ids, int limit, const char *text); // ids: [limit]
    int (*vocabulary_size)(const void *state);
    void (*close)(void *state);
};

#endif
