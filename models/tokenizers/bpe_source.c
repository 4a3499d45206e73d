#include "models/tokenizers/bpe_source.h"

#include "models/tokenizers/utf8.h"
#include "models/tokenizers/vocabulary.h"
#include "runtime/util/file.h"
#include "runtime/util/json.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum {
    MOST_BYTES = 64 << 20,
    PACKED_MERGES = 49152 - 256 - 2, /* of the packed list's 262144, those that CLIP took */
};

/* ---- bytes ---- */

static bool stands_for_itself(int byte)
{
    return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || (byte >= 0xAE && byte <= 0xFF);
}

/* Bytes that print nothing are shown by U+0100 and on, in order. */
void bpe_byte_symbol(char *text, int byte, const char *ending)
{
    uint32_t point = 0x100;
    for (int before = 0; before < byte; before++)
        point += !stands_for_itself(before);
    size_t length = utf8_encode(text, stands_for_itself(byte) ? (uint32_t)byte : point);
    strcpy(text + length, ending);
}

/* ---- merges, one a line ---- */

static int add_merge_line(json_t *merges, const char *line, size_t length, const char *path, struct error *err)
{
    if (length > 0 && line[length - 1] == '\r')
        length--;
    if (length == 0)
        return 0;
    if (json_array_append_new(merges, json_stringn(line, length)) != 0)
        return error_set(err, EXIT_BAD_DATA, "%s: merge %zu is not UTF-8", path, json_array_size(merges));
    return 0;
}

/* At most `most` of the lines behind a first line that names the version. */
static int add_merge_lines(json_t *merges, const char *text, size_t most, const char *path, struct error *err)
{
    bool titled = strncmp(text, "#version", 8) == 0 || strncmp(text, "\"bpe_simple_vocab", 17) == 0;
    const char *line = titled ? text + strcspn(text, "\n") : text;
    while (*line && json_array_size(merges) < most) {
        line += *line == '\n';
        size_t length = strcspn(line, "\n");
        if (add_merge_line(merges, line, length, path, err) != 0)
            return -1;
        line += length;
    }
    return 0;
}

static int read_merges_text(struct bpe_source *source, const char *path, struct error *err)
{
    char *text;
    if (file_read(&text, NULL, path, MOST_BYTES, err) != 0)
        return -1;
    source->merges_path = path;
    source->merges = json_array();
    int result = add_merge_lines(source->merges, text, VOCABULARY_MOST_IDS, path, err);
    free(text);
    return result;
}

/* ---- the packed list: ids follow from the order ---- */

/* A whole gzip file as NUL-terminated text; caller frees. */
static int read_packed_text(char **text, const char *path, struct error *err)
{
    gzFile file = gzopen(path, "rb");
    *text = NULL;
    if (!file)
        return error_set(err, EXIT_BAD_DATA, "%s: cannot be opened", path);
    size_t size = 0, capacity = 1 << 20;
    int got, code;
    do {
        capacity *= 2;
        *text = mem_grow(*text, capacity, 1);
        got = gzread(file, *text + size, (unsigned)(capacity - 1 - size));
        size += got > 0 ? (size_t)got : 0;
    } while (got > 0 && size == capacity - 1 && size < MOST_BYTES);
    (*text)[size] = '\0';
    const char *reason = gzerror(file, &code);
    int result = 0;
    if (got < 0 || code != Z_OK)
        result = error_set(err, EXIT_BAD_DATA, "%s: not a whole gzip file (%s); copy it again", path, reason);
    else if (size >= MOST_BYTES)
        result = error_set(err, EXIT_BAD_DATA, "%s: unpacks to more than %d bytes", path, MOST_BYTES);
    gzclose(file);
    return result;
}

static void add_token(json_t *ids, const char *token)
{
    json_object_set_new(ids, token, json_integer((json_int_t)json_object_size(ids)));
}

/* First the bytes, those that stand for themselves before the others. */
static void add_byte_tokens(json_t *ids, const char *ending)
{
    for (int pass = 0; pass < 2; pass++) {
        for (int byte = 0; byte < 256; byte++) {
            char symbol[BPE_LONGEST_SYMBOL];
            bpe_byte_symbol(symbol, byte, ending);
            if (stands_for_itself(byte) == (pass == 0))
                add_token(ids, symbol);
        }
    }
}

static json_t *packed_ids(const json_t *merges)
{
    json_t *ids = json_object(), *merge;
    size_t index;
    add_byte_tokens(ids, "");
    add_byte_tokens(ids, BPE_WORD_END);
    json_array_foreach(merges, index, merge)
    {
        char *token = mem_format("%s", json_string_value(merge)), *blank = strchr(token, ' ');
        if (blank)
            memmove(blank, blank + 1, strlen(blank));
        add_token(ids, token);
        free(token);
    }
    add_token(ids, "<|startoftext|>");
    add_token(ids, "<|endoftext|>");
    return ids;
}

