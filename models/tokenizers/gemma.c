#include "models/tokenizers/gemma.h"

#include "models/tokenizers/added_tokens.h"
#include "models/tokenizers/bpe_merges.h"
#include "models/tokenizers/bpe_source.h"
#include "models/tokenizers/unicode.h"
#include "models/tokenizers/utf8.h"
#include "models/tokenizers/vocabulary.h"
#include "runtime/util/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNDERLINE "\u2581" /* stands for a blank in pieces */
enum { UNDERLINE_POINT = 0x2581 };

struct gemma {
    struct bpe_merges *merges;
    struct vocabulary *pieces;
    int byte_ids[256];                    /* of "<0x00>" to "<0xFF>" */
    struct added_tokens added;            /* found in the text as it is */
    struct added_tokens added_normalized; /* found after normalising, themselves normalised */
    int end, pad;                         /* ids; pad is -1 where there is none */
    int size;
    bool lowercase;
};

/* ---- encoding ---- */

/* Returns how many code points were written. */
static size_t normalize(uint32_t *out, const struct gemma *g, const uint32_t *in,
                        size_t count) // out: [UNICODE_LOWERCASE * count], in: [count]
{
    size_t written = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t point = in[i] == ' ' ? UNDERLINE_POINT : in[i];
        if (g->lowercase)
            written += unicode_lowercase(out + written, point);
        else
            out[written++] = point;
    }
    return written;
}

/* What is merged: a character's id, or those of its bytes. Returns how many. */
static size_t character_ids(int *ids, const struct gemma *g, const uint32_t *points,
                            size_t count) // ids: [UTF8_LONGEST * count], points: [count]
{
    size_t written = 0;
    for (size_t i = 0; i < count; i++) {
        char character[UTF8_LONGEST + 1] = {0};
        size_t bytes = utf8_encode(character, points[i]);
        int id = vocabulary_find(g->pieces, character);
        if (id >= 0)
            ids[written++] = id;
        for (size_t j = 0; id < 0 && j < bytes; j++)
            ids[written++] = g->byte_ids[(unsigned char)character[j]];
    }
    return written;
}

static void encode_normalized(const void *state, struct token_ids *out, const uint32_t *points, size_t count)
{
    const struct gemma *g = state;
    struct bpe_room *room = bpe_room_new(UTF8_LONGEST * count);
    int *ids = mem_new(UTF8_LONGEST * count + 1, sizeof *ids);
    size_t pieces = bpe_merges_apply(g->merges, ids, character_ids(ids, g, points, count), room);
    for (size_t i = 0; i < pieces; i++)
        token_ids_put(out, ids[i]);
    free(ids);
    bpe_room_free(room);
}

static void encode_stretch(const void *state, struct token_ids *out, const uint32_t *points, size_t count)
{
    const struct gemma *g = state;
    uint32_t *normal = mem_new(UNICODE_LOWERCASE * count + 1, sizeof *normal);
    size_t length = normalize(normal, g, points, count);
    added_tokens_between(out, &g->added_normalized, encode_normalized, g, normal, length);
    free(normal);
}

static int gemma_encode(const void *state, int *ids, int limit, const char *text)
{
    const struct gemma *g = state;
    struct token_ids out = {.ids = ids, .limit = limit - 1};
    size_t count;
    uint32_t *points = utf8_decode_all(&count, text);
    added_tokens_between(&out, &g->added, encode_stretch, g, points, count);
    free(points);
    return token_ids_end(&out, g->end);
}

/* ---- opening: the parts of tokenizer.json ---- */

static const json_t *part_of(const struct tokenizer_files *files, const char *part)
{
    return json_object_get(files->tokenizer, part);
}

static bool gemma_fits(const struct tokenizer_files *files)
{
    return bpe_source_fits(files) && json_bool_or(part_of(files, "model"), "byte_fallback", false);
}

static bool has_type(const json_t *part, const char *type)
{
    return strcmp(json_text_or(part, "type", ""), type) == 0;
}

static bool is_about_blanks(const json_t *part, const char *type)
{
    return has_type(part, type) && strcmp(json_text_or(json_object_get(part, "pattern"), "String", ""), " ") == 0;
}

static bool merges_plain_characters(const json_t *model)
{
    return !*json_text_or(model, "end_of_word_suffix", "") && !*json_text_or(model, "continuing_subword_prefix", "") &&
           !json_bool_or(model, "ignore_merges", false);
}

/* Lowercase may stand before the blanks' Replace. */
static bool read_normalizer(struct gemma *g, const struct tokenizer_files *files)
{
    const json_t *blanks = part_of(files, "normalizer"), *steps = json_object_get(blanks, "normalizers");
    bool lowercase = json_array_size(steps) == 2 && has_type(json_array_get(steps, 0), "Lowercase");
    if (lowercase)
        blanks = json_array_get(steps, 1);
    g->lowercase = lowercase || json_bool_or(files->config, "do_lower_case", false) ||
                   strcmp(json_text_or(files->config, "tokenizer_class", ""), "Siglip2Tokenizer") == 0;
    return is_about_blanks(blanks, "Replace") && strcmp(json_text_or(blanks, "content", ""), UNDERLINE) == 0;
}

/* A cut at blanks cuts nothing: none is left. */
static bool keeps_texts_whole(const json_t *pre_tokenizer)
{
    return !json_is_object(pre_tokenizer) || is_about_blanks(pre_tokenizer, "Split");
}

