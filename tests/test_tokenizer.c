/* Token ids against the `tokenizers` library (goldens/make_tokenizer.py), and folders that are not as they should be.
 */
#include "models/tokenizers/utf8.h"
#include "runtime/util/file.h"
#include "runtime/util/json.h"
#include "tests/scratch.h"
#include "tests/token_cases.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { GUARD = -7 };

#define SMALL_VOCABULARY "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nun\n##aff\n##able\na\n##a\ncafe\n"

static struct tokenizer *open_minilm(void)
{
    char *folder = token_cases_path("goldens/minilm-tokenizer");
    struct tokenizer *tokenizer = token_cases_open(folder);
    free(folder);
    return tokenizer;
}

/* The whole vocab.txt of the goldens; caller frees. */
static char *read_vocabulary(void)
{
    char *path = token_cases_path("goldens/minilm-tokenizer/vocab.txt"), *text;
    struct error err = {0};
    if (file_read(&text, NULL, path, 1 << 20, &err) != 0)
        fail_msg("%s", err.text);
    free(path);
    return text;
}

/* ---- goldens ---- */

static json_t *read_groups(void)
{
    json_t *root = token_cases_read("goldens/tokenizer/cases.json");
    assert_true(json_array_size(json_object_get(root, "groups")) >= 4);
    return root;
}

/* For each group a folder that `put` fills beside the group's own tokenizer_config.json; at least `least` texts. */
static void check_groups(void (*put)(const char *folder, const char *vocabulary, size_t group), int least)
{
    json_t *root = read_groups(), *group;
    char *vocabulary = read_vocabulary();
    size_t index;
    json_array_foreach(json_object_get(root, "groups"), index, group)
    {
        char *folder = scratch_new();
        put(folder, vocabulary, index);
        token_cases_put_json(folder, "tokenizer_config.json", json_incref(json_object_get(group, "config")));
        struct tokenizer *tokenizer = token_cases_open(folder);
        token_cases_check(tokenizer, group, least);
        tokenizer_close(tokenizer);
        scratch_free(folder);
    }
    free(vocabulary);
    json_decref(root);
}

static void put_vocab_txt(const char *folder, const char *vocabulary, size_t group)
{
    (void)group;
    token_cases_put_text(folder, "vocab.txt", vocabulary);
}

static void vocab_txt_gives_the_reference_ids(void **state)
{
    (void)state;
    check_groups(put_vocab_txt, 100);
}

/* A tokenizer.json around the lines of `vocabulary`; those in brackets, "[unused1]" and its like left out, are added
 * tokens. */
static json_t *tokenizer_json(const char *vocabulary, json_t *normalizer)
{
    json_t *tokens = json_object(), *added = json_array();
    int id = 0;
    for (const char *line = vocabulary; *line; line = strchr(line, '\n') + 1, id++) {
        size_t length = strcspn(line, "\n");
        assert_int_equal(json_object_setn_new(tokens, line, length, json_integer(id)), 0);
        if (length > 2 && line[0] == '[' && line[1] != 'u')
            json_array_append_new(added,
                                  json_pack("{s:i, s:s%, s:b}", "id", id, "content", line, length, "normalized", 0));
    }
    return json_pack("{s:o, s:{s:s}, s:o, s:{s:s, s:s, s:s, s:i, s:o}}", "normalizer", normalizer, "pre_tokenizer",
                     "type", "BertPreTokenizer", "added_tokens", added, "model", "type", "WordPiece", "unk_token",
                     "[UNK]", "continuing_subword_prefix", "##", "max_input_chars_per_word", 100, "vocab", tokens);
}

static json_t *bert_normalizer(bool lowercase)
{
    return json_pack("{s:s, s:b, s:b, s:n, s:b}", "type", "BertNormalizer", "clean_text", 1, "handle_chinese_chars", 1,
                     "strip_accents", "lowercase", lowercase);
}

static void tokenizer_json_gives_the_reference_ids(void **state)
{
    (void)state;
    json_t *root = read_groups();
    char *vocabulary = read_vocabulary();
    for (size_t i = 0; i < 2; i++) {
        char *folder = scratch_new();
        token_cases_put_json(folder, "tokenizer.json", tokenizer_json(vocabulary, bert_normalizer(i == 0)));
        struct tokenizer *tokenizer = token_cases_open(folder);
        token_cases_check(tokenizer, json_array_get(json_object_get(root, "groups"), i), 100);
        tokenizer_close(tokenizer);
        scratch_free(folder);
    }
    free(vocabulary);
    json_decref(root);
}

