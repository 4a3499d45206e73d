/* What people may write, as they write it: queries, files of queries, dates and other filters. */
#include "tests/scratch.h"
#include "tools/filter.h"
#include "tools/query.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int enter_folder(void **state)
{
    *state = scratch_new();
    if (chdir(*state) != 0)
        return -1;
    free(scratch_file(".", "a.jpg", "x", 1));
    free(scratch_file(".", "7:b.jpg", "x", 1));
    return 0;
}

static int leave_folder(void **state)
{
    int result = chdir("/");
    scratch_free(*state);
    return result;
}

/* ---- the grammar ---- */

static const struct grammar_case {
    const char *words;
    size_t count;
    struct query_term terms[3]; // [count]
} grammar[] = {
    {"a dog", 1, {{"a dog", 1, false}}},
    {"  a dog\n", 1, {{"a dog", 1, false}}},
    {"a dog + snow - people", 3, {{"a dog", 1, false}, {"snow", 1, false}, {"people", -1, false}}},
    {"2:red car", 1, {{"red car", 2, false}}},
    {"0.5: red car - 3:blue", 2, {{"red car", 0.5f, false}, {"blue", -3, false}}},
    {"- people", 1, {{"people", -1, false}}},
    {"+ people", 1, {{"people", 1, false}}},
    {"black-and-white a+b -x +y", 1, {{"black-and-white a+b -x +y", 1, false}}},
    {"a.jpg", 1, {{"a.jpg", 1, true}}},
    {"./a.jpg + night", 2, {{"./a.jpg", 1, true}, {"night", 1, false}}},
    {"night - 2:a.jpg", 2, {{"night", 1, false}, {"a.jpg", -2, true}}},
    {"./7:b.jpg", 1, {{"./7:b.jpg", 1, true}}},
    {".", 1, {{".", 1, false}}}, /* a folder is no picture */
    {"b.jpg", 1, {{"b.jpg", 1, false}}},
    {"10:30 at night", 1, {{"30 at night", 10, false}}}, /* as in rclip */
    {":x", 1, {{":x", 1, false}}},
    {"1.2.3:x", 1, {{"1.2.3:x", 1, false}}},
    {"0:x", 1, {{"0:x", 1, false}}},
};

static void queries_are_read_as_rclip_reads_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof grammar / sizeof *grammar; i++) {
        struct query query;
        struct error err;
        if (query_parse(&query, grammar[i].words, &err) != 0)
            fail_msg("%s", err.text);
        assert_int_equal(query.count, grammar[i].count);
        for (size_t t = 0; t < query.count; t++) {
            assert_string_equal(query.terms[t].text, grammar[i].terms[t].text);
            assert_true(query.terms[t].weight == grammar[i].terms[t].weight);
            assert_int_equal(query.terms[t].is_picture, grammar[i].terms[t].is_picture);
        }
        query_free(&query);
    }
}

