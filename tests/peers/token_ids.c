/* Prints the token ids of texts, for tokens.py: build/tests/token_ids FOLDER LIMIT < texts, each ended by a NUL. A line
 * of ids for each text.
 */
#include "models/tokenizers/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>

static void print_ids(const struct tokenizer *tokenizer, int *ids, int limit, const char *text)
{
    int count = tokenizer_encode(tokenizer, ids, limit, text);
    for (int i = 0; i < count; i++)
        printf("%d%c", ids[i], i + 1 < count ? ' ' : '\n');
}

int main(int argc, char **argv)
{
    struct error err = {0};
    struct tokenizer *tokenizer;
    int limit = argc == 3 ? atoi(argv[2]) : 0;
    if (limit < 2) {
        fprintf(stderr, "usage: token_ids FOLDER LIMIT < texts\n");
        return EXIT_USAGE;
    }
    if (tokenizer_open(&tokenizer, argv[1], &err) != 0)
        return error_report(&err);
    int *ids = mem_new((size_t)limit, sizeof *ids);
    char *text = NULL;
    size_t capacity = 0;
    while (getdelim(&text, &capacity, '\0', stdin) > 0)
        print_ids(tokenizer, ids, limit, text);
    free(text);
    free(ids);
    tokenizer_close(tokenizer);
    return ferror(stdin) ? EXIT_FAILED : EXIT_OK;
}
