#include "models/tokenizers/wordpiece.h"

#include "models/tokenizers/added_tokens.h"
#include "models/tokenizers/bert_normalizer.h"
#include "models/tokenizers/utf8.h"
#include "models/tokenizers/vocabulary.h"
#include "runtime/util/json.h"

#include <stdlib.h>
#include <string.h>

enum { DEFAULT_WORD = 100, LONGEST_WORD = 1000 }; /* code points */

/* BERT's special tokens. */
enum special { CLS, SEP, UNKNOWN, PAD, MASK, SPECIALS };

static const struct {
    const char *key, *name; /* in the configuration, and when it is silent */
    bool needed;
} specials[SPECIALS] = {[CLS] = {"cls_token", "[CLS]", true},
                        [SEP] = {"sep_token", "[SEP]", true},
                        [UNKNOWN] = {"unk_token", "[UNK]", true},
                        [PAD] = {"pad_token", "[PAD]", false},
                        [MASK] = {"mask_token", "[MASK]", false}};

struct wordpiece {
    struct vocabulary *vocabulary;
    struct bert_options options;
    struct added_tokens added;            /* found in the text as it is */
    struct added_tokens added_normalized; /* found after normalising, themselves normalised */
    size_t longest_word;                  /* code points; above this a word is [UNK] */
    int special[SPECIALS];                /* ids; -1 for one that is not there */
    int size;
};

/* ---- encoding ---- */

static void encode_word(const struct wordpiece *w, struct token_ids *out, const uint32_t *points, size_t count)
{
    char word[LONGEST_WORD * UTF8_LONGEST];
    size_t bytes = 0;
    if (count > w->longest_word) {
        token_ids_put(out, w->special[UNKNOWN]);
        return;
    }
    for (size_t i = 0; i < count; i++)
        bytes += utf8_encode(word + bytes, points[i]);
    int start = out->count;
    for (size_t at = 0, length; at < bytes; at += length) {
        int id = vocabulary_longest_piece(&length, w->vocabulary, at > 0, word + at, bytes - at);
        if (id < 0) { /* one piece that is missing makes the whole word unknown */
            out->count = start;
            token_ids_put(out, w->special[UNKNOWN]);
            return;
        }
        token_ids_put(out, id);
    }
}

static void encode_words(const void *state, struct token_ids *out, const uint32_t *points, size_t count)
{
    const struct wordpiece *w = state;
    size_t start = 0;
    for (size_t at = 0; at < count && !token_ids_full(out); at++) {
        bool punctuation = bert_is_punctuation(points[at]);
        if (!punctuation && !bert_is_space(points[at]))
            continue;
        encode_word(w, out, points + start, at - start);
        if (punctuation)
            encode_word(w, out, points + at, 1);
        start = at + 1;
    }
    encode_word(w, out, points + start, count - start);
}

static void encode_normalized(const void *state, struct token_ids *out, const uint32_t *points, size_t count)
{
    const struct wordpiece *w = state;
    uint32_t *normal = mem_new(BERT_GROWTH * count + 1, sizeof *normal);
    size_t length = bert_normalize(normal, points, count, &w->options);
    added_tokens_between(out, &w->added_normalized, encode_words, w, normal, length);
    free(normal);
}

static int wordpiece_encode(const void *state, int *ids, int limit, const char *text)
{
    const struct wordpiece *w = state;
    struct token_ids out = {.ids = ids, .limit = limit - 1};
    size_t count;
    uint32_t *points = utf8_decode_all(&count, text);
    token_ids_put(&out, w->special[CLS]);
    added_tokens_between(&out, &w->added, encode_normalized, w, points, count);
    free(points);
    return token_ids_end(&out, w->special[SEP]);
}

/* ---- opening ---- */

static const json_t *model_of(const struct tokenizer_files *files)
{
    return json_object_get(files->tokenizer, "model");
}

static bool wordpiece_fits(const struct tokenizer_files *files)
{
    if (!files->tokenizer)
        return files->vocabulary_path != NULL;
    const json_t *model = model_of(files); /* old files do not name the type */
    const char *guess = json_object_get(model, "continuing_subword_prefix") ? "WordPiece" : "";
    return strcmp(json_text_or(model, "type", guess), "WordPiece") == 0;
}

