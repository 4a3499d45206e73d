/* CLIP's token ids against `tokenizers` (goldens/make_bpe.py) in each layout of files, and folders that are not as they
 * should be.
 */
#include "models/tokenizers/unicode.h"
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

#define PACKED "bpe_simple_vocab_16e6.txt.gz"

enum { START = 2512, END = 2513, SIZE = 2514 }; /* of the goldens' vocabulary */

/* Copies one of the goldens' files, or its first bytes. */
static void put_golden(const char *folder, const char *name, size_t most)
{
    char *root = token_cases_path("goldens/bpe"), *path = path_join(root, name);
    struct file_map map;
    struct error err = {0};
    if (file_map(&map, path, &err) != 0)
        fail_msg("%s", err.text);
    free(scratch_file(folder, name, map.data, map.size < most ? map.size : most));
    file_unmap(&map);
    free(path);
    free(root);
}

static char *two_files(void)
{
    char *folder = scratch_new();
    put_golden(folder, "vocab.json", SIZE_MAX);
    put_golden(folder, "merges.txt", SIZE_MAX);
    return folder;
}

static char *packed_file(void)
{
    char *folder = scratch_new();
    put_golden(folder, PACKED, SIZE_MAX);
    return folder;
}

/* Opens a scratch folder and removes it. */
static struct tokenizer *open_and_free(char *folder)
{
    struct tokenizer *tokenizer = token_cases_open(folder);
    scratch_free(folder);
    return tokenizer;
}

/* ---- goldens ---- */

static void check_group(struct tokenizer *tokenizer, const json_t *root, size_t group, size_t least)
{
    assert_int_equal(tokenizer_vocabulary_size(tokenizer), SIZE);
    token_cases_check(tokenizer, json_array_get(json_object_get(root, "groups"), group), least);
    tokenizer_close(tokenizer);
}

static void tokenizer_json_gives_the_reference_ids(void **state)
{
    (void)state;
    json_t *root = token_cases_read("goldens/bpe/cases.json"), *group;
    size_t index;
    assert_int_equal(json_array_size(json_object_get(root, "groups")), 4);
    json_array_foreach(json_object_get(root, "groups"), index, group)
    {
        json_t *file = token_cases_read("goldens/bpe/tokenizer.json");
        json_t *parts = json_object_get(json_object_get(file, "pre_tokenizer"), "pretokenizers");
        json_t *pattern = json_object_get(json_array_get(parts, 0), "pattern");
        json_t *first = json_array_get(json_object_get(file, "added_tokens"), 0);
        json_object_set(pattern, "Regex", json_object_get(group, "pattern"));
        json_object_set(first, "normalized", json_object_get(group, "normalized"));
        char *folder = scratch_new();
        token_cases_put_json(folder, "tokenizer.json", file);
        check_group(open_and_free(folder), root, index, index == 0 ? 200 : 20);
    }
    json_decref(root);
}

static void vocab_and_merges_give_the_reference_ids(void **state)
{
    (void)state;
    json_t *root = token_cases_read("goldens/bpe/cases.json");
    check_group(open_and_free(two_files()), root, 0, 200);
    json_decref(root);
}

/* ---- open_clip ---- */

static void the_packed_list_gives_the_ids_of_open_clip(void **state)
{
    (void)state;
    json_t *root = token_cases_read("goldens/bpe/open_clip.json");
    check_group(open_and_free(packed_file()), root, 0, 100);
    json_decref(root);
}

static char *open_clip_folder(const char *text_config)
{
    char *folder = two_files();
    char *config = mem_format("{\"model_cfg\": {\"text_cfg\": %s}}", text_config);
    token_cases_put_text(folder, "open_clip_config.json", config);
    free(config);
    return folder;
}