static void put_tokenizer_json(const char *folder, const char *vocabulary, size_t group)
{
    token_cases_put_json(folder, "tokenizer.json", tokenizer_json(vocabulary, bert_normalizer(group % 2 != 0)));
}

static void the_configuration_overrules_tokenizer_json(void **state)
{
    (void)state;
    check_groups(put_tokenizer_json, 40);
}

/* ---- small vocabularies, where the ids can be seen ---- */

static void added_tokens_are_found_in_the_text(void **state)
{
    (void)state;
    char *folder = scratch_new();
    json_t *root = tokenizer_json(SMALL_VOCABULARY, bert_normalizer(true));
    json_t *added = json_object_get(root, "added_tokens");
    json_array_append_new(added, json_pack("{s:i, s:s, s:b}", "id", 11, "content", "[SEP]a", "normalized", 0));
    json_array_append_new(added, json_pack("{s:i, s:s, s:b}", "id", 12, "content", "Caf\u00E9 A", "normalized", 1));
    token_cases_put_json(folder, "tokenizer.json", root);
    struct tokenizer *tokenizer = token_cases_open(folder);
    assert_int_equal(tokenizer_vocabulary_size(tokenizer), 13);
    CHECK_IDS(tokenizer, "a[MASK]un", 2, 8, 4, 5, 3);
    CHECK_IDS(tokenizer, "[SEP]ab [SEP]", 2, 11, 1, 3, 3); /* the longest wins, the rest is a word of its own */
    CHECK_IDS(tokenizer, "unCAFE aa", 2, 5, 12, 8, 3);     /* found after normalising, inside words too */
    CHECK_IDS(tokenizer, "cafe", 2, 10, 3);
    tokenizer_close(tokenizer);
    scratch_free(folder);
}

static void line_ends_and_repeated_tokens_of_vocab_txt(void **state)
{
    (void)state;
    char *folder = scratch_new();
    token_cases_put_text(folder, "vocab.txt", "[CLS]\r\n[SEP]\r\n[UNK]\r\n\r\na\r\na\r\n##b");
    struct tokenizer *tokenizer = token_cases_open(folder);
    assert_int_equal(tokenizer_vocabulary_size(tokenizer), 7);
    CHECK_IDS(tokenizer, "a ab abc", 0, 5, 5, 6, 2, 1);
    tokenizer_close(tokenizer);
    scratch_free(folder);
}

static void names_of_special_tokens_come_from_the_configuration(void **state)
{
    (void)state;
    char *folder = scratch_new();
    token_cases_put_text(folder, "vocab.txt", "<s>\n</s>\n<unk>\na\n");
    token_cases_put_text(folder, "special_tokens_map.json",
                         "{\"cls_token\": {\"content\": \"<s>\"}, \"unk_token\": \"<unk>\"}");
    token_cases_put_text(folder, "tokenizer_config.json", "{\"sep_token\": \"</s>\"}");
    struct tokenizer *tokenizer = token_cases_open(folder);
    CHECK_IDS(tokenizer, "a </s> b", 0, 3, 1, 2, 1);
    tokenizer_close(tokenizer);
    scratch_free(folder);
}

/* ---- limits ---- */

static void truncation_keeps_the_last_special_token(void **state)
{
    (void)state;
    struct tokenizer *tokenizer = open_minilm();
    const char *text = "unaffable, qzxqzx [MASK] climbing!";
    int whole[TOKEN_CASES_MOST_IDS], ids[TOKEN_CASES_MOST_IDS];
    int length = tokenizer_encode(tokenizer, whole, TOKEN_CASES_MOST_IDS, text);
    assert_true(length > 10);
    for (int limit = 2; limit <= length + 2; limit++) {
        int want = limit < length ? limit : length;
        ids[limit] = GUARD;
        assert_int_equal(tokenizer_encode(tokenizer, ids, limit, text), want);
        assert_memory_equal(ids, whole, (size_t)(want - 1) * sizeof *ids);
        assert_int_equal(ids[want - 1], whole[length - 1]);
        assert_int_equal(ids[limit], GUARD);
    }
    tokenizer_close(tokenizer);
}

