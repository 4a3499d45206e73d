#include "trainer/vocabulary.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Every word of all texts in lower case, words split where BERT splits ASCII; sorted so that equal ones meet. */
static void add_words(struct string_list *words, const char *text)
{
    char word[64];
    size_t length = 0;
    for (const char *at = text;; at++) {
        if (isalnum((unsigned char)*at)) {
            if (length + 1 < sizeof word)
                word[length++] = (char)tolower((unsigned char)*at);
            continue;
        }
        word[length] = '\0';
        if (length > 1)
            string_list_add(words, word);
        length = 0;
        if (!*at)
            return;
    }
}

static int compare_words(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

struct counted {
    const char *word;
    size_t count;
};

/* The most frequent first; equal ones by the alphabet. */
static int compare_counts(const void *a, const void *b)
{
    const struct counted *x = a, *y = b;
    if (x->count != y->count)
        return x->count < y->count ? 1 : -1;
    return strcmp(x->word, y->word);
}

static void write_tokens(FILE *stream, const struct counted *counted, size_t distinct, int limit)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    fputs("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n.\n,\n'\n-\n!\n?\n", stream);
    for (const char *letter = letters; *letter; letter++)
        fprintf(stream, "%c\n##%c\n", *letter, *letter);
    for (size_t i = 0; i < distinct && i < (size_t)limit && counted[i].count > 1; i++)
        fprintf(stream, "%s\n", counted[i].word);
}

static int write_config(const char *folder, struct error *err)
{
    static const char text[] = "{\"tokenizer_class\": \"BertTokenizer\", \"do_lower_case\": true, "
                               "\"model_max_length\": 64}\n";
    char *path = path_join(folder, "tokenizer_config.json");
    struct file_writer writer;
    int result = file_create(&writer, path, err);
    if (result == 0) {
        file_write(&writer, text, strlen(text));
        result = file_commit(&writer, err);
    }
    free(path);
    return result;
}

int vocabulary_write(const char *folder, const struct string_list *texts, int limit, struct error *err)
{
    struct string_list words = {0};
    for (size_t i = 0; i < texts->count; i++)
        add_words(&words, texts->items[i]);
    if (words.count)
        qsort(words.items, words.count, sizeof *words.items, compare_words);
    struct counted *counted = mem_new(words.count, sizeof *counted);
    size_t distinct = 0;
    for (size_t i = 0; i < words.count; i++) {
        if (distinct == 0 || strcmp(counted[distinct - 1].word, words.items[i]) != 0)
            counted[distinct++].word = words.items[i];
        counted[distinct - 1].count++;
    }
    if (distinct)
        qsort(counted, distinct, sizeof *counted, compare_counts);

    char *path = path_join(folder, "vocab.txt");
    struct file_writer writer;
    int result = file_make_folders(folder, err);
    if (result == 0)
        result = file_create(&writer, path, err);
    if (result == 0) {
        write_tokens(writer.stream, counted, distinct, limit);
        result = file_commit(&writer, err);
    }
    if (result == 0)
        result = write_config(folder, err);
    free(path);
    free(counted);
    string_list_free(&words);
    return result;
}
