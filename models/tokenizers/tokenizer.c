#include "models/tokenizers/tokenizer.h"

#include "models/tokenizers/bpe.h"
#include "models/tokenizers/gemma.h"
#include "models/tokenizers/siglip.h"
#include "models/tokenizers/tokenizer_kind.h"
#include "models/tokenizers/wordpiece.h"
#include "runtime/util/json.h"

#include <stdlib.h>

enum { SHORTEST = 2, LONGEST = 1 << 16 };

struct tokenizer {
    const struct tokenizer_kind *kind;
    void *state;
    int max_length;
    enum open_clip_cleaning cleaning;
};

static const struct tokenizer_kind *const kinds[] = {&siglip_kind, &wordpiece_kind, &gemma_kind, &bpe_kind};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static int find_kind(const struct tokenizer_kind **kind, const struct tokenizer_files *files, struct error *err)
{
    for (size_t i = 0; i < COUNT(kinds); i++) {
        *kind = kinds[i];
        if (kinds[i]->fits(files))
            return 0;
    }
    return error_set(err, EXIT_BAD_DATA,
                     "%s: model.type is \"%.64s\"; only WordPiece and BPE tokenizers can be read, and SentencePiece's "
                     "from spiece.model: put that file of the model beside it",
                     files->tokenizer_path,
                     json_text_or(json_object_get(files->tokenizer, "model"), "type", "not given"));
}

/* Configurations write 10^30 for "no limit". */
static int length_or(const json_t *object, const char *key, int otherwise)
{
    double length = json_real_or(object, key, 0);
    return length >= SHORTEST && length <= LONGEST ? (int)length : otherwise;
}

int tokenizer_open(struct tokenizer **out, const char *folder, struct error *err)
{
    struct tokenizer_files files;
    struct tokenizer *tokenizer = mem_new(1, sizeof *tokenizer);
    int result = tokenizer_files_read(&files, folder, err);
    if (result == 0)
        result = find_kind(&tokenizer->kind, &files, err);
    if (result == 0)
        result = tokenizer->kind->open(&tokenizer->state, &files, err);
    if (result == 0) {
        int length = length_or(files.config, "model_max_length", tokenizer->kind->usual_length);
        length = length_or(files.open_clip, "context_length", length);
        tokenizer->max_length = length_or(files.sentence, "max_seq_length", length);
        tokenizer->cleaning = files.cleaning;
    }
    tokenizer_files_drop(&files);
    if (result != 0) {
        free(tokenizer);
        tokenizer = NULL;
    }
    *out = tokenizer;
    return result;
}

void tokenizer_close(struct tokenizer *tokenizer)
{
    if (!tokenizer)
        return;
    tokenizer->kind->close(tokenizer->state);
    free(tokenizer);
}

int tokenizer_encode(const struct tokenizer *tokenizer, int *ids, int limit, const char *text)
{
    CHECK(limit >= SHORTEST, "tokenizer_encode: limit %d has no room for the two special tokens", limit);
    if (tokenizer->cleaning == OPEN_CLIP_NOTHING)
        return tokenizer->kind->encode(tokenizer->state, ids, limit, text);
    char *clean = open_clip_clean(text, tokenizer->cleaning);
    int count = tokenizer->kind->encode(tokenizer->state, ids, limit, clean);
    free(clean);
    return count;
}

int tokenizer_max_length(const struct tokenizer *tokenizer)
{
    return tokenizer->max_length;
}

int tokenizer_vocabulary_size(const struct tokenizer *tokenizer)
{
    return tokenizer->kind->vocabulary_size(tokenizer->state);
}

int tokenizer_pad_id(const struct tokenizer *tokenizer)
{
    return tokenizer->kind->pad_id ? tokenizer->kind->pad_id(tokenizer->state) : -1;
}

int tokenizer_copy_files(const char *to_folder, const char *from_folder, struct error *err)
{
    return tokenizer_files_copy(to_folder, from_folder, err);
}
