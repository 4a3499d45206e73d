/* SigLIP's token ids against transformers (goldens/make_siglip.py), padding, and models that are none.
 */
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
        cmocka_unit_test(the_model_gives_the_reference_ids),    cmocka_unit_test(texts_are_padded_to_64),
        cmocka_unit_test(threads_share_one_tokenizer),          cmocka_unit_test(bad_models_are_refused_by_name),
        cmocka_unit_test(copied_files_open_the_same_tokenizer),
    };
    const struct CMUnitTest missing[] = {cmocka_unit_test(without_the_library_the_package_is_named)};
    return spm_built() ? cmocka_run_group_tests(tests, NULL, NULL) : cmocka_run_group_tests(missing, NULL, NULL);
}
