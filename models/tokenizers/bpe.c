#include "models/tokenizers/bpe.h"

#include "models/tokenizers/added_tokens.h"
#include "models/tokenizers/bpe_merges.h"
#include "models/tokenizers/bpe_source.h"
#include "models/tokenizers/clip_words.h"
#include "models/tokenizers/utf8.h"
#include "runtime/util/json.h"

#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum special { FIRST, LAST, UNKNOWN, PAD, SPECIALS };

static const struct {
    const char *key, *name; /* in the configuration, and when it is silent */
    bool needed;
} specials[SPECIALS] = {[FIRST] = {"bos_token", "<|startoftext|>", true},
                        [LAST] = {"eos_token", "<|endoftext|>", true},
                        [UNKNOWN] = {"unk_token", "<|endoftext|>", false},
                        [PAD] = {"pad_token", "<|endoftext|>", false}};

struct bpe {
    struct bpe_merges *merges;
    int byte_ids[2][256];                 /* inside a word, and as its last byte */
    struct added_tokens added;            /* found in the text as it is */
    struct added_tokens added_normalized; /* found after normalising, themselves normalised */
    enum clip_pattern pattern;
    int special[SPECIALS]; /* ids; -1 for one that is not there */
    int size;
};

/* ---- encoding ---- */

/* open_clip's names of the two specials; the id, or -1 for other words. */
static int open_clip_special(const struct bpe *b, const uint32_t *points, size_t count)
{
    static const char *const names[] = {[FIRST] = "<start_of_text>", [LAST] = "<end_of_text>"};
    for (size_t i = 0; i < COUNT(names); i++) {
        size_t n = 0;
        while (n < count && names[i][n] && points[n] == (unsigned char)names[i][n])
            n++;
        if (n == count && !names[i][n])
            return b->special[i];
    }
    return -1;
}

/* The ids of a word's bytes; returns how many. */
static size_t byte_ids(const struct bpe *b, int *ids, const uint32_t *points, size_t count)
{
    size_t written = 0;
    for (size_t i = 0; i < count; i++) {
        char bytes[UTF8_LONGEST];
        size_t length = utf8_encode(bytes, points[i]);
        for (size_t j = 0; j < length; j++)
            ids[written++] = b->byte_ids[i + 1 == count && j + 1 == length][(unsigned char)bytes[j]];
    }
    return written;
}

static void encode_words(const void *state, struct token_ids *out, const uint32_t *points, size_t count)
{
    const struct bpe *b = state;
    struct clip_words words = {.points = points, .count = count, .pattern = b->pattern};
    struct bpe_room *room = bpe_room_new(UTF8_LONGEST * count);
    int *ids = mem_new(UTF8_LONGEST * count + 1, sizeof *ids);
    for (size_t start, length; !token_ids_full(out) && clip_words_next(&start, &length, &words);) {
        int special = b->pattern == CLIP_OPEN_CLIP ? open_clip_special(b, points + start, length) : -1;
        if (special >= 0) {
            token_ids_put(out, special);
            continue;
        }
        size_t bytes = byte_ids(b, ids, points + start, length);
        size_t symbols = bpe_merges_apply(b->merges, ids, bytes, room);
        for (size_t i = 0; i < symbols; i++)
            token_ids_put(out, ids[i]);
    }
    free(ids);
    bpe_room_free(room);
}

static void encode_normalized(const void *state, struct token_ids *out, const uint32_t *points, size_t count)
{
    const struct bpe *b = state;
    uint32_t *normal = mem_new(CLIP_GROWTH * count + 1, sizeof *normal);
    size_t length = clip_normalize(normal, points, count);
    added_tokens_between(out, &b->added_normalized, encode_words, b, normal, length);
    free(normal);
}

static int bpe_encode(const void *state, int *ids, int limit, const char *text)
{
    const struct bpe *b = state;
    struct token_ids out = {.ids = ids, .limit = limit - 1};
    size_t count;
    uint32_t *points = utf8_decode_all(&count, text);
    token_ids_put(&out, b->special[FIRST]);
    if (b->pattern == CLIP_OPEN_CLIP)
        encode_words(b, &out, points, count);
    else
        added_tokens_between(&out, &b->added, encode_normalized, b, points, count);
    free(points);
    return token_ids_end(&out, b->special[LAST]);
}

