#include "models/tokenizers/siglip.h"

#include "models/tokenizers/added_tokens.h"
#include "models/tokenizers/python_text.h"
#include "models/tokenizers/spiece_check.h"
#include "models/tokenizers/utf8.h"
#include "models/tokenizers/vocabulary.h"
#include "runtime/util/file.h"
#include "runtime/util/json.h"
#include "third_party/spm.h"

#include <stdlib.h>
#include <string.h>

enum {
    MOST_BYTES = 256 << 20,
    UNDERLINE = 0x2581, /* stands for a blank in pieces */
};

enum special { END, UNKNOWN, PAD, SPECIALS };

static const struct {
    const char *key, *name; /* in the configuration, and when it is silent */
} specials[SPECIALS] = {
    [END] = {"eos_token", "</s>"}, [UNKNOWN] = {"unk_token", "<unk>"}, [PAD] = {"pad_token", "</s>"}};

struct siglip {
    struct spm *model;
    struct added_tokens added; /* found in the text as it is */
    struct points prefix;      /* the unknown token, put before each stretch so that its first blank counts */
    size_t prefix_pieces;      /* what the prefix becomes */
    int special[SPECIALS];     /* ids */
    int underline;             /* the id of the piece, or -1 */
    bool lowercase;
};

/* ---- encoding ---- */

/* The ids of a stretch between special tokens, behind its prefix. */
static void encode_stretch(const void *state, struct token_ids *out, const uint32_t *points, size_t count)
{
    const struct siglip *s = state;
    struct points text = {0};
    points_append(&text, points, count);
    if (s->lowercase)
        python_lower(&text);
    python_remove_punctuation(&text);
    python_join_words(&text);

    struct points whole = {0};
    points_append(&whole, s->prefix.items, s->prefix.count);
    points_append(&whole, text.items, text.count);
    char *utf8 = utf8_encode_all(whole.items, whole.count);
    int *ids;
    size_t pieces = spm_encode(&ids, s->model, utf8, strlen(utf8));
    for (size_t i = pieces >= s->prefix_pieces ? s->prefix_pieces : 0; i < pieces; i++)
        token_ids_put(out, ids[i]);
    free(ids);
    free(utf8);
    free(whole.items);
    free(text.items);
}

static int siglip_encode(const void *state, int *ids, int limit, const char *text)
{
    const struct siglip *s = state;
    struct token_ids out = {.ids = ids, .limit = limit - 1};
    struct points points = {0};
    size_t first = 0; /* special token */
    points_put(&points, UNDERLINE);
    for (uint32_t point; *text;) {
        text += utf8_decode(&point, text);
        points_put(&points, point == UNDERLINE ? ' ' : point);
    }
    while (first < points.count && !added_tokens_match(&s->added, points.items + first, points.count - first))
        first++;
    encode_stretch(s, &out, points.items, first);
    if (first < points.count && out.count == 1 && ids[0] == s->underline)
        out.count = 0; /* no blank before a special token that begins the text */
    added_tokens_between(&out, &s->added, encode_stretch, s, points.items + first, points.count - first);
    free(points.items);
    int written = token_ids_full(&out) ? out.limit : out.count;
    if (written > 0 && ids[written - 1] == s->special[END]) /* spelled out in the text: no second one */
        return written;
    return token_ids_end(&out, s->special[END]);
}

/* ---- opening ---- */

static bool siglip_fits(const struct tokenizer_files *files)
{
    const json_t *model = json_object_get(files->tokenizer, "model");
    return files->spiece_path && (!model || strcmp(json_text_or(model, "type", "Unigram"), "Unigram") == 0);
}

/* Protocol buffers that follow each other are merged: this sets normalizer_spec.add_dummy_prefix to false. */
static const char no_dummy_prefix[] = {0x1A, 2, 0x18, 0};