static void max_length_comes_from_the_first_file_that_bounds_it(void **state)
{
    (void)state;
    const struct {
        const char *sentence, *config;
        int want;
    } cases[] = {
        {"{\"max_seq_length\": 128}", "{\"model_max_length\": 256}", 128},
        {"{\"max_seq_length\": null}", "{\"model_max_length\": 256}", 256},
        {"{}", "{\"model_max_length\": 1000000000000000019884624838656}", 512},
        {"{\"max_seq_length\": -3}", "{}", 512},
        {"{\"max_seq_length\": 1}", "{\"model_max_length\": 1e30}", 512},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *folder = scratch_new();
        token_cases_put_text(folder, "vocab.txt", SMALL_VOCABULARY);
        token_cases_put_text(folder, "sentence_bert_config.json", cases[i].sentence);
        token_cases_put_text(folder, "tokenizer_config.json", cases[i].config);
        struct tokenizer *tokenizer = token_cases_open(folder);
        assert_int_equal(tokenizer_max_length(tokenizer), cases[i].want);
        tokenizer_close(tokenizer);
        scratch_free(folder);
    }
    struct tokenizer *minilm = open_minilm();
    assert_int_equal(tokenizer_max_length(minilm), 256);
    assert_int_equal(tokenizer_vocabulary_size(minilm), 30522);
    tokenizer_close(minilm);
}

/* ---- text that is no text ---- */

