#include "models/tokenizers/tokenizer.h"

#include "models/tokenizers/tokenizer_kind.h"
#include "models/tokenizers/wordpiece.h"
#include "runtime/util/file.h"
#include "runtime/util/json.h"

#include <stdlib.h>

enum { SHORTEST = 2, LONGEST = 1 << 16, DEFAULT_LENGTH = 512 };

struct tokenizer {
    const struct tokenizer_kind *kind;
    void *state;
    int max_length;
};

static const struct tokenizer_kind *const kinds[] = {&wordpiece_kind};

static const char *const file_names[] = {"vocab.txt", "tokenizer.json", "tokenizer_config.json",
                                         "sentence_bert_config.json", "special_tokens_map.json"};

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* The file's path, or NULL where there is none; caller frees. */
static char *path_if_there(const char *folder, const char *name)
{
    char *path = path_join(folder, name);
    if (file_exists(path))
        return path;
    free(path);
    return NULL;
}

static int read_if_there(json_t **root, const char *folder, const char *name, struct error *err)
{
    char *path = path_if_there(folder, name);
    int result = path ? json_read(root, path, err) : 0;
    free(path);
    return result;
}

static int files_read(struct tokenizer_files *files, const char *folder, struct error *err)
{
    files->folder = folder;
    files->vocabulary_path = path_if_there(folder, "vocab.txt");
    files->tokenizer_path = path_join(folder, "tokenizer.json");
    if (read_if_there(&files->tokenizer, folder, "tokenizer.json", err) != 0 ||
        read_if_there(&files->config, folder, "tokenizer_config.json", err) != 0 ||
        read_if_there(&files->sentence, folder, "sentence_bert_config.json", err) != 0 ||
        read_if_there(&files->special_tokens, folder, "special_tokens_map.json", err) != 0)
        return -1;
    if (!files->vocabulary_path && !files->tokenizer)
        return error_set(err, EXIT_BAD_DATA,
                         "%s: no tokenizer: neither vocab.txt nor tokenizer.json is there; copy them from the text "
                         "model's folder (with tokenizer_config.json, sentence_bert_config.json and "
                         "special_tokens_map.json if it has them)",
                         folder);
    return 0;
}

static void files_drop(struct tokenizer_files *files)
{
    json_decref(files->special_tokens);
    json_decref(files->sentence);
    json_decref(files->config);
    json_decref(files->tokenizer);
    free(files->tokenizer_path);
    free(files->vocabulary_path);
}

static int find_kind(const struct tokenizer_kind **kind, const struct tokenizer_files *files, struct error *err)
{
    for (size_t i = 0; i < COUNT(kinds); i++) {
        *kind = kinds[i];
        if (kinds[i]->fits(files))
            return 0;
    }
    return error_set(err, EXIT_BAD_DATA, "%s: model.type is \"%.64s\"; only WordPiece tokenizers can be read",
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
    struct tokenizer_files files = {0};
    struct tokenizer *tokenizer = mem_new(1, sizeof *tokenizer);
    int result = files_read(&files, folder, err);
    if (result == 0)
        result = find_kind(&tokenizer->kind, &files, err);
    if (result == 0)
        result = tokenizer->kind->open(&tokenizer->state, &files, err);
    tokenizer->max_length =
        length_or(files.sentence, "max_seq_length", length_or(files.config, "model_max_length", DEFAULT_LENGTH));
    files_drop(&files);
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
    return tokenizer->kind->encode(tokenizer->state, ids, limit, text);
}

int tokenizer_max_length(const struct tokenizer *tokenizer)
{
    return tokenizer->max_length;
}

int tokenizer_vocabulary_size(const struct tokenizer *tokenizer)
{
    return tokenizer->kind->vocabulary_size(tokenizer->state);
}

static int copy_file(const char *to, const char *from, struct error *err)
{
    struct file_map map;
    if (file_map(&map, from, err) != 0)
        return -1;
    struct file_writer writer;
    int result = file_create(&writer, to, err);
    if (result == 0) {
        file_write(&writer, map.data, map.size);
        result = file_commit(&writer, err);
    }
    file_unmap(&map);
    return result;
}

int tokenizer_copy_files(const char *to_folder, const char *from_folder, struct error *err)
{
    int result = 0;
    for (size_t i = 0; i < COUNT(file_names) && result == 0; i++) {
        char *from = path_if_there(from_folder, file_names[i]);
        char *to = path_join(to_folder, file_names[i]);
        if (from)
            result = copy_file(to, from, err);
        free(to);
        free(from);
    }
    return result;
}