static void folders_of_open_clip_give_its_ids(void **state)
{
    (void)state;
    json_t *root = token_cases_read("goldens/bpe/open_clip.json");
    struct tokenizer *tokenizer = open_and_free(open_clip_folder("{\"context_length\": 32}"));
    assert_int_equal(tokenizer_max_length(tokenizer), 32);
    check_group(tokenizer, root, 0, 100);
    json_decref(root);
}

static void folders_with_both_configurations_are_of_transformers(void **state)
{
    (void)state;
    json_t *root = token_cases_read("goldens/bpe/cases.json");
    char *folder = open_clip_folder("{}");
    token_cases_put_text(folder, "config.json", "{}");
    check_group(open_and_free(folder), root, 0, 200);
    json_decref(root);
}

/* <start_of_text> and case-blind words are SimpleTokenizer's only; the cleaning is open_clip's. */
static void a_named_tokenizer_is_given_clean_text(void **state)
{
    (void)state;
    const struct {
        const char *config, *text, *as; /* the ids of `text` are those of `as` without a configuration */
    } cases[] = {
        {"{\"hf_tokenizer_name\": \"x\"}", " In\n&lt;the&gt; \u201Cend\u201D", "in <the> \"end\""},
        {"{\"hf_tokenizer_name\": \"x\"}", "<start_of_text>", "<start_of_text>"},
        {"{\"hf_tokenizer_name\": \"x\", \"tokenizer_kwargs\": {\"clean\": \"canonicalize\"}}", "it's_in, The (end)",
         "its in the end"},
    };
    struct tokenizer *plain = open_and_free(two_files());
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int want[TOKEN_CASES_MOST_IDS];
        int count = tokenizer_encode(plain, want, TOKEN_CASES_MOST_IDS, cases[i].as);
        struct tokenizer *tokenizer = open_and_free(open_clip_folder(cases[i].config));
        token_cases_check_ids(tokenizer, cases[i].text, want, count);
        tokenizer_close(tokenizer);
    }
    tokenizer_close(plain);
}

static void unknown_options_of_open_clip_are_refused(void **state)
{
    (void)state;
    char *folder = open_clip_folder("{\"tokenizer_kwargs\": {\"clean\": \"scrub\"}}");
    token_cases_check_refused(folder, "open_clip_config.json: \"clean\" is \"scrub\"");
    scratch_free(folder);
    folder = open_clip_folder("{\"hf_tokenizer_name\": \"x\", \"tokenizer_kwargs\": {\"strip_sep_token\": true}}");
    token_cases_check_refused(folder, "strip_sep_token");
    scratch_free(folder);
}

/* As openai/clip-vit-base-patch32 has it: the padding token, named last, has the last word on <|endoftext|>. */
static void the_configuration_says_where_specials_are_found(void **state)
{
    (void)state;
    json_t *root = token_cases_read("goldens/bpe/cases.json");
    char *folder = two_files();
    token_cases_put_text(folder, "tokenizer_config.json",
                         "{\"bos_token\": {\"content\": \"<|startoftext|>\", \"normalized\": true},"
                         " \"eos_token\": {\"content\": \"<|endoftext|>\", \"normalized\": true},"
                         " \"pad_token\": \"<|endoftext|>\"}");
    check_group(open_and_free(folder), root, 2, 20);
    json_decref(root);
}

/* ---- small vocabularies, where the ids can be seen ---- */

/* 0 a, 1 b, 2 c, 3 a</w>, 4 c</w>, 5 bc</w>, 6 ab, 7 abc</w>, 8 aa, 9 <|startoftext|>, 10 <|endoftext|> */
static json_t *small_tokenizer(json_t *merges)
{
    json_t *root = token_cases_read("goldens/bpe/tokenizer.json"), *model = json_object_get(root, "model");
    json_object_set_new(model, "vocab",
                        json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i}", "a", 0, "b", 1, "c", 2,
                                  "a</w>", 3, "c</w>", 4, "bc</w>", 5, "ab", 6, "abc</w>", 7, "aa", 8,
                                  "<|startoftext|>", 9, "<|endoftext|>", 10));
    json_object_set_new(model, "merges", merges);
    json_object_set_new(root, "added_tokens", json_array());
    return root;
}

