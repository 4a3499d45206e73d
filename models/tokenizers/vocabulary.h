/* A WordPiece vocabulary: text to id, and the longest piece that a word begins with.
 *
 *     struct vocabulary *v;
 *     if (vocabulary_load_text(&v, "model/vocab.txt", &err) != 0) return -1;
 *     int id = vocabulary_find(v, "[CLS]");                                    // -1: not there
 *     id = vocabulary_longest_piece(&length, v, false, "climbing", 8);         // "climb", length 5
 *     id = vocabulary_longest_piece(&length, v, true, "ing", 3);               // "##ing"
 *     vocabulary_free(v);
 *
 * An open-addressing hash table over bytes. "##" is not stored: it is a bit of the key, so that pieces inside a word
 * are looked up where they stand. Nothing changes after loading; any number of threads may look up.
 */
#ifndef OCLIP_VOCABULARY_H
#define OCLIP_VOCABULARY_H

#include "runtime/util/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum { VOCABULARY_MOST_IDS = 1 << 22 }; /* what is believed of a file; the largest public ones have a quarter million */

struct vocabulary;

/* One token a line, its id the line's number from 0. */
int vocabulary_load_text(struct vocabulary **out, const char *path, struct error *err) MUST_CHECK;

/* tokenizer.json's model.vocab: {"token": id, ...}; `path` is for messages. */
int vocabulary_load_json(struct vocabulary **out, json_t *tokens, const char *path, struct error *err) MUST_CHECK;

void vocabulary_free(struct vocabulary *vocabulary); /* NULL is allowed */

/* The largest id + 1. */
int vocabulary_size(const struct vocabulary *vocabulary);

/* The id of a whole token that does not start with "##", or -1. */
int vocabulary_find(const struct vocabulary *vocabulary, const char *token);

/* The id of the longest token that text starts with, or -1; `length` gets its bytes. `inside`: of the "##" tokens.
 * text is UTF-8 and matches end between characters. */
int vocabulary_longest_piece(size_t *length, const struct vocabulary *vocabulary, bool inside, const char *text,
                             size_t bytes); // text: [bytes]

#endif
