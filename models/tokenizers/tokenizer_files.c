#include "models/tokenizers/tokenizer_files.h"

#include "models/tokenizers/vocabulary.h"
#include "runtime/util/file.h"
#include "runtime/util/json.h"

#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const char *const file_names[] = {"vocab.txt",
                                         "vocab.json",
                                         "merges.txt",
                                         "bpe_simple_vocab_16e6.txt.gz",
                                         "spiece.model",
                                         "tokenizer.json",
                                         "tokenizer_config.json",
                                         "sentence_bert_config.json",
                                         "special_tokens_map.json"};

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

/* ---- open_clip's configuration ---- */

static int read_open_clip(struct tokenizer_files *files, struct error *err)
{
    char *other = path_if_there(files->folder, "config.json"); /* wins, as it does in models/files/clip_config.c */
    json_t *whole = NULL;
    int result = other ? 0 : read_if_there(&whole, files->folder, "open_clip_config.json", err);
    files->open_clip = json_incref(json_object_get(json_object_get(whole, "model_cfg"), "text_cfg"));
    json_decref(whole);
    free(other);
    return result;
}

static int choose_cleaning(struct tokenizer_files *files, struct error *err)
{
    const json_t *options = json_object_get(files->open_clip, "tokenizer_kwargs");
    bool named = *json_text_or(files->open_clip, "hf_tokenizer_name", "");
    files->simple = files->open_clip ? !named
                                     : files->packed_path && !files->tokenizer && !files->vocab_json_path &&
                                           !files->vocabulary_path && !files->spiece_path;
    if (!files->open_clip && !files->simple)
        return 0;
    if (json_bool_or(options, "strip_sep_token", false))
        return error_set(err, EXIT_BAD_DATA, "%s/open_clip_config.json: strip_sep_token is on, which cannot be read",
                         files->folder);
    const char *clean = json_text_or(options, "clean", files->simple ? "lower" : "whitespace");
    for (size_t i = OPEN_CLIP_WHITESPACE; i < OPEN_CLIP_CLEANINGS; i++)
        if (strcmp(clean, open_clip_cleaning_names[i]) == 0)
            files->cleaning = (enum open_clip_cleaning)i;
    if (files->cleaning == OPEN_CLIP_NOTHING)
        return error_set(err, EXIT_BAD_DATA,
                         "%s/open_clip_config.json: \"clean\" is \"%.64s\", not whitespace, lower or canonicalize",
                         files->folder, clean);
    return 0;
}

/* ---- all files ---- */

int tokenizer_files_read(struct tokenizer_files *files, const char *folder, struct error *err)
{
    *files = (struct tokenizer_files){.folder = folder};
    files->vocabulary_path = path_if_there(folder, "vocab.txt");
    files->vocab_json_path = path_if_there(folder, "vocab.json");
    files->merges_path = path_if_there(folder, "merges.txt");
    files->packed_path = path_if_there(folder, "bpe_simple_vocab_16e6.txt.gz");
    files->spiece_path = path_if_there(folder, "spiece.model");
    files->tokenizer_path = path_join(folder, "tokenizer.json");
    if (read_if_there(&files->tokenizer, folder, "tokenizer.json", err) != 0 ||
        read_if_there(&files->config, folder, "tokenizer_config.json", err) != 0 ||
        read_if_there(&files->sentence, folder, "sentence_bert_config.json", err) != 0 ||
        read_if_there(&files->special_tokens, folder, "special_tokens_map.json", err) != 0 ||
        read_open_clip(files, err) != 0 || choose_cleaning(files, err) != 0)
        return -1;
    if (files->tokenizer || files->vocabulary_path || files->packed_path || files->spiece_path ||
        (files->vocab_json_path && files->merges_path))
        return 0;
    return error_set(
        err, EXIT_BAD_DATA,
        "%s: no tokenizer: neither vocab.txt nor tokenizer.json nor spiece.model nor vocab.json with merges.txt is "
        "there; "
        "copy them from the text model's folder (with tokenizer_config.json, sentence_bert_config.json "
        "and special_tokens_map.json if it has them); for a model of open_clip copy "
        "bpe_simple_vocab_16e6.txt.gz from its package",
        folder);
}

void tokenizer_files_drop(struct tokenizer_files *files)
{
    json_decref(files->open_clip);
    json_decref(files->special_tokens);
    json_decref(files->sentence);
    json_decref(files->config);
    json_decref(files->tokenizer);
    free(files->tokenizer_path);
    free(files->spiece_path);
    free(files->packed_path);
    free(files->merges_path);
    free(files->vocab_json_path);
    free(files->vocabulary_path);
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

int tokenizer_files_copy(const char *to_folder, const char *from_folder, struct error *err)
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

/* "cls_token": "[CLS]" or {"content": "[CLS]", ...} */
struct special_token tokenizer_files_special(const struct tokenizer_files *files, const char *key,
                                             const char *otherwise)
{
    const json_t *sources[] = {files->special_tokens, files->config}; /* the later wins */
    struct special_token token = {.content = otherwise};
    for (size_t i = 0; i < COUNT(sources); i++) {
        const json_t *value = json_object_get(sources[i], key);
        const char *content = json_text_or(value, "content", json_text_or(sources[i], key, NULL));
        if (content)
            token = (struct special_token){content, json_bool_or(value, "normalized", false)};
    }
    return token;
}

int tokenizer_files_added_tokens(const struct tokenizer_files *files, tokenizer_files_add *add, void *state,
                                 struct error *err)
{
    size_t index;
    json_t *entry;
    json_array_foreach(json_object_get(files->tokenizer, "added_tokens"), index, entry)
    {
        const char *content = json_text_or(entry, "content", NULL);
        int id = json_int_or(entry, "id", -1);
        if (!content || id < 0 || id >= VOCABULARY_MOST_IDS)
            return error_set(err, EXIT_BAD_DATA, "%s: added token %zu has no content or no id in 0..%d",
                             files->tokenizer_path, index, VOCABULARY_MOST_IDS - 1);
        if (json_bool_or(entry, "single_word", false))
            return error_set(err, EXIT_BAD_DATA, "%s: added token \"%.64s\" is single_word, which cannot be read",
                             files->tokenizer_path, content);
        add(state, content, id, json_bool_or(entry, "normalized", true));
    }
    return 0;
}

int tokenizer_files_check_part(const struct tokenizer_files *files, const char *part, const char *type,
                               struct error *err)
{
    const char *actual = json_text_or(json_object_get(files->tokenizer, part), "type", "null");
    if (strcmp(actual, type) == 0)
        return 0;
    return error_set(err, EXIT_BAD_DATA, "%s: the %s is %.64s; only %s can be read", files->tokenizer_path, part,
                     actual, type);
}