static void wrong_queries_are_named(void **state)
{
    static const struct {
        const char *words, *mention;
    } cases[] = {
        {"", "a term is missing"},        {"  ", "a term is missing"},    {"a + ", NULL},
        {"a + + b", "a term is missing"}, {"2:", "a term is missing"},    {"./none.jpg", "./none.jpg: no such"},
        {"a - ../x", "../x: no such"},    {"/none + a", "/none: no such"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct query query;
        struct error err;
        int result = query_parse(&query, cases[i].words, &err);
        assert_int_equal(result, -1);
        assert_non_null(strstr(err.text, cases[i].mention ? cases[i].mention : "a term is missing"));
    }
}

static void signs_join_the_words_of_a_command_line(void **state)
{
    static char *const words[] = {"a dog", "+", "2:snow", "-", "people", "birthday cake", "x"};
    (void)state;
    struct query_list list = {0};
    struct error err;
    assert_int_equal(query_list_add_words(&list, words, 7, &err), 0);
    assert_int_equal(list.count, 3);
    assert_string_equal(list.items[0].words, "a dog + 2:snow - people");
    assert_int_equal(list.items[0].count, 3);
    assert_string_equal(list.items[2].words, "x");
    query_list_free(&list);
}

/* ---- files of queries ---- */

static void json_lines_are_queries(void **state)
{
    static const char lines[] = "\"a dog - snow\"\n\n{\"query\": \"a cat\", \"id\": 7}\n{\"image\": \"x + y.jpg\"}\n";
    (void)state;
    struct query_list list = {0};
    struct error err;
    free(scratch_file(".", "q.jsonl", lines, strlen(lines)));
    assert_int_equal(query_list_read(&list, "q.jsonl", &err), 0);
    assert_int_equal(list.count, 3);
    assert_int_equal(list.items[0].count, 2);
    assert_null(list.items[0].id);
    assert_int_equal(json_integer_value(list.items[1].id), 7);
    assert_true(query_is_picture(&list.items[2]));
    assert_string_equal(list.items[2].terms[0].text, "x + y.jpg");
    query_list_free(&list);
}

static void wrong_lines_are_named(void **state)
{
    static const char *const lines[] = {"{\"query\": \"a\"\n", "[1]\n",     "7\n", "{\"words\": \"a\"}\n",
                                        "{\"query\": 3}\n",    "\"a + \"\n"};
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct query_list list = {0};
        struct error err;
        char *text = mem_format("\"right\"\n%s", lines[i]);
        free(scratch_file(".", "q.jsonl", text, strlen(text)));
        assert_int_equal(query_list_read(&list, "q.jsonl", &err), -1);
        if (strncmp(err.text, "q.jsonl:2: ", 11) != 0)
            fail_msg("'%s' does not begin with the file and the line", err.text);
        query_list_free(&list);
        free(text);
    }
}

/* ---- filters ---- */

static void filters_take_what_they_say(void **state)
{
    static const struct photo photo = {.width = 400, .height = 300, .taken = "2024-05-31 18:30:00"};
    static const struct {
        struct filter filter;
        bool takes;
    } cases[] = {{{0}, true},
                 {{.after = "2024"}, true},
                 {{.after = "2024-05-31 18:30:00"}, true},
                 {{.after = "2024-05-31 18:31"}, false},
                 {{.after = "2025"}, false},
                 {{.before = "2024"}, false},
                 {{.before = "2024-06"}, true},
                 {{.before = "2024-05-31"}, false},
                 {{.after = "2024-05", .before = "2024-06"}, true},
                 {{.orientation = "landscape"}, true},
                 {{.orientation = "portrait"}, false},
                 {{.orientation = "square"}, false},
                 {{.min_width = 400, .min_height = 300}, true},
                 {{.min_width = 401}, false},
                 {{.min_height = 301}, false},
                 {{.path = "2024/*.jpg"}, true},
                 {{.path = "*each*"}, true},
                 {{.path = "beach*"}, false},
                 {{.path = "2024/[a-m]*"}, true}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(filter_takes(&cases[i].filter, "2024/beach/1.jpg", &photo), cases[i].takes);
}

static void dates_are_checked(void **state)
{
    static const char *const right[] = {"2024", "2024-05", "2024-05-31", "2024-05-31 18", "2024-05-31 18:30:00"};
    static const char *const wrong[] = {
        "", "24", "2024-", "2024-5", "2024/05", "31.5.2024", "2024-05-31T18:30", "yesterday", "2024-05-31 18:30:00 "};
    (void)state;
    struct error err;
    for (size_t i = 0; i < sizeof right / sizeof *right; i++)
        assert_int_equal(filter_check(&(struct filter){.after = right[i]}, &err), 0);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(filter_check(&(struct filter){.before = wrong[i]}, &err), -1);
        assert_int_equal(err.code, EXIT_USAGE);
        assert_non_null(strstr(err.text, "--before"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queries_are_read_as_rclip_reads_them),
        cmocka_unit_test(wrong_queries_are_named),
        cmocka_unit_test(signs_join_the_words_of_a_command_line),
        cmocka_unit_test(json_lines_are_queries),
        cmocka_unit_test(wrong_lines_are_named),
        cmocka_unit_test(filters_take_what_they_say),
        cmocka_unit_test(dates_are_checked),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
