/* SigLIP 2's token ids against transformers (goldens/make_gemma.py), and tokenizer.json files that are not its.
 */
#include "runtime/util/json.h"
#include "tests/scratch.h"
#include "tests/token_cases.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { PAD, END, SIZE = 768 }; /* of the goldens' vocabulary */

static json_t *golden_file(void)
{
    return token_cases_read("goldens/gemma/tokenizer.json");
}

/* A folder with this tokenizer.json and this tokenizer_config.json. */
static char *new_folder(json_t *tokenizer, const char *config)
{
    char *folder = scratch_new();
    token_cases_put_json(folder, "tokenizer.json", tokenizer);
    token_cases_put_text(folder, "tokenizer_config.json", config);
    return folder;
}

static struct tokenizer *open_golden(const char *config)
{
    char *folder = new_folder(golden_file(), config);
    struct tokenizer *tokenizer = token_cases_open(folder);
    scratch_free(folder);
    return tokenizer;
}

static void every_form_gives_the_reference_ids(void **state)
{
    (void)state;
    json_t *root = token_cases_read("goldens/gemma/cases.json"), *group;
    size_t index;
    json_array_foreach(json_object_get(root, "groups"), index, group)
    {
        json_t *file = golden_file();
        json_object_set(file, "normalizer", json_object_get(group, "normalizer"));
        char *config = json_dumps(json_object_get(group, "config"), 0), *folder = new_folder(file, config);
        struct tokenizer *tokenizer = token_cases_open(folder);
        assert_int_equal(tokenizer_vocabulary_size(tokenizer), SIZE);
        token_cases_check(tokenizer, group, 100);
        tokenizer_close(tokenizer);
        scratch_free(folder);
        free(config);
    }
    assert_int_equal(index, 4);
    json_decref(root);
}

static void texts_are_padded_to_64(void **state)
{
    (void)state;
    struct tokenizer *tokenizer = open_golden("{\"model_max_length\": 1e30}");
    assert_int_equal(tokenizer_max_length(tokenizer), 64);
    assert_int_equal(tokenizer_pad_id(tokenizer), PAD);
    tokenizer_close(tokenizer);
}

/* canonicalize: lower case, no punctuation. */
static void folders_of_open_clip_are_given_clean_text(void **state)
{
    (void)state;
    char *folder = new_folder(golden_file(), "{}");
    token_cases_put_text(folder, "open_clip_config.json",
                         "{\"model_cfg\": {\"text_cfg\": {\"context_length\": 64, \"hf_tokenizer_name\": "
                         "\"timm/ViT-B-16-SigLIP2\", \"tokenizer_kwargs\": {\"clean\": \"canonicalize\"}}}}");
    struct tokenizer *cleaning = token_cases_open(folder), *plain = open_golden("{}");
    int want[TOKEN_CASES_MOST_IDS];
    int count = tokenizer_encode(plain, want, TOKEN_CASES_MOST_IDS, "its a white blouse");
    token_cases_check_ids(cleaning, " It's a White  BLOUSE!", want, count);
    tokenizer_close(plain);
    tokenizer_close(cleaning);
    scratch_free(folder);
}

static void threads_share_one_tokenizer(void **state)
{
    (void)state;
    struct tokenizer *tokenizer = open_golden("{}");
    token_cases_check_threads(tokenizer);
    tokenizer_close(tokenizer);
}

static void check_refused(json_t *tokenizer, const char *config, const char *part)
{
    char *folder = new_folder(tokenizer, config);
    token_cases_check_refused(folder, part);
    scratch_free(folder);
}

/* The goldens' tokenizer.json with one member of a part set. */
static json_t *with(const char *part, const char *key, json_t *value)
{
    json_t *root = golden_file();
    assert_int_equal(json_object_set_new(json_object_get(root, part), key, value), 0);
    return root;
}

static json_t *without_token(const char *token)
{
    json_t *root = golden_file();
    assert_int_equal(json_object_del(json_object_get(json_object_get(root, "model"), "vocab"), token), 0);
    return root;
}

static void other_tokenizers_are_refused_by_name(void **state)
{
    (void)state;
    json_t *stripping = golden_file();
    json_object_set_new(json_array_get(json_object_get(stripping, "added_tokens"), 2), "rstrip", json_true());
    check_refused(stripping, "{}", "added token 2");
    check_refused(with("model", "end_of_word_suffix", json_string("</w>")), "{}", "model is not");
    check_refused(with("model", "ignore_merges", json_true()), "{}", "model is not");
    check_refused(with("model", "merges", json_pack("[s]", "q zzz")), "{}", "merge 0");
    check_refused(with("normalizer", "content", json_string("_")), "{}", "normalizer is not");
    check_refused(with("pre_tokenizer", "type", json_string("Whitespace")), "{}", "pre_tokenizer is not");
    check_refused(with("post_processor", "single", json_array()), "{}", "post_processor is not");
    check_refused(golden_file(), "{\"add_bos_token\": true, \"add_eos_token\": true}", "post_processor is not");
    check_refused(golden_file(), "{\"eos_token\": \"<end>\", \"add_eos_token\": true}", "no <end>");
    check_refused(without_token("<0xE2>"), "{}", "no <0xE2>");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_gives_the_reference_ids),        cmocka_unit_test(texts_are_padded_to_64),
        cmocka_unit_test(folders_of_open_clip_are_given_clean_text), cmocka_unit_test(threads_share_one_tokenizer),
        cmocka_unit_test(other_tokenizers_are_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