static int read_packed(struct bpe_source *source, const char *path, struct error *err)
{
    char *text;
    int result = read_packed_text(&text, path, err);
    source->ids_path = source->merges_path = path;
    source->merges = json_array();
    if (result == 0)
        result = add_merge_lines(source->merges, text, PACKED_MERGES, path, err);
    if (result == 0)
        source->ids = packed_ids(source->merges);
    free(text);
    return result;
}

/* ---- any of the three ---- */

bool bpe_source_fits(const struct tokenizer_files *files)
{
    if (!files->tokenizer)
        return files->packed_path || (files->vocab_json_path && files->merges_path);
    const json_t *model = json_object_get(files->tokenizer, "model"); /* old files do not name the type */
    const char *guess = json_object_get(model, "merges") ? "BPE" : "";
    return strcmp(json_text_or(model, "type", guess), "BPE") == 0;
}

static int read_any(struct bpe_source *source, const struct tokenizer_files *files, struct error *err)
{
    const json_t *model = json_object_get(files->tokenizer, "model");
    if (model) {
        source->ids_path = source->merges_path = files->tokenizer_path;
        source->ids = json_incref(json_object_get(model, "vocab"));
        source->merges = json_incref(json_object_get(model, "merges"));
        return 0;
    }
    if (!files->vocab_json_path || !files->merges_path)
        return read_packed(source, files->packed_path, err);
    source->ids_path = files->vocab_json_path;
    if (json_read(&source->ids, files->vocab_json_path, err) != 0)
        return -1;
    return read_merges_text(source, files->merges_path, err);
}

int bpe_source_read(struct bpe_source *source, const struct tokenizer_files *files, struct error *err)
{
    *source = (struct bpe_source){0};
    if (read_any(source, files, err) != 0)
        return -1;
    if (!json_is_object(source->ids) || !json_is_array(source->merges))
        return error_set(err, EXIT_BAD_DATA, "%s: model.vocab is no object or model.merges no array",
                         source->merges_path);
    if (json_array_size(source->merges) > VOCABULARY_MOST_IDS)
        return error_set(err, EXIT_BAD_DATA, "%s: %zu merges; up to %d are believed", source->merges_path,
                         json_array_size(source->merges), VOCABULARY_MOST_IDS);
    return 0;
}

void bpe_source_drop(struct bpe_source *source)
{
    json_decref(source->ids);
    json_decref(source->merges);
}

static int id_of(const json_t *id)
{
    json_int_t value = json_integer_value(id);
    return json_is_integer(id) && value >= 0 && value < VOCABULARY_MOST_IDS ? (int)value : -1;
}

int bpe_source_id(const struct bpe_source *source, const char *token)
{
    return id_of(json_object_get(source->ids, token));
}

int bpe_source_size(const struct bpe_source *source)
{
    const char *token;
    json_t *id;
    int size = 0;
    json_object_foreach(source->ids, token, id)
    {
        if (id_of(id) >= size)
            size = id_of(id) + 1;
    }
    return size;
}

/* ---- merges, as ids ---- */

/* "left right" or ["left", "right"]; the caller frees left, right belongs to merge. False: neither. */
static bool merge_parts(char **left, const char **right, const json_t *merge)
{
    const char *first = json_string_value(merge), *blank = first ? strchr(first, ' ') : NULL;
    if (blank) {
        *left = mem_format("%.*s", (int)(blank - first), first);
        *right = blank + 1;
        return true;
    }
    first = json_string_value(json_array_get(merge, 0));
    *right = json_string_value(json_array_get(merge, 1));
    *left = first && *right ? mem_format("%s", first) : NULL;
    return *left != NULL;
}

static int add_merge(struct bpe_merges *merges, const struct bpe_source *source, size_t rank, struct error *err)
{
    char *left;
    const char *right;
    if (!merge_parts(&left, &right, json_array_get(source->merges, rank)))
        return error_set(err, EXIT_BAD_DATA, "%s: merge %zu is not two tokens", source->merges_path, rank);
    char *merged = mem_format("%s%s", left, right);
    int left_id = bpe_source_id(source, left), right_id = bpe_source_id(source, right);
    int id = bpe_source_id(source, merged), result = 0;
    if (left_id >= 0 && right_id >= 0 && id >= 0)
        bpe_merges_add(merges, left_id, right_id, (int)rank, id);
    else
        result = error_set(err, EXIT_BAD_DATA,
                           "%s: merge %zu, of \"%.64s\" and \"%.64s\": these or what they become have no id",
                           source->merges_path, rank, left, right);
    free(merged);
    free(left);
    return result;
}

int bpe_source_merges(struct bpe_merges **merges, const struct bpe_source *source, struct error *err)
{
    size_t count = json_array_size(source->merges);
    int result = 0;
    *merges = bpe_merges_new(count);
    for (size_t rank = 0; rank < count && result == 0; rank++)
        result = add_merge(*merges, source, rank, err);
    if (result != 0) {
        bpe_merges_free(*merges);
        *merges = NULL;
    }
    return result;
}