/* ---- opening: tokenizer.json ---- */

static int check_model(const struct tokenizer_files *files, struct error *err)
{
    static const char *const unknown_switches[] = {"fuse_unk", "ignore_merges"};
    const json_t *model = json_object_get(files->tokenizer, "model");
    const char *suffix = json_text_or(model, "end_of_word_suffix", "");
    const char *prefix = json_text_or(model, "continuing_subword_prefix", "");
    if (strcmp(suffix, BPE_WORD_END) != 0 || *prefix)
        return error_set(err, EXIT_BAD_DATA,
                         "%s: end_of_word_suffix is \"%.64s\" and continuing_subword_prefix \"%.64s\"; only CLIP's BPE "
                         "can be read, with \"" BPE_WORD_END "\" and \"\"",
                         files->tokenizer_path, suffix, prefix);
    for (size_t i = 0; i < COUNT(unknown_switches); i++)
        if (json_bool_or(model, unknown_switches[i], false))
            return error_set(err, EXIT_BAD_DATA, "%s: %s is on, which cannot be read", files->tokenizer_path,
                             unknown_switches[i]);
    return 0;
}

static int check_normalizer(const struct tokenizer_files *files, struct error *err)
{
    static const char *const steps[] = {"NFC", "Replace", "Lowercase"};
    if (tokenizer_files_check_part(files, "normalizer", "Sequence", err) != 0)
        return -1;
    const json_t *sequence = json_object_get(json_object_get(files->tokenizer, "normalizer"), "normalizers");
    bool known = json_array_size(sequence) == COUNT(steps);
    for (size_t i = 0; known && i < COUNT(steps); i++)
        known = strcmp(json_text_or(json_array_get(sequence, i), "type", ""), steps[i]) == 0;
    const json_t *replace = json_array_get(sequence, 1);
    if (!known || strcmp(json_text_or(json_object_get(replace, "pattern"), "Regex", ""), "\\s+") != 0 ||
        strcmp(json_text_or(replace, "content", ""), " ") != 0)
        return error_set(err, EXIT_BAD_DATA,
                         "%s: the normalizer is not CLIP's (NFC, blanks to one space, lower case), which alone can be "
                         "read",
                         files->tokenizer_path);
    return 0;
}

#define WORDS "'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+"
#define SPELLED_SPECIALS "<\\|startoftext\\|>|<\\|endoftext\\|>|"

static int read_pattern(struct bpe *b, const struct tokenizer_files *files, struct error *err)
{
    if (tokenizer_files_check_part(files, "pre_tokenizer", "Sequence", err) != 0)
        return -1;
    const json_t *parts = json_object_get(json_object_get(files->tokenizer, "pre_tokenizer"), "pretokenizers");
    const json_t *split = json_array_get(parts, 0), *bytes = json_array_get(parts, 1);
    const char *pattern = json_text_or(json_object_get(split, "pattern"), "Regex", "");
    b->pattern = strcmp(pattern, SPELLED_SPECIALS WORDS) == 0 ? CLIP_SPELLED : CLIP_PLAIN;
    if (json_array_size(parts) == 2 && (b->pattern == CLIP_SPELLED || strcmp(pattern, WORDS) == 0) &&
        json_bool_or(split, "invert", false) && strcmp(json_text_or(bytes, "type", ""), "ByteLevel") == 0 &&
        !json_bool_or(bytes, "add_prefix_space", true) && json_bool_or(bytes, "use_regex", true))
        return 0;
    return error_set(err, EXIT_BAD_DATA, "%s: the pre_tokenizer is not CLIP's, which alone can be read",
                     files->tokenizer_path);
}

static int check_parts(struct bpe *b, const struct tokenizer_files *files, struct error *err)
{
    b->pattern = CLIP_SPELLED; /* as transformers builds it from vocab.json and merges.txt */
    if (files->tokenizer &&
        (check_model(files, err) != 0 || check_normalizer(files, err) != 0 || read_pattern(b, files, err) != 0))
        return -1;
    if (files->simple)
        b->pattern = CLIP_OPEN_CLIP;
    return 0;
}

/* ---- opening: the vocabulary ---- */

