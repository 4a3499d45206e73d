/* What a tokenizer of one kind gives to tokenizer.c, and what it is given. Only files of this folder include this.
 *
 *     const struct tokenizer_kind wordpiece_kind = {"WordPiece", wordpiece_fits, wordpiece_open, ...};
 *
 * A new kind is one .c with such a table and one line in tokenizer.c's list.
 */
#ifndef OCLIP_TOKENIZER_KIND_H
#define OCLIP_TOKENIZER_KIND_H

#include "models/tokenizers/tokenizer_files.h"
#include "runtime/util/error.h"

#include <stdbool.h>

struct tokenizer_kind {
    const char *name;
    int usual_length; /* ids, where the configuration does not say for how many the model was made */
    bool (*fits)(const struct tokenizer_files *files);
    int (*open)(void **state, const struct tokenizer_files *files, struct error *err);
    int (*encode)(const void *state, int *ids, int limit, const char *text); // ids: [limit]
    int (*vocabulary_size)(const void *state);
    int (*pad_id)(const void *state); /* NULL: padding is never seen */
    void (*close)(void *state);
};

#endif