static struct tokenizer *open_json(json_t *root)
{
    char *folder = scratch_new();
    token_cases_put_json(folder, "tokenizer.json", root);
    return open_and_free(folder);
}

static void merges_go_by_rank_then_from_the_left(void **state)
{
    (void)state;
    struct tokenizer *t = open_json(small_tokenizer(json_pack("[s, s, s]", "b c</w>", "a b", "a a")));
    CHECK_IDS(t, "abc", 9, 0, 5, 10); /* b c</w> first, and a bc</w> is no merge */
    CHECK_IDS(t, "aba", 9, 6, 3, 10);
    CHECK_IDS(t, "aaaaaa", 9, 8, 8, 0, 3, 10); /* the last a is another symbol */
    tokenizer_close(t);
    t = open_json(small_tokenizer(json_pack("[[s, s], [s, s], [s, s]]", "a", "b", "b", "c</w>", "ab", "c</w>")));
    CHECK_IDS(t, "abc", 9, 7, 10);
    CHECK_IDS(t, "bc ABC", 9, 5, 7, 10);
    tokenizer_close(t);
}

static void bytes_that_are_missing_are_unknown(void **state)
{
    (void)state;
    struct tokenizer *t = open_json(small_tokenizer(json_pack("[s]", "a b")));
    CHECK_IDS(t, "axb\u00E9", 9, 0, 10, 1, 10, 10, 10); /* x, both bytes of the last */
    CHECK_IDS(t, "", 9, 10);
    tokenizer_close(t);
}

/* ---- Unicode ---- */

static void check_composed(const uint32_t *in, size_t count, const uint32_t *want, size_t want_count)
{
    uint32_t out[UNICODE_GROWTH * 8];
    assert_true(count <= 8);
    assert_int_equal(unicode_compose(out, in, count, UNICODE_9), want_count);
    assert_memory_equal(out, want, want_count * sizeof *out);
}
#define LIST(...) (const uint32_t[]){__VA_ARGS__}, sizeof(uint32_t[]){__VA_ARGS__} / sizeof(uint32_t)

static void composition_orders_and_joins_marks(void **state)
{
    (void)state;
    check_composed(LIST('e', 0x301), LIST(0xE9));
    check_composed(LIST('q', 0x307, 0x323), LIST('q', 0x323, 0x307));         /* Annex 15, figure 2 */
    check_composed(LIST(0x1E0B, 0x323), LIST(0x1E0D, 0x307));                 /* d-dot, dot below */
    check_composed(LIST(0x1100, 0x1161, 0x11A8), LIST(0xAC01));               /* Hangul */
    check_composed(LIST(0x958), LIST(0x915, 0x93C));                          /* excluded from composition */
    check_composed(LIST('a', 0x301, 0x302, 0x301), LIST(0xE1, 0x302, 0x301)); /* equal classes keep their order */
    check_composed(LIST(0x11935, 0x11930), LIST(0x11935, 0x11930));           /* younger than Unicode 9 */
    check_composed(LIST('a', 0x1ABF, 0x301), LIST('a', 0x1ABF, 0x301));
}

/* ---- limits and threads ---- */

static void truncation_keeps_the_end_token(void **state)
{
    (void)state;
    struct tokenizer *tokenizer = open_and_free(two_files());
    const char *text = "A child in a pink dress is climbing up a set of stairs!";
    int whole[TOKEN_CASES_MOST_IDS], ids[TOKEN_CASES_MOST_IDS];
    int length = tokenizer_encode(tokenizer, whole, TOKEN_CASES_MOST_IDS, text);
    assert_true(length > 14);
    assert_int_equal(whole[0], START);
    assert_int_equal(whole[length - 1], END);
    for (int limit = 2; limit <= length + 2; limit++) {
        int want = limit < length ? limit : length;
        assert_int_equal(tokenizer_encode(tokenizer, ids, limit, text), want);
        assert_memory_equal(ids, whole, (size_t)(want - 1) * sizeof *ids);
        assert_int_equal(ids[want - 1], END);
    }
    tokenizer_close(tokenizer);
}

