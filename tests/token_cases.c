#include "tests/token_cases.h"

#include "runtime/util/file.h"
#include "runtime/util/json.h"
#include "tests/scratch.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { GUARD = -7 };

char *token_cases_path(const char *name)
{
    const char *root = getenv("OCLIP_TEST_DATA");
    return path_join(root ? root : "tests", name);
}

json_t *token_cases_read(const char *name)
{
    char *path = token_cases_path(name);
    json_t *root;
    struct error err = {0};
    if (json_read(&root, path, &err) != 0)
        fail_msg("%s", err.text);
    free(path);
    return root;
}

struct tokenizer *token_cases_open(const char *folder)
{
    struct tokenizer *tokenizer;
    struct error err = {0};
    if (tokenizer_open(&tokenizer, folder, &err) != 0)
        fail_msg("%s", err.text);
    return tokenizer;
}

/* A case's text; caller frees. */
static char *case_text(const json_t *golden)
{
    const char *hex = json_text_or(golden, "hex", NULL), *plain = json_text_or(golden, "text", "");
    size_t length = hex ? strlen(hex) / 2 : strlen(plain), repeat = (size_t)json_int_or(golden, "repeat", 1);
    char *text = mem_new(length * repeat + 1, 1);
    for (size_t i = 0; i < length * repeat; i++) {
        char digits[3] = {0};
        if (hex)
            memcpy(digits, hex + 2 * (i % length), 2);
        text[i] = hex ? (char)strtol(digits, NULL, 16) : plain[i % length];
    }
    return text;
}

static void check_case(const struct tokenizer *tokenizer, const json_t *golden)
{
    const json_t *want = json_object_get(golden, "ids");
    int ids[TOKEN_CASES_MOST_IDS], limit = json_int_or(golden, "limit", 0);
    char *text = case_text(golden);
    ids[limit] = GUARD;
    int count = tokenizer_encode(tokenizer, ids, limit, text);
    assert_int_equal(ids[limit], GUARD);
    bool equal = (size_t)count == json_array_size(want);
    for (int i = 0; equal && i < count; i++)
        equal = ids[i] == json_integer_value(json_array_get(want, (size_t)i));
    if (!equal)
        fail_msg("other ids than the reference for '%.200s' (limit %d)", text, limit);
    free(text);
}

void token_cases_check(const struct tokenizer *tokenizer, const json_t *group, size_t least)
{
    size_t index;
    json_t *golden, *cases = json_object_get(group, "cases");
    assert_true(json_array_size(cases) >= least);
    json_array_foreach(cases, index, golden) check_case(tokenizer, golden);
}

void token_cases_put_text(const char *folder, const char *name, const char *text)
{
    free(scratch_file(folder, name, text, strlen(text)));
}

void token_cases_put_json(const char *folder, const char *name, json_t *root)
{
    struct error err = {0};
    char *path = path_join(folder, name);
    if (json_write(root, path, &err) != 0)
        fail_msg("%s", err.text);
    json_decref(root);
    free(path);
}

void token_cases_check_refused(const char *folder, const char *part)
{
    struct tokenizer *tokenizer;
    struct error err = {0};
    assert_int_equal(tokenizer_open(&tokenizer, folder, &err), -1);
    assert_null(tokenizer);
    assert_int_equal(err.code, EXIT_BAD_DATA);
    if (!strstr(err.text, folder) || !strstr(err.text, part))
        fail_msg("'%s' does not mention '%s' and the folder", err.text, part);
}

void token_cases_check_ids(const struct tokenizer *tokenizer, const char *text, const int *want, int count)
{
    int ids[TOKEN_CASES_MOST_IDS];
    assert_int_equal(tokenizer_encode(tokenizer, ids, TOKEN_CASES_MOST_IDS, text), count);
    assert_memory_equal(ids, want, (size_t)count * sizeof *ids);
}

struct worker {
    pthread_t thread;
    const struct tokenizer *tokenizer;
    int64_t sum;
};

static void *encode_many(void *argument)
{
    struct worker *worker = argument;
    for (int i = 0; i < 2000; i++) {
        int ids[64];
        char text[64];
        snprintf(text, sizeof text, "Child %d climbs stairs, caf\u00E9 %d", i, i * 7919);
        int count = tokenizer_encode(worker->tokenizer, ids, 64, text);
        for (int j = 0; j < count; j++)
            worker->sum = worker->sum * 31 % 1000000007 + ids[j];
    }
    return NULL;
}

void token_cases_check_threads(const struct tokenizer *tokenizer)
{
    struct worker alone = {.tokenizer = tokenizer}, workers[4];
    encode_many(&alone);
    for (int i = 0; i < 4; i++) {
        workers[i] = (struct worker){.tokenizer = tokenizer};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, encode_many, &workers[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(workers[i].thread, NULL);
        assert_int_equal(workers[i].sum, alone.sum);
    }
}

void token_cases_check_random_bytes(const struct tokenizer *tokenizer)
{
    uint32_t random = 1;
    for (int round = 0; round < 20000; round++) {
        char text[64] = {0};
        int ids[17] = {[16] = GUARD};
        for (size_t i = 0; i + 1 < 1 + (size_t)round % sizeof text; i++) {
            random = random * 1664525u + 1013904223u;
            text[i] = (char)(random >> 24);
        }
        int count = tokenizer_encode(tokenizer, ids, 16, text);
        assert_in_range(count, 2, 16);
        for (int i = 0; i < count; i++)
            assert_in_range(ids[i], 0, tokenizer_vocabulary_size(tokenizer) - 1);
        assert_int_equal(ids[16], GUARD);
    }
}