/* The configuration has the last word, as in transformers. */
static bool adds_only_the_end(const struct tokenizer_files *files, const char *end)
{
    const json_t *config = files->config, *single = json_object_get(part_of(files, "post_processor"), "single");
    if (json_object_get(config, "add_bos_token") || json_object_get(config, "add_eos_token"))
        return !json_bool_or(config, "add_bos_token", false) && json_bool_or(config, "add_eos_token", false);
    const json_t *last = json_object_get(json_array_get(single, 1), "SpecialToken");
    return json_array_size(single) == 2 && json_object_get(json_array_get(single, 0), "Sequence") &&
           strcmp(json_text_or(last, "id", ""), end) == 0;
}

static int read_parts(struct gemma *g, const struct tokenizer_files *files, const char *end, struct error *err)
{
    const struct {
        const char *part;
        bool known;
    } parts[] = {{"model", merges_plain_characters(part_of(files, "model"))},
                 {"normalizer", read_normalizer(g, files)},
                 {"pre_tokenizer", keeps_texts_whole(part_of(files, "pre_tokenizer"))},
                 {"post_processor", adds_only_the_end(files, end)}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (!parts[i].known)
            return error_set(err, EXIT_BAD_DATA,
                             "%s: the %s is not SigLIP 2's, which of those with byte_fallback can alone be read",
                             files->tokenizer_path, parts[i].part);
    return 0;
}

/* ---- opening: tokens ---- */

static int read_bytes(struct gemma *g, const struct tokenizer_files *files, struct error *err)
{
    for (int byte = 0; byte < 256; byte++) {
        char token[8];
        snprintf(token, sizeof token, "<0x%02X>", (unsigned)byte);
        g->byte_ids[byte] = vocabulary_find(g->pieces, token);
        if (g->byte_ids[byte] < 0)
            return error_set(err, EXIT_BAD_DATA, "%s: byte_fallback is on, but the vocabulary has no %s",
                             files->tokenizer_path, token);
    }
    return 0;
}

static int read_vocabulary(struct gemma *g, const struct tokenizer_files *files, const char *end, struct error *err)
{
    struct bpe_source source;
    int result = bpe_source_read(&source, files, err);
    if (result == 0)
        result = vocabulary_load_json(&g->pieces, source.ids, files->tokenizer_path, err);
    if (result == 0)
        result = bpe_source_merges(&g->merges, &source, err);
    bpe_source_drop(&source);
    if (result != 0 || read_bytes(g, files, err) != 0)
        return -1;
    g->size = vocabulary_size(g->pieces);
    g->end = vocabulary_find(g->pieces, end);
    g->pad = vocabulary_find(g->pieces, tokenizer_files_special(files, "pad_token", "<pad>").content);
    if (g->end < 0)
        return error_set(err, EXIT_BAD_DATA, "%s: the vocabulary has no %.64s, which every text needs",
                         files->tokenizer_path, end);
    return 0;
}

static void add_token(void *state, const char *content, int id, bool normalized)
{
    struct gemma *g = state;
    size_t count;
    uint32_t *points = utf8_decode_all(&count, content);
    if (id >= g->size)
        g->size = id + 1;
    if (!normalized) {
        added_tokens_add(&g->added, points, count, id);
        return;
    }
    uint32_t *normal = mem_new(UNICODE_LOWERCASE * count + 1, sizeof *normal);
    added_tokens_add(&g->added_normalized, normal, normalize(normal, g, points, count), id);
    free(points);
}

/* Blanks beside a token are tokens here. */
static int check_added(const struct tokenizer_files *files, struct error *err)
{
    size_t index;
    json_t *entry;
    json_array_foreach(part_of(files, "added_tokens"), index, entry)
    {
        if (json_bool_or(entry, "lstrip", false) || json_bool_or(entry, "rstrip", false))
            return error_set(err, EXIT_BAD_DATA, "%s: added token %zu takes the blanks beside it, which cannot be read",
                             files->tokenizer_path, index);
    }
    return 0;
}

static void gemma_close(void *state)
{
    struct gemma *g = state;
    bpe_merges_free(g->merges);
    vocabulary_free(g->pieces);
    added_tokens_free(&g->added);
    added_tokens_free(&g->added_normalized);
    free(g);
}

static int gemma_open(void **state, const struct tokenizer_files *files, struct error *err)
{
    struct gemma *g = mem_new(1, sizeof *g);
    const char *end = tokenizer_files_special(files, "eos_token", "<eos>").content;
    int result = read_parts(g, files, end, err);
    if (result == 0)
        result = read_vocabulary(g, files, end, err);
    if (result == 0)
        result = check_added(files, err);
    if (result == 0)
        result = tokenizer_files_added_tokens(files, add_token, g, err);
    if (result != 0) {
        gemma_close(g);
        g = NULL;
    }
    *state = g;
    return result;
}

static int gemma_vocabulary_size(const void *state)
{
    return ((const struct gemma *)state)->size;
}

static int gemma_pad_id(const void *state)
{
    return ((const struct gemma *)state)->pad;
}

const struct tokenizer_kind gemma_kind = {.name = "Gemma",
                                          .usual_length = 64,
                                          .fits = gemma_fits,
                                          .open = gemma_open,
                                          .encode = gemma_encode,
                                          .vocabulary_size = gemma_vocabulary_size,
                                          .pad_id = gemma_pad_id,
                                          .close = gemma_close};
