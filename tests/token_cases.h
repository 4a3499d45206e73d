/* What the tests of all tokenizers share: golden cases (goldens/token_cases.py), folders of files.
 *
 *     json_t *root = token_cases_read("goldens/bpe/cases.json");
 *     struct tokenizer *tokenizer = token_cases_open(folder);
 *     token_cases_check(tokenizer, group);          // each case's ids, none written behind the limit
 */
#ifndef OCLIP_TESTS_TOKEN_CASES_H
#define OCLIP_TESTS_TOKEN_CASES_H

#include "models/tokenizers/tokenizer.h"

#include <jansson.h>
#include <stddef.h>

enum { TOKEN_CASES_MOST_IDS = 512 };

char *token_cases_path(const char *name); /* below tests/; caller frees */

/* A file of {"groups": [...]}, or any other JSON; caller drops the reference. */
json_t *token_cases_read(const char *name);

struct tokenizer *token_cases_open(const char *folder); /* fails the test if it cannot */

/* Holds the tokenizer to a group of at least `least` cases. */
void token_cases_check(const struct tokenizer *tokenizer, const json_t *group, size_t least);

void token_cases_put_text(const char *folder, const char *name, const char *text);
void token_cases_put_json(const char *folder, const char *name, json_t *root); /* takes over root */

/* Opening must fail as bad data, with a message that names the folder and `part`. */
void token_cases_check_refused(const char *folder, const char *part);

void token_cases_check_ids(const struct tokenizer *tokenizer, const char *text, const int *want, int count);
#define CHECK_IDS(tokenizer, text, ...)                                                                                \
    token_cases_check_ids(tokenizer, text, (const int[]){__VA_ARGS__}, (int)(sizeof(int[]){__VA_ARGS__} / sizeof(int)))

/* Four threads encode with one tokenizer and must get what one alone gets. */
void token_cases_check_threads(const struct tokenizer *tokenizer);

/* Random bytes give 2 to 16 ids below the vocabulary's size. */
void token_cases_check_random_bytes(const struct tokenizer *tokenizer);

#endif
