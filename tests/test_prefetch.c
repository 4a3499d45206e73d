/* Prefetched pictures come in order, whatever the number of threads and whatever cannot be read. */
#include "models/images/prefetch.h"
#include "runtime/util/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct error err;

enum { PICTURES = 60, BAD = 31 };

/* Big and small pictures in turn, so that threads finish out of order; one of them missing. */
static void fill_paths(char **paths /* [PICTURES] */)
{
    static const char *const names[] = {"wide.jpg", "dot.png", "tall.jpg", "alpha.png", "cmyk.jpg"};
    for (size_t i = 0; i < PICTURES; i++)
        paths[i] =
            mem_format("%s/goldens/images/%s", getenv("OCLIP_TEST_DATA"), i == BAD ? "missing.jpg" : names[i % 5]);
}

static void test_prefetch(void **state)
{
    (void)state;
    const struct preprocess preprocess = {.resize = 48, .crop = 40, .filter = &resize_filters[RESIZE_BICUBIC]};
    size_t size = preprocess_bytes(&preprocess);
    unsigned char *got = mem_new(size, 1), *expected = mem_new(size, 1);
    char *paths[PICTURES];
    fill_paths(paths);
    static const int workers[] = {1, 3, 0, 1000};
    for (size_t w = 0; w < 4; w++) {
        struct prefetch *prefetch = prefetch_open(&preprocess, NULL, w == 0 ? 7 : PICTURES, workers[w]);
        for (size_t i = 0, added = 0; i < PICTURES; i++) {
            for (; added < PICTURES && prefetch_has_room(prefetch); added++)
                prefetch_add(prefetch, paths[added], 0);
            assert_true(prefetch_wait(prefetch, 60));
            int result = prefetch_next(prefetch, got, &err);
            assert_int_equal(result, i == BAD ? -1 : 0);
            if (i == BAD) {
                assert_int_equal(err.code, EXIT_BAD_DATA);
                assert_non_null(strstr(err.text, "missing.jpg"));
            } else {
                assert_int_equal(preprocess_file(expected, &preprocess, paths[i], &err), 0);
                assert_memory_equal(got, expected, size);
            }
        }
        prefetch_close(prefetch);
    }
    for (size_t i = 0; i < PICTURES; i++)
        free(paths[i]);
    free(expected);
    free(got);
}

static void test_prefetch_left_early(void **state)
{
    (void)state;
    const struct preprocess preprocess = {.resize = 48, .crop = 40, .filter = &resize_filters[RESIZE_BICUBIC]};
    unsigned char *got = mem_new(preprocess_bytes(&preprocess), 1);
    char *paths[PICTURES];
    fill_paths(paths);
    for (size_t taken = 0; taken <= 4; taken += 2) {
        struct prefetch *prefetch = prefetch_open(&preprocess, NULL, PICTURES, 2);
        for (size_t i = 0; i < PICTURES; i++)
            prefetch_add(prefetch, paths[i], 0);
        assert_false(prefetch_has_room(prefetch));
        for (size_t i = 0; i < taken; i++)
            assert_int_equal(prefetch_next(prefetch, got, &err), 0);
        prefetch_close(prefetch);
    }
    prefetch_close(prefetch_open(&preprocess, NULL, 0, 0));
    for (size_t i = 0; i < PICTURES; i++)
        free(paths[i]);
    free(got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prefetch),
        cmocka_unit_test(test_prefetch_left_early),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