static int read_model(struct wordpiece *w, const struct tokenizer_files *files, struct error *err)
{
    const json_t *model = model_of(files);
    bool normalizes = json_is_object(json_object_get(files->tokenizer, "normalizer"));
    if ((normalizes && tokenizer_files_check_part(files, "normalizer", "BertNormalizer", err) != 0) ||
        tokenizer_files_check_part(files, "pre_tokenizer", "BertPreTokenizer", err) != 0)
        return -1;
    const char *prefix = json_text_or(model, "continuing_subword_prefix", "##");
    if (strcmp(prefix, "##") != 0)
        return error_set(err, EXIT_BAD_DATA, "%s: continuing_subword_prefix is \"%.64s\"; only \"##\" can be read",
                         files->tokenizer_path, prefix);
    int longest = json_int_or(model, "max_input_chars_per_word", DEFAULT_WORD);
    if (longest < 1 || longest > LONGEST_WORD)
        return error_set(err, EXIT_BAD_DATA, "%s: max_input_chars_per_word is %d, not in 1..%d", files->tokenizer_path,
                         longest, LONGEST_WORD);
    w->longest_word = (size_t)longest;
    return vocabulary_load_json(&w->vocabulary, json_object_get(model, "vocab"), files->tokenizer_path, err);
}

/* What tokenizer_config.json says has the last word, as transformers gives it. */
static bool option_or(const struct tokenizer_files *files, const char *config_key, const char *normalizer_key,
                      bool otherwise)
{
    if (json_object_get(files->config, config_key))
        return json_bool_or(files->config, config_key, otherwise);
    return json_bool_or(json_object_get(files->tokenizer, "normalizer"), normalizer_key, otherwise);
}

/* A normalizer that is null changes nothing; an option that is not given has the reference's default. */
static void read_options(struct bert_options *options, const struct tokenizer_files *files)
{
    const json_t *normalizer = json_object_get(files->tokenizer, "normalizer");
    if (!files->tokenizer || json_is_object(normalizer)) {
        options->clean_text = option_or(files, "clean_text", "clean_text", true);
        options->chinese_spaces = option_or(files, "tokenize_chinese_chars", "handle_chinese_chars", true);
        options->lowercase = option_or(files, "do_lower_case", "lowercase", true);
        options->strip_accents = option_or(files, "strip_accents", "strip_accents", options->lowercase);
    }
    /* sentence-transformers lowers the text before its tokenizer sees it */
    options->lowercase |= json_bool_or(files->sentence, "do_lower_case", false);
}

static void add_token(void *state, const char *content, int id, bool normalized)
{
    struct wordpiece *w = state;
    size_t count;
    uint32_t *points = utf8_decode_all(&count, content);
    if (id >= w->size)
        w->size = id + 1;
    if (!normalized) {
        added_tokens_add(&w->added, points, count, id);
        return;
    }
    uint32_t *normal = mem_new(BERT_GROWTH * count + 1, sizeof *normal);
    added_tokens_add(&w->added_normalized, normal, bert_normalize(normal, points, count, &w->options), id);
    free(points);
}

/* Without tokenizer.json, the special tokens of the vocabulary are the ones found in the text. */
static int read_special_tokens(struct wordpiece *w, const struct tokenizer_files *files, struct error *err)
{
    for (size_t i = 0; i < SPECIALS; i++) {
        const char *name = tokenizer_files_special(files, specials[i].key, specials[i].name).content;
        int id = vocabulary_find(w->vocabulary, name);
        if (id < 0 && specials[i].needed)
            return error_set(err, EXIT_BAD_DATA, "%s: the vocabulary has no %.64s, which every text needs",
                             files->tokenizer ? files->tokenizer_path : files->vocabulary_path, name);
        w->special[i] = id;
        if (id >= 0 && !files->tokenizer)
            add_token(w, name, id, false);
    }
    return 0;
}

static void wordpiece_close(void *state)
{
    struct wordpiece *w = state;
    vocabulary_free(w->vocabulary);
    added_tokens_free(&w->added);
    added_tokens_free(&w->added_normalized);
    free(w);
}

static int wordpiece_open(void **state, const struct tokenizer_files *files, struct error *err)
{
    struct wordpiece *w = mem_new(1, sizeof *w);
    w->longest_word = DEFAULT_WORD;
    read_options(&w->options, files);
    int result = files->tokenizer ? read_model(w, files, err)
                                  : vocabulary_load_text(&w->vocabulary, files->vocabulary_path, err);
    if (result == 0) {
        w->size = vocabulary_size(w->vocabulary);
        result = read_special_tokens(w, files, err);
    }
    if (result == 0)
        result = tokenizer_files_added_tokens(files, add_token, w, err);
    if (result != 0) {
        wordpiece_close(w);
        w = NULL;
    }
    *state = w;
    return result;
}

static int wordpiece_vocabulary_size(const void *state)
{
    return ((const struct wordpiece *)state)->size;
}

const struct tokenizer_kind wordpiece_kind = {.name = "WordPiece",
                                              .usual_length = 512,
                                              .fits = wordpiece_fits,
                                              .open = wordpiece_open,
                                              .encode = wordpiece_encode,
                                              .vocabulary_size = wordpiece_vocabulary_size,
                                              .close = wordpiece_close};