static int read_specials(struct bpe *b, const struct bpe_source *source, const struct tokenizer_files *files,
                         struct error *err)
{
    for (size_t i = 0; i < SPECIALS; i++) {
        const char *name = tokenizer_files_special(files, specials[i].key, specials[i].name).content;
        b->special[i] = bpe_source_id(source, name);
        if (b->special[i] < 0 && specials[i].needed)
            return error_set(err, EXIT_BAD_DATA, "%s: the vocabulary has no %.64s, which every text needs",
                             source->ids_path, name);
    }
    return 0;
}

/* A byte that the vocabulary lacks is unknown. */
static int read_bytes(struct bpe *b, const struct bpe_source *source, struct error *err)
{
    static const char *const endings[] = {"", BPE_WORD_END};
    for (int i = 0; i < 2 * 256; i++) {
        int last = i / 256, byte = i % 256;
        char symbol[BPE_LONGEST_SYMBOL];
        bpe_byte_symbol(symbol, byte, endings[last]);
        int id = bpe_source_id(source, symbol);
        b->byte_ids[last][byte] = id < 0 ? b->special[UNKNOWN] : id;
        if (b->byte_ids[last][byte] < 0)
            return error_set(err, EXIT_BAD_DATA, "%s: the vocabulary has neither \"%s\" nor an unknown token",
                             source->ids_path, symbol);
    }
    return 0;
}

static int read_vocabulary(struct bpe *b, const struct tokenizer_files *files, struct error *err)
{
    struct bpe_source source;
    int result = bpe_source_read(&source, files, err);
    if (result == 0)
        result = read_specials(b, &source, files, err);
    if (result == 0)
        result = read_bytes(b, &source, err);
    if (result == 0)
        result = bpe_source_merges(&b->merges, &source, err);
    if (result == 0)
        b->size = bpe_source_size(&source);
    bpe_source_drop(&source);
    return result;
}

/* ---- opening: added tokens ---- */

static void add_token(void *state, const char *content, int id, bool normalized)
{
    struct bpe *b = state;
    size_t count;
    uint32_t *points = utf8_decode_all(&count, content);
    if (id >= b->size)
        b->size = id + 1;
    if (!normalized) {
        added_tokens_add(&b->added, points, count, id);
        return;
    }
    uint32_t *normal = mem_new(CLIP_GROWTH * count + 1, sizeof *normal);
    added_tokens_add(&b->added_normalized, normal, clip_normalize(normal, points, count), id);
    free(points);
}

/* Without tokenizer.json, the special tokens are the ones found in the text; what the last of those with one name says
 * of normalising holds. */
static void add_specials(struct bpe *b, const struct tokenizer_files *files)
{
    for (size_t i = 0; i < SPECIALS; i++) {
        bool last = b->special[i] >= 0;
        for (size_t later = i + 1; later < SPECIALS; later++)
            last = last && b->special[later] != b->special[i];
        struct special_token token = tokenizer_files_special(files, specials[i].key, specials[i].name);
        if (last)
            add_token(b, token.content, b->special[i], token.normalized);
    }
}

static void bpe_close(void *state)
{
    struct bpe *b = state;
    bpe_merges_free(b->merges);
    added_tokens_free(&b->added);
    added_tokens_free(&b->added_normalized);
    free(b);
}

static int bpe_open(void **state, const struct tokenizer_files *files, struct error *err)
{
    struct bpe *b = mem_new(1, sizeof *b);
    int result = check_parts(b, files, err);
    if (result == 0)
        result = read_vocabulary(b, files, err);
    if (result == 0)
        result = tokenizer_files_added_tokens(files, add_token, b, err);
    if (result == 0 && !files->tokenizer)
        add_specials(b, files);
    if (result != 0) {
        bpe_close(b);
        b = NULL;
    }
    *state = b;
    return result;
}

static int bpe_vocabulary_size(const void *state)
{
    return ((const struct bpe *)state)->size;
}

const struct tokenizer_kind bpe_kind = {.name = "BPE",
                                        .usual_length = 77,
                                        .fits = bpe_source_fits,
                                        .open = bpe_open,
                                        .encode = bpe_encode,
                                        .vocabulary_size = bpe_vocabulary_size,
                                        .close = bpe_close};
