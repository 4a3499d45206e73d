/* The tokenizer files of a model folder, and what every kind of tokenizer reads from them. Only files of this folder
 * include this.
 *
 *     struct tokenizer_files files;
 *     if (tokenizer_files_read(&files, folder, &err) == 0)
 *         cls = tokenizer_files_special(&files, "cls_token", "[CLS]").content;
 *     tokenizer_files_drop(&files);                  // after a failure too
 */
#ifndef OCLIP_TOKENIZER_FILES_H
#define OCLIP_TOKENIZER_FILES_H

#include "models/tokenizers/open_clip_text.h"
#include "runtime/util/error.h"

#include <jansson.h>
#include <stdbool.h>

/* A path or a root is NULL where there is no such file. */
struct tokenizer_files {
    const char *folder;
    char *vocabulary_path; /* vocab.txt: WordPiece */
    char *vocab_json_path; /* vocab.json and merges.txt: BPE */
    char *merges_path;
    char *packed_path;      /* bpe_simple_vocab_16e6.txt.gz: BPE as OpenAI and open_clip ship it */
    char *spiece_path;      /* spiece.model: SentencePiece */
    char *tokenizer_path;   /* tokenizer.json, there or not; for messages */
    json_t *tokenizer;      /* tokenizer.json */
    json_t *config;         /* tokenizer_config.json */
    json_t *sentence;       /* sentence_bert_config.json */
    json_t *special_tokens; /* special_tokens_map.json */
    json_t *open_clip;      /* text_cfg of open_clip_config.json, in folders without config.json */
    bool simple; /* the reference is open_clip's SimpleTokenizer: it names no other, or only packed_path is there */
    enum open_clip_cleaning cleaning; /* of texts before the tokenizer sees them */
};

int tokenizer_files_read(struct tokenizer_files *files, const char *folder, struct error *err) MUST_CHECK;
void tokenizer_files_drop(struct tokenizer_files *files);

/* Copies those files that are in from_folder. */
int tokenizer_files_copy(const char *to_folder, const char *from_folder, struct error *err) MUST_CHECK;

struct special_token {
    const char *content;
    bool normalized; /* looked for in the text after normalising */
};

/* What the configuration calls the special token `key` ("cls_token"); `otherwise` where it is silent. */
struct special_token tokenizer_files_special(const struct tokenizer_files *files, const char *key,
                                             const char *otherwise);

/* Calls `add` for each entry of tokenizer.json's added_tokens; ids are in 0..VOCABULARY_MOST_IDS - 1. */
typedef void tokenizer_files_add(void *state, const char *content, int id, bool normalized);
int tokenizer_files_added_tokens(const struct tokenizer_files *files, tokenizer_files_add *add, void *state,
                                 struct error *err) MUST_CHECK;

/* The `type` of a part of tokenizer.json ("normalizer") must be this one: the reference can combine parts in more ways
 * than are known here, and those are refused, not guessed at. */
int tokenizer_files_check_part(const struct tokenizer_files *files, const char *part, const char *type,
                               struct error *err) MUST_CHECK;

#endif
