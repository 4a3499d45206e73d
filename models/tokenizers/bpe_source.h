/* A byte-pair vocabulary as files hold it: tokenizer.json, or vocab.json with merges.txt, or OpenAI's packed list.
 *
 *     struct bpe_source source;
 *     if (bpe_source_read(&source, files, &err) == 0)
 *         id = bpe_source_id(&source, "cat</w>");                // -1: not there
 *     bpe_source_drop(&source);                                   // after a failure too
 */
#ifndef OCLIP_BPE_SOURCE_H
#define OCLIP_BPE_SOURCE_H

#include "models/tokenizers/bpe_merges.h"
#include "models/tokenizers/tokenizer_files.h"

#define BPE_WORD_END "</w>" /* what a word's last symbol ends in */

enum { BPE_LONGEST_SYMBOL = 8 }; /* bytes of a byte's symbol, BPE_WORD_END and the final NUL included */

struct bpe_source {
    json_t *ids;          /* {"token": id, ...} */
    json_t *merges;       /* ["left right" or ["left", "right"], ...], the first goes first */
    const char *ids_path; /* the files they came from, for messages; belong to `files` */
    const char *merges_path;
};

bool bpe_source_fits(const struct tokenizer_files *files);
int bpe_source_read(struct bpe_source *source, const struct tokenizer_files *files, struct error *err) MUST_CHECK;
void bpe_source_drop(struct bpe_source *source);

/* A token's id in 0..VOCABULARY_MOST_IDS - 1, or -1 if there is none. */
int bpe_source_id(const struct bpe_source *source, const char *token);

/* Pairs of ids, ranked; NULL after a failure. Free with bpe_merges_free. */
int bpe_source_merges(struct bpe_merges **merges, const struct bpe_source *source, struct error *err) MUST_CHECK;

/* The largest id + 1. */
int bpe_source_size(const struct bpe_source *source);

/* The printable character that stands for a byte in the files (GPT-2's byte-to-unicode table), and `ending`: "" inside
 * a word, BPE_WORD_END at its end. */
void bpe_byte_symbol(char *text, int byte, const char *ending); // text: [BPE_LONGEST_SYMBOL]

#endif
