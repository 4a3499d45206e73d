/* Text to token ids, as the tokenizer files of a Hugging Face or sentence-transformers model folder say.
 *
 *     struct tokenizer *tokenizer;
 *     if (tokenizer_open(&tokenizer, "models/all-MiniLM-L6-v2", &err) != 0) return error_report(&err);
 *     int ids[256];
 *     int count = tokenizer_encode(tokenizer, ids, 256, "A child in a pink dress");
 *     // 8 ids: 101 1037 2775 1999 1037 5061 4377 102, [CLS] a child in a pink dress [SEP]
 *     tokenizer_close(tokenizer);
 *
 * The ids are those of the `tokenizers` library (the "fast" tokenizers of transformers) on the same folder. A folder
 * with open_clip_config.json and no config.json, or with nothing but bpe_simple_vocab_16e6.txt.gz, gets those of
 * open_clip.
 */
#ifndef OCLIP_TOKENIZER_H
#define OCLIP_TOKENIZER_H

#include "runtime/util/error.h"

struct tokenizer;

/* Finds out which kind of tokenizer the folder holds and opens it; caller closes. */
int tokenizer_open(struct tokenizer **out, const char *folder, struct error *err) MUST_CHECK;
void tokenizer_close(struct tokenizer *tokenizer); /* NULL is allowed */

/* Writes at most `limit` ids, the first and the last special token included, and returns how many. Longer text is cut
 * on the right, and the last id is the final special token still. limit is at least 2; text is NUL-terminated UTF-8,
 * and bytes that are not count as U+FFFD. Several threads may encode with one tokenizer. */
int tokenizer_encode(const struct tokenizer *tokenizer, int *ids, int limit, const char *text); // ids: [limit]

/* How many ids the model was made for: max_seq_length of sentence_bert_config.json, else model_max_length of
 * tokenizer_config.json (context_length of open_clip_config.json), else 512 for WordPiece (BERT), 77 for BPE (CLIP),
 * 64 for SigLIP. */
int tokenizer_max_length(const struct tokenizer *tokenizer);

/* The largest id + 1, added tokens included. */
int tokenizer_vocabulary_size(const struct tokenizer *tokenizer);

/* The id that a text is filled up with to tokenizer_max_length() where the model sees the padding (SigLIP), else -1. */
int tokenizer_pad_id(const struct tokenizer *tokenizer);

/* Copies the tokenizer files that are in from_folder to to_folder, which must be there. */
int tokenizer_copy_files(const char *to_folder, const char *from_folder, struct error *err) MUST_CHECK;

#endif
