/* What stands behind tools/serve and needs no network: base64, known texts, who may ask, queries without files. */
#include "runtime/util/base64.h"
#include "runtime/util/error.h"
#include "tools/guard.h"
#include "tools/query.h"
#include "tools/text_cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* RFC 4648, section 10. */
static const char *const vectors[][2] = {{"", ""},
                                         {"f", "Zg=="},
                                         {"fo", "Zm8="},
                                         {"foo", "Zm9v"},
                                         {"foob", "Zm9vYg=="},
                                         {"fooba", "Zm9vYmE="},
                                         {"foobar", "Zm9vYmFy"}};

static void base64_goes_both_ways(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        char *text = NULL;
        unsigned char *bytes;
        size_t size, count;
        FILE *memory = open_memstream(&text, &size);
        base64_write(memory, (const unsigned char *)vectors[i][0], strlen(vectors[i][0]));
        fclose(memory);
        assert_string_equal(text, vectors[i][1]);
        assert_true(base64_read(&bytes, &count, text));
        assert_int_equal(count, strlen(vectors[i][0]));
        assert_memory_equal(bytes, vectors[i][0], count);
        free(bytes);
        free(text);
    }
}

static void what_is_no_base64_is_refused(void **state)
{
    static const char *const wrong[] = {"Z", "Zm9vY", "Zm 9v", "Zm9v%", "Zg==Zg==", "Z-_v", "\xFF\xFF\xFF\xFF"};
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        unsigned char *bytes;
        size_t count;
        assert_false(base64_read(&bytes, &count, wrong[i]));
    }
}

static void the_text_not_asked_for_longest_gives_way(void **state)
{
    (void)state;
    struct text_cache *cache = text_cache_new(2, 1);
    text_cache_add(cache, "a", (const float[]){1});
    text_cache_add(cache, "b", (const float[]){2});
    assert_float_equal(*text_cache_find(cache, "a"), 1, 0);
    text_cache_add(cache, "c", (const float[]){3});
    assert_null(text_cache_find(cache, "b"));
    assert_float_equal(*text_cache_find(cache, "a"), 1, 0);
    assert_float_equal(*text_cache_find(cache, "c"), 3, 0);
    text_cache_free(cache);
}

static void only_this_machine_is_local(void **state)
{
    (void)state;
    assert_true(guard_is_local("localhost") && guard_is_local("127.0.0.1:8080") && guard_is_local("[::1]:8080"));
    assert_false(guard_is_local(NULL) || guard_is_local("localhost.example") || guard_is_local("127.0.0.10") ||
                 guard_is_local("") || guard_is_local("example"));
}

static void only_pages_of_the_site_may_ask(void **state)
{
    (void)state;
    assert_true(guard_is_same_site(NULL, "localhost:80") && guard_is_same_site("http://localhost:80", "localhost:80"));
    assert_false(guard_is_same_site("null", "localhost:80") ||
                 guard_is_same_site("http://localhost:81", "localhost:80") ||
                 guard_is_same_site("http://localhost:80", NULL));
}

static void only_the_whole_token_fits(void **state)
{
    (void)state;
    assert_true(guard_fits("sesame-open", "Bearer sesame-open", NULL) &&
                guard_fits("sesame-open", NULL, "sesame-open"));
    assert_false(guard_fits("sesame-open", NULL, NULL) || guard_fits("sesame-open", "Bearer ", NULL) ||
                 guard_fits("sesame-open", "sesame-open", NULL) ||
                 guard_fits("sesame-open", "Bearer sesame-ope", NULL) ||
                 guard_fits("sesame-open", NULL, "sesame-opensesame-open"));
    assert_true(guard_is_token("12345678") && !guard_is_token("1234567") && !guard_is_token("1234 5678"));
}

static void words_from_elsewhere_name_no_file(void **state)
{
    struct query query;
    struct error err;
    (void)state;
    assert_int_equal(query_parse_texts(&query, "/etc/passwd + 2:./nothing.jpg", &err), 0);
    assert_int_equal(query.count, 2);
    assert_true(query_is_of_texts(&query));
    assert_string_equal(query.terms[1].text, "./nothing.jpg");
    query_free(&query);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64_goes_both_ways),
        cmocka_unit_test(what_is_no_base64_is_refused),
        cmocka_unit_test(the_text_not_asked_for_longest_gives_way),
        cmocka_unit_test(only_this_machine_is_local),
        cmocka_unit_test(only_pages_of_the_site_may_ask),
        cmocka_unit_test(only_the_whole_token_fits),
        cmocka_unit_test(words_from_elsewhere_name_no_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