static void broken_utf8_becomes_replacement_characters(void **state)
{
    (void)state;
    const struct {
        const char *bytes;
        uint32_t points[8]; // up to 0
    } cases[] = {
        /* what Python's bytes.decode(errors="replace") gives */
        {"\xC3\xA9\xE4\xBD\xA0\xF0\x9F\x98\x80", {0xE9, 0x4F60, 0x1F600}},
        {"\xFF"
         "a",
         {0xFFFD, 'a'}},
        {"\x80\xBF", {0xFFFD, 0xFFFD}},
        {"\xC3", {0xFFFD}},
        {"\xE4\xBD", {0xFFFD}},
        {"\xF0\x9F\x98"
         "a",
         {0xFFFD, 'a'}},
        {"\xC0\xAF", {0xFFFD, 0xFFFD}},
        {"\xE0\x80\xAF", {0xFFFD, 0xFFFD, 0xFFFD}},
        {"\xED\xA0\x80", {0xFFFD, 0xFFFD, 0xFFFD}},
        {"\xF4\x8F\xBF\xBF\xF4\x90\x80\x80", {0x10FFFF, 0xFFFD, 0xFFFD, 0xFFFD, 0xFFFD}},
        {"\xE2\x82\xC3\xA9", {0xFFFD, 0xE9}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t count, want = 0;
        uint32_t *points = utf8_decode_all(&count, cases[i].bytes);
        while (cases[i].points[want])
            want++;
        assert_int_equal(count, want);
        assert_memory_equal(points, cases[i].points, want * sizeof *points);
        free(points);
    }
}

static void every_code_point_survives_encoding_and_decoding(void **state)
{
    (void)state;
    for (uint32_t point = 1; point < 0x110000; point++) {
        char text[UTF8_LONGEST + 1] = {0};
        uint32_t back;
        if (point >= 0xD800 && point < 0xE000)
            continue;
        size_t length = utf8_encode(text, point);
        assert_int_equal(utf8_decode(&back, text), length);
        assert_int_equal(back, point);
    }
}

static void random_bytes_do_no_harm(void **state)
{
    (void)state;
    struct tokenizer *tokenizer = open_minilm();
    token_cases_check_random_bytes(tokenizer);
    tokenizer_close(tokenizer);
}

/* ---- folders ---- */

static void check_refused(const char *vocabulary, json_t *tokenizer_file, const char *config, const char *part)
{
    char *folder = scratch_new();
    if (vocabulary)
        token_cases_put_text(folder, "vocab.txt", vocabulary);
    if (tokenizer_file)
        token_cases_put_json(folder, "tokenizer.json", tokenizer_file);
    if (config)
        token_cases_put_text(folder, "tokenizer_config.json", config);
    token_cases_check_refused(folder, part);
    scratch_free(folder);
}

static void bad_folders_are_refused_by_name(void **state)
{
    (void)state;
    check_refused(NULL, NULL, NULL, "neither vocab.txt nor tokenizer.json");
    check_refused(SMALL_VOCABULARY, NULL, "{\"do_lower_case\": tr", "tokenizer_config.json:1:");
    check_refused(SMALL_VOCABULARY, NULL, "[1, 2]", "not an object");
    check_refused("", NULL, NULL, "no [CLS]");
    check_refused("[CLS]\n[SEP]\na\n", NULL, NULL, "no [UNK]");
    check_refused("[CLS]\n[UNK]\na\n", NULL, NULL, "no [SEP]");
    char *long_token = mem_format("[CLS]\n[SEP]\n[UNK]\n%0600d\n", 0);
    check_refused(long_token, NULL, NULL, "token 3 has 600 bytes");
    free(long_token);
}

/* The small tokenizer.json with model.`key` set. */
static json_t *with_model(const char *key, json_t *value)
{
    json_t *root = tokenizer_json(SMALL_VOCABULARY, bert_normalizer(true));
    json_object_set_new(json_object_get(root, "model"), key, value);
    return root;
}

static json_t *with_added_token(json_t *token)
{
    json_t *root = tokenizer_json(SMALL_VOCABULARY, bert_normalizer(true));
    json_array_append_new(json_object_get(root, "added_tokens"), token);
    return root;
}

static void bad_tokenizer_json_is_refused_by_name(void **state)
{
    (void)state;
    check_refused(NULL, json_object(), NULL, "only WordPiece");
    check_refused(SMALL_VOCABULARY, with_model("type", json_string("Unigram")), NULL, "spiece.model");
    check_refused(NULL, with_model("vocab", json_array()), NULL, "model.vocab");
    check_refused(NULL, with_model("vocab", json_pack("{s:i}", "[CLS]", -1)), NULL, "\"[CLS]\"");
    check_refused(NULL, with_model("vocab", json_pack("{s:I}", "a", (json_int_t)1 << 40)), NULL, "\"a\"");
    check_refused(NULL, with_model("vocab", json_pack("{s:i, s:i}", "[CLS]", 1, "[SEP]", 2)), NULL, "no [UNK]");
    check_refused(NULL, with_model("max_input_chars_per_word", json_integer(1 << 30)), NULL, "max_input_chars");
    check_refused(NULL, with_model("continuing_subword_prefix", json_string("@@")), NULL, "\"@@\"");
    check_refused(NULL, with_added_token(json_pack("{s:s, s:i}", "content", "x", "id", -2)), NULL, "added token");
    check_refused(NULL, with_added_token(json_pack("{s:i}", "id", 3)), NULL, "added token");
    check_refused(NULL, tokenizer_json(SMALL_VOCABULARY, json_pack("{s:s}", "type", "NFKC")), NULL, "NFKC");
}

static void copied_files_open_the_same_tokenizer(void **state)
{
    (void)state;
    char *from = token_cases_path("goldens/minilm-tokenizer"), *to = scratch_new();
    struct error err = {0};
    assert_int_equal(tokenizer_copy_files(to, from, &err), 0);
    struct tokenizer *tokenizer = token_cases_open(to);
    assert_int_equal(tokenizer_max_length(tokenizer), 256);
    CHECK_IDS(tokenizer, "A child in a pink dress", 101, 1037, 2775, 1999, 1037, 5061, 4377, 102);
    tokenizer_close(tokenizer);
    char *never = path_join(to, "tokenizer.json"), *map = path_join(to, "special_tokens_map.json");
    assert_false(file_exists(never));
    assert_true(file_exists(map));
    free(never);
    free(map);
    char *missing = path_join(to, "no/such/folder");
    assert_int_equal(tokenizer_copy_files(missing, from, &err), -1);
    assert_non_null(strstr(err.text, missing));
    free(missing);
    free(from);
    scratch_free(to);
}

/* ---- threads ---- */

static void threads_share_one_tokenizer(void **state)
{
    (void)state;
    struct tokenizer *tokenizer = open_minilm();
    token_cases_check_threads(tokenizer);
    tokenizer_close(tokenizer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vocab_txt_gives_the_reference_ids),
        cmocka_unit_test(tokenizer_json_gives_the_reference_ids),
        cmocka_unit_test(the_configuration_overrules_tokenizer_json),
        cmocka_unit_test(added_tokens_are_found_in_the_text),
        cmocka_unit_test(line_ends_and_repeated_tokens_of_vocab_txt),
        cmocka_unit_test(names_of_special_tokens_come_from_the_configuration),
        cmocka_unit_test(truncation_keeps_the_last_special_token),
        cmocka_unit_test(max_length_comes_from_the_first_file_that_bounds_it),
        cmocka_unit_test(broken_utf8_becomes_replacement_characters),
        cmocka_unit_test(every_code_point_survives_encoding_and_decoding),
        cmocka_unit_test(random_bytes_do_no_harm),
        cmocka_unit_test(bad_folders_are_refused_by_name),
        cmocka_unit_test(bad_tokenizer_json_is_refused_by_name),
        cmocka_unit_test(copied_files_open_the_same_tokenizer),
        cmocka_unit_test(threads_share_one_tokenizer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
