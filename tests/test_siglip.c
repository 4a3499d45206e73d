/* SigLIP's token ids against transformers (goldens/make_siglip.py), padding, and models that are none.
 */
#include "models/tokenizers/spiece_check.h"
#include "runtime/util/file.h"
#include "tests/scratch.h"
#include "tests/token_cases.h"
#include "third_party/spm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { PIECES = 300, END = 1 };

/* A folder with the first `most` bytes of the goldens' model. */
static char *new_folder(size_t most)
{
    char *folder = scratch_new(), *path = token_cases_path("goldens/siglip/spiece.model");
    struct file_map map;
    struct error err = {0};
    if (file_map(&map, path, &err) != 0)
        fail_msg("%s", err.text);
    free(scratch_file(folder, "spiece.model", map.data, map.size < most ? map.size : most));
    file_unmap(&map);
    free(path);
    return folder;
}

static struct tokenizer *open_configured(const char *config)
{
    char *folder = new_folder(SIZE_MAX);
    token_cases_put_text(folder, "tokenizer_config.json", config);
    struct tokenizer *tokenizer = token_cases_open(folder);
    scratch_free(folder);
    return tokenizer;
}

static void the_model_gives_the_reference_ids(void **state)
{
    (void)state;
    json_t *root = token_cases_read("goldens/siglip/cases.json"), *group;
    size_t index;
    json_array_foreach(json_object_get(root, "groups"), index, group)
    {
        char *config = json_dumps(json_object_get(group, "config"), 0);
        struct tokenizer *tokenizer = open_configured(config);
        assert_int_equal(tokenizer_vocabulary_size(tokenizer), PIECES);
        token_cases_check(tokenizer, group, 40);
        tokenizer_close(tokenizer);
        free(config);
    }
    assert_int_equal(index, 3);
    json_decref(root);
}

static void texts_are_padded_to_64(void **state)
{
    (void)state;
    struct tokenizer *tokenizer = open_configured("{}");
    assert_int_equal(tokenizer_max_length(tokenizer), 64);
    assert_int_equal(tokenizer_pad_id(tokenizer), END);
    tokenizer_close(tokenizer);
    tokenizer = open_configured("{\"pad_token\": \"<unk>\", \"model_max_length\": 16}");
    assert_int_equal(tokenizer_max_length(tokenizer), 16);
    assert_int_equal(tokenizer_pad_id(tokenizer), 2);
    tokenizer_close(tokenizer);
}

static void threads_share_one_tokenizer(void **state)
{
    (void)state;
    struct tokenizer *tokenizer = open_configured("{}");
    token_cases_check_threads(tokenizer);
    tokenizer_close(tokenizer);
}

static void check_refused(char *folder, const char *part)
{
    token_cases_check_refused(folder, part);
    scratch_free(folder);
}

static void bad_models_are_refused_by_name(void **state)
{
    (void)state;
    check_refused(new_folder(0), "not a SentencePiece model");
    check_refused(new_folder(1000), "not a SentencePiece model");
    char *folder = scratch_new();
    token_cases_put_text(folder, "spiece.model", "no protocol buffer at all");
    check_refused(folder, "not a SentencePiece model");
    folder = new_folder(SIZE_MAX);
    token_cases_put_text(folder, "tokenizer_config.json", "{\"eos_token\": \"<end>\"}");
    check_refused(folder, "no piece \"<end>\"");
}

/* A ModelProto with nothing but the normaliser's rules: 256 units of a double array, whose bytes come first, and the
 * texts "a", "". */
enum { UNITS = 256, RULES_BYTES = 4 + 4 * UNITS + 3, MODEL_BYTES = 3 + 3 + RULES_BYTES, ARRAY = 10 };

static void put_rules(unsigned char *model) // [MODEL_BYTES]
{
    const unsigned char heads[] = {0x1A, (RULES_BYTES + 3) % 128 + 128, (RULES_BYTES + 3) / 128,
                                   0x12, RULES_BYTES % 128 + 128,       RULES_BYTES / 128};
    memset(model, 0, MODEL_BYTES);
    memcpy(model, heads, sizeof heads);
    model[sizeof heads + 1] = 4 * UNITS / 256;
    model[MODEL_BYTES - 3] = 'a';
}

static void rules_that_lead_out_of_the_model_are_refused(void **state)
{
    (void)state;
    const struct {
        size_t at;
        unsigned char byte;
        bool want;
    } cases[] = {
        {ARRAY, 0, true},
        {ARRAY + 2, 0xFF, false},      /* a step of 16,320 units */
        {ARRAY + 4 * 7 + 3, 1, false}, /* the same from the seventh */
        {ARRAY + 3, 0x80, true},       /* a value has no step */
        {ARRAY + 1, 1, false},         /* a value behind the texts: 256 of 3 bytes */
        {7, 8, false},                 /* an array of 2,048 bytes */
        {6, 2, false},                 /* not of whole units */
        {MODEL_BYTES - 1, 'b', false}, /* texts without an end */
        {1, 0xFF, false},              /* a field longer than the file */
        {0, 0x1B, false},              /* a wire type of no field */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        unsigned char model[MODEL_BYTES];
        put_rules(model);
        model[cases[i].at] = cases[i].byte;
        if (spiece_check((const char *)model, MODEL_BYTES) != cases[i].want)
            fail_msg("case %zu", i);
    }
}

static void copied_files_open_the_same_tokenizer(void **state)
{
    (void)state;
    char *from = new_folder(SIZE_MAX), *to = scratch_new();
    struct error err = {0};
    assert_int_equal(tokenizer_copy_files(to, from, &err), 0);
    struct tokenizer *tokenizer = token_cases_open(to);
    assert_int_equal(tokenizer_vocabulary_size(tokenizer), PIECES);
    tokenizer_close(tokenizer);
    scratch_free(from);
    scratch_free(to);
}

static void without_the_library_the_package_is_named(void **state)
{
    (void)state;
    char *folder = new_folder(SIZE_MAX);
    struct tokenizer *tokenizer;
    struct error err = {0};
    assert_int_equal(tokenizer_open(&tokenizer, folder, &err), -1);
    assert_non_null(strstr(err.text, "libsentencepiece-dev"));
    scratch_free(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_model_gives_the_reference_ids),
        cmocka_unit_test(texts_are_padded_to_64),
        cmocka_unit_test(threads_share_one_tokenizer),
        cmocka_unit_test(bad_models_are_refused_by_name),
        cmocka_unit_test(rules_that_lead_out_of_the_model_are_refused),
        cmocka_unit_test(copied_files_open_the_same_tokenizer),
    };
    const struct CMUnitTest missing[] = {cmocka_unit_test(without_the_library_the_package_is_named)};
    return spm_built() ? cmocka_run_group_tests(tests, NULL, NULL) : cmocka_run_group_tests(missing, NULL, NULL);
}
