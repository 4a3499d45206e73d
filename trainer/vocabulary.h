/* A WordPiece vocabulary from the captions themselves, for a model that starts from nothing.
 *
 *     if (vocabulary_write("runs/first/tokenizer", &data.texts, 8000, &err) != 0) return -1;
 *     tokenizer_open(&tokenizer, "runs/first/tokenizer", &err);
 */
#ifndef OCLIP_VOCABULARY_WRITE_H
#define OCLIP_VOCABULARY_WRITE_H

#include "runtime/util/file.h"

/* The special tokens, every ASCII letter and digit alone and as a continuation, and the `limit` most frequent words of
 * two letters or more that occur at least twice. Writes vocab.txt and tokenizer_config.json. */
int vocabulary_write(const char *folder, const struct string_list *texts, int limit, struct error *err) MUST_CHECK;

#endif