static void the_usual_length_is_77(void **state)
{
    (void)state;
    const struct {
        const char *config;
        int want;
    } cases[] = {{"{}", 77}, {"{\"model_max_length\": 64}", 64}, {"{\"model_max_length\": 1e30}", 77}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *folder = two_files();
        token_cases_put_text(folder, "tokenizer_config.json", cases[i].config);
        struct tokenizer *tokenizer = open_and_free(folder);
        assert_int_equal(tokenizer_max_length(tokenizer), cases[i].want);
        tokenizer_close(tokenizer);
    }
}

static void threads_share_one_tokenizer(void **state)
{
    (void)state;
    struct tokenizer *tokenizer = open_and_free(two_files());
    token_cases_check_threads(tokenizer);
    tokenizer_close(tokenizer);
}

static void random_bytes_do_no_harm(void **state)
{
    (void)state;
    struct tokenizer *tokenizer = open_and_free(packed_file());
    token_cases_check_random_bytes(tokenizer);
    tokenizer_close(tokenizer);
}

static void copied_files_open_the_same_tokenizer(void **state)
{
    (void)state;
    char *from[] = {two_files(), packed_file()};
    for (size_t i = 0; i < 2; i++) {
        char *to = scratch_new();
        struct error err = {0};
        assert_int_equal(tokenizer_copy_files(to, from[i], &err), 0);
        struct tokenizer *tokenizer = open_and_free(to);
        CHECK_IDS(tokenizer, "the", START, 518, END);
        tokenizer_close(tokenizer);
        scratch_free(from[i]);
    }
}

/* ---- folders that are not as they should be ---- */

static void check_json_refused(json_t *root, const char *part)
{
    char *folder = scratch_new();
    token_cases_put_json(folder, "tokenizer.json", root);
    token_cases_check_refused(folder, part);
    scratch_free(folder);
}

/* The goldens' tokenizer.json with one member set: of `part`, or of its entry `index` in the list `list`. */
static json_t *with(const char *part, const char *list, size_t index, const char *key, json_t *value)
{
    json_t *root = token_cases_read("goldens/bpe/tokenizer.json"), *owner = json_object_get(root, part);
    if (list)
        owner = json_array_get(json_object_get(owner, list), index);
    assert_int_equal(json_object_set_new(owner, key, value), 0);
    return root;
}

static void bad_tokenizer_json_is_refused_by_name(void **state)
{
    (void)state;
    check_json_refused(with("model", NULL, 0, "end_of_word_suffix", json_null()), "end_of_word_suffix");
    check_json_refused(with("model", NULL, 0, "continuing_subword_prefix", json_string("##")), "\"##\"");
    check_json_refused(with("model", NULL, 0, "fuse_unk", json_true()), "fuse_unk");
    check_json_refused(with("model", NULL, 0, "byte_fallback", json_true()), "byte_fallback");
    check_json_refused(with("model", NULL, 0, "vocab", json_array()), "model.vocab");
    check_json_refused(with("model", NULL, 0, "merges", json_object()), "model.merges");
    check_json_refused(with("model", NULL, 0, "merges", json_pack("[i]", 3)), "merge 0");
    check_json_refused(with("model", NULL, 0, "merges", json_pack("[[s]]", "a")), "merge 0");
    check_json_refused(with("model", NULL, 0, "merges", json_pack("[s]", "ab")), "merge 0");
    check_json_refused(with("model", NULL, 0, "merges", json_pack("[s, s]", "i n", "q zzz")), "merge 1");
    check_json_refused(with("model", NULL, 0, "vocab", json_pack("{s:i}", "a", 1)), "no <|startoftext|>");
    check_json_refused(with("normalizer", NULL, 0, "type", json_string("NFKC")), "NFKC");
    check_json_refused(with("normalizer", "normalizers", 0, "type", json_string("NFD")), "normalizer");
    check_json_refused(with("normalizer", "normalizers", 1, "content", json_string("_")), "normalizer");
    check_json_refused(with("pre_tokenizer", "pretokenizers", 0, "pattern", json_null()), "pre_tokenizer");
    check_json_refused(with("pre_tokenizer", "pretokenizers", 0, "invert", json_false()), "pre_tokenizer");
    check_json_refused(with("pre_tokenizer", "pretokenizers", 1, "add_prefix_space", json_true()), "pre_tokenizer");
}