static int read_model(struct siglip *s, const struct tokenizer_files *files, struct error *err)
{
    char *bytes;
    size_t size;
    if (!spm_built())
        return error_set(err, EXIT_FAILED,
                         "%s: this oclip was built without SentencePiece; install libsentencepiece-dev and build again",
                         files->spiece_path);
    if (file_read(&bytes, &size, files->spiece_path, MOST_BYTES, err) != 0)
        return -1;
    if (!json_bool_or(files->config, "legacy", true)) {
        bytes = mem_grow(bytes, size + sizeof no_dummy_prefix, 1);
        memcpy(bytes + size, no_dummy_prefix, sizeof no_dummy_prefix);
        size += sizeof no_dummy_prefix;
    }
    bool sound = size > 0 && spiece_check(bytes, size);
    int result = sound ? spm_open(&s->model, bytes, size) : -1;
    free(bytes);
    if (result != 0)
        return error_set(err, EXIT_BAD_DATA, "%s: not a SentencePiece model; copy it again", files->spiece_path);
    int pieces = spm_size(s->model);
    if (pieces > VOCABULARY_MOST_IDS)
        return error_set(err, EXIT_BAD_DATA, "%s: %d pieces; up to %d are believed", files->spiece_path, pieces,
                         VOCABULARY_MOST_IDS);
    return 0;
}

static int add_token(int *id, struct siglip *s, const char *name, const struct tokenizer_files *files,
                     struct error *err)
{
    size_t count;
    *id = spm_find(s->model, name);
    if (*id < 0)
        return error_set(err, EXIT_BAD_DATA,
                         "%s: the model has no piece \"%.64s\", a special token of its configuration",
                         files->spiece_path, name);
    uint32_t *points = utf8_decode_all(&count, name);
    added_tokens_add(&s->added, points, count, *id);
    return 0;
}

static int read_tokens(struct siglip *s, const struct tokenizer_files *files, struct error *err)
{
    const char *key;
    json_t *entry;
    int id;
    for (size_t i = 0; i < SPECIALS; i++) {
        const char *name = tokenizer_files_special(files, specials[i].key, specials[i].name).content;
        if (add_token(&s->special[i], s, name, files, err) != 0)
            return -1;
    }
    json_object_foreach(json_object_get(files->config, "added_tokens_decoder"), key, entry)
    {
        if (add_token(&id, s, json_text_or(entry, "content", ""), files, err) != 0)
            return -1;
    }
    return 0;
}

static void read_prefix(struct siglip *s, const struct tokenizer_files *files)
{
    const char *name = tokenizer_files_special(files, specials[UNKNOWN].key, specials[UNKNOWN].name).content;
    int *ids;
    s->prefix.items = utf8_decode_all(&s->prefix.count, name);
    s->prefix_pieces = spm_encode(&ids, s->model, name, strlen(name));
    free(ids);
}

static void siglip_close(void *state)
{
    struct siglip *s = state;
    spm_close(s->model);
    added_tokens_free(&s->added);
    free(s->prefix.items);
    free(s);
}

static int siglip_open(void **state, const struct tokenizer_files *files, struct error *err)
{
    struct siglip *s = mem_new(1, sizeof *s);
    s->lowercase = json_bool_or(files->config, "do_lower_case", true);
    int result = read_model(s, files, err);
    if (result == 0)
        result = read_tokens(s, files, err);
    if (result == 0) {
        s->underline = spm_find(s->model, "\u2581");
        read_prefix(s, files);
    } else {
        siglip_close(s);
        s = NULL;
    }
    *state = s;
    return result;
}

static int siglip_vocabulary_size(const void *state)
{
    return spm_size(((const struct siglip *)state)->model);
}

static int siglip_pad_id(const void *state)
{
    return ((const struct siglip *)state)->special[PAD];
}

const struct tokenizer_kind siglip_kind = {.name = "SigLIP",
                                           .usual_length = 64,
                                           .fits = siglip_fits,
                                           .open = siglip_open,
                                           .encode = siglip_encode,
                                           .vocabulary_size = siglip_vocabulary_size,
                                           .pad_id = siglip_pad_id,
                                           .close = siglip_close};
