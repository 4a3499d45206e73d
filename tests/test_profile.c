/* The profile: what ran is in the trace, in order, by name and shape; and nothing is when nobody asked. */
#include "runtime/gemm/gemm.h"
#include "runtime/ops/ops.h"
#include "runtime/profile.h"
#include "runtime/util/file.h"
#include "runtime/util/json.h"
#include "tests/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { M = 5, N = 7, K = 11 };

struct bench {
    struct device *dev;
    struct tensor *a, *b, *c; // [M, K], [N, K], [M, N]
    char *folder;
};

static int set_up(void **state)
{
    struct bench *bench = mem_new(1, sizeof *bench);
    struct error err;
    if (device_open(&bench->dev, "auto", &err) != 0)
        fail_msg("%s", err.text);
    bench->a = tensor_new(bench->dev, DTYPE_F32, 2, (int[]){M, K});
    bench->b = tensor_new(bench->dev, DTYPE_F32, 2, (int[]){N, K});
    bench->c = tensor_new(bench->dev, DTYPE_F32, 2, (int[]){M, N});
    bench->folder = scratch_new();
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;
    tensor_free(bench->a);
    tensor_free(bench->b);
    tensor_free(bench->c);
    device_close(bench->dev);
    scratch_free(bench->folder);
    free(bench);
    return 0;
}

/* Two uploads, a fill, a product, a copy and a download. */
static void work(struct bench *bench)
{
    float ones[N * K], out[M * N];
    for (int i = 0; i < N * K; i++)
        ones[i] = 1;
    tensor_upload(bench->a, ones);
    tensor_upload(bench->b, ones);
    buffer_zero(bench->c->buffer, 0, sizeof out);
    gemm(&(struct gemm){.m = M, .n = N, .k = K, .a = bench->a, .b = bench->b, .b_transposed = true, .c = bench->c});
    buffer_copy(bench->a->buffer, 0, bench->c->buffer, 0, sizeof out);
    tensor_download(out, bench->c);
    assert_true(out[0] == K && out[M * N - 1] == K);
}

static json_t *trace_of(struct bench *bench)
{
    struct error err = {0};
    char *path = path_join(bench->folder, "trace.json");
    json_t *root = NULL;
    if (device_profile_write(bench->dev, path, &err) != 0 || json_read(&root, path, &err) != 0)
        fail_msg("%s", err.text);
    free(path);
    return root;
}

static double argument(const json_t *event, const char *name)
{
    return json_real_or(json_object_get(event, "args"), name, -1);
}

/* Names of the events that took time on one row of the trace, each with a blank behind it; checks each. */
static char *names_on(const json_t *trace, int thread)
{
    char *names = mem_format(" ");
    double last = 0;
    size_t index;
    json_t *event;
    json_array_foreach(json_object_get(trace, "traceEvents"), index, event)
    {
        if (strcmp(json_text_or(event, "ph", ""), "X") != 0 || json_int_or(event, "tid", 0) != thread)
            continue;
        double start = json_real_or(event, "ts", -1), length = json_real_or(event, "dur", -1);
        assert_true(start >= last && length >= 0);
        assert_true(argument(event, "start") == start && argument(event, "end") >= start);
        assert_true(argument(event, "queued") >= 0 && argument(event, "queued") <= argument(event, "submitted"));
        assert_true(argument(event, "submitted") <= start);
        last = start;
        char *longer = mem_format("%s%s ", names, json_text_or(event, "name", "?"));
        free(names);
        names = longer;
    }
    return names;
}

static void assert_in_order(const char *names, const char *const *expected)
{
    const char *at = names;
    for (; *expected; expected++) {
        at = strstr(at, *expected);
        if (!at)
            fail_msg("\"%s\" is missing, or out of order, in \"%s\"", *expected, names);
        at += strlen(*expected) - 1; /* the blank behind it may begin the next */
    }
}

static void test_trace_has_what_ran_in_order(void **state)
{
    struct bench *bench = *state;
    work(bench); /* chooses a backend and builds it; before the start, so in no trace */
    device_profile_start(bench->dev);
    work(bench);
    json_t *trace = trace_of(bench);
    char *device = names_on(trace, 1), *host = names_on(trace, 2);
    assert_in_order(device,
                    (const char *const[]){" upload ", " upload ", " fill ", " 5x7x11 ", " copy ", " download ", NULL});
    assert_string_equal(host, " download ");
    free(device);
    free(host);
    json_decref(trace);
}

static void test_product_carries_its_shape(void **state)
{
    struct bench *bench = *state;
    device_profile_start(bench->dev);
    work(bench);
    json_t *trace = trace_of(bench), *event;
    size_t index;
    int products = 0;
    json_array_foreach(json_object_get(trace, "traceEvents"), index, event)
    {
        if (argument(event, "m") != M)
            continue;
        products++;
        assert_true(argument(event, "n") == N && argument(event, "k") == K);
        assert_string_not_equal(json_text_or(event, "cat", ""), "buffer");
    }
    assert_int_equal(products, 1);
    json_decref(trace);
}

static void test_written_once(void **state)
{
    struct bench *bench = *state;
    device_profile_start(bench->dev);
    work(bench);
    json_decref(trace_of(bench));
    for (int thread = 1; thread <= 2; thread++) {
        json_t *trace = trace_of(bench);
        char *names = names_on(trace, thread);
        assert_string_equal(names, " ");
        free(names);
        json_decref(trace);
    }
    work(bench); /* and goes on afterwards */
    json_t *trace = trace_of(bench);
    char *names = names_on(trace, 1);
    assert_in_order(names, (const char *const[]){" upload ", " download ", NULL});
    free(names);
    json_decref(trace);
}

static void test_nothing_recorded_before_start(void **state)
{
    struct bench *bench = *state;
    work(bench);
    device_profile_start(bench->dev);
    json_t *trace = trace_of(bench);
    char *names = names_on(trace, 1);
    assert_string_equal(names, " ");
    free(names);
    json_decref(trace);
}

static void test_table_sums_up(void **state)
{
    struct bench *bench = *state;
    device_profile_start(bench->dev);
    work(bench);
    work(bench);
    json_decref(trace_of(bench)); /* what was written still counts */
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    device_profile_table(bench->dev, stream);
    fclose(stream);

    double last = 1e30, ms;
    int rows = 0;
    long launches, uploads = 0;
    for (const char *line = strchr(text, '\n') + 1; strncmp(line, "busy ", 5) != 0; line = strchr(line, '\n') + 1) {
        assert_int_equal(sscanf(line, "%*28c %ld %lf", &launches, &ms), 2);
        assert_true(launches > 0 && ms >= 0 && ms <= last);
        last = ms;
        rows++;
        if (strncmp(line, "upload ", 7) == 0)
            uploads = launches;
    }
    assert_true(rows >= 5);
    assert_true(uploads >= 4); /* more if a backend was tried */
    assert_non_null(strstr(text, "\nthe host waited "));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_trace_has_what_ran_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_product_carries_its_shape, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_written_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_recorded_before_start, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_table_sums_up, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