static void bad_text_files_are_refused_by_name(void **state)
{
    (void)state;
    char *folder = scratch_new();
    put_golden(folder, "vocab.json", SIZE_MAX);
    token_cases_check_refused(folder, "neither vocab.txt");
    token_cases_put_text(folder, "merges.txt", "#version: 0.2\ni n\n\nt h\nx\n");
    token_cases_check_refused(folder, "merges.txt: merge 2");
    token_cases_put_text(folder, "merges.txt", "#version: 0.2\ni \xFF\n");
    token_cases_check_refused(folder, "merge 0 is not UTF-8");
    put_golden(folder, "merges.txt", SIZE_MAX);
    token_cases_put_text(folder, "vocab.json", "{\"<|startoftext|>\": 0, \"<|endoftext|>\": 99999999}");
    token_cases_check_refused(folder, "vocab.json: the vocabulary has no <|endoftext|>");
    token_cases_put_text(folder, "vocab.json", "{\"<|startoftext|>\": 0, \"</s>\": 1}");
    token_cases_put_text(folder, "tokenizer_config.json", "{\"eos_token\": \"</s>\"}");
    token_cases_check_refused(folder, "nor an unknown token");
    scratch_free(folder);
}

static void a_broken_packed_list_is_refused_by_name(void **state)
{
    (void)state;
    char *folder = scratch_new();
    put_golden(folder, PACKED, 3000);
    token_cases_check_refused(folder, "not a whole gzip file");
    token_cases_put_text(folder, PACKED, "\x1F\x8B\x08garbage that is no deflate stream");
    token_cases_check_refused(folder, "not a whole gzip file");
    token_cases_put_text(folder, PACKED, "neither packed nor merges");
    token_cases_check_refused(folder, "merge 0");
    scratch_free(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokenizer_json_gives_the_reference_ids),
        cmocka_unit_test(vocab_and_merges_give_the_reference_ids),
        cmocka_unit_test(the_packed_list_gives_the_ids_of_open_clip),
        cmocka_unit_test(folders_of_open_clip_give_its_ids),
        cmocka_unit_test(folders_with_both_configurations_are_of_transformers),
        cmocka_unit_test(a_named_tokenizer_is_given_clean_text),
        cmocka_unit_test(unknown_options_of_open_clip_are_refused),
        cmocka_unit_test(the_configuration_says_where_specials_are_found),
        cmocka_unit_test(merges_go_by_rank_then_from_the_left),
        cmocka_unit_test(bytes_that_are_missing_are_unknown),
        cmocka_unit_test(composition_orders_and_joins_marks),
        cmocka_unit_test(truncation_keeps_the_end_token),
        cmocka_unit_test(the_usual_length_is_77),
        cmocka_unit_test(threads_share_one_tokenizer),
        cmocka_unit_test(random_bytes_do_no_harm),
        cmocka_unit_test(copied_files_open_the_same_tokenizer),
        cmocka_unit_test(bad_tokenizer_json_is_refused_by_name),
        cmocka_unit_test(bad_text_files_are_refused_by_name),
        cmocka_unit_test(a_broken_packed_list_is_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
