/* Lines of tuning, what is searched and remembered, and that no setting changes a result. */
#include "runtime/gemm/gemm.h"
#include "runtime/gemm/tune.h"
#include "runtime/tuning.h"
#include "runtime/util/file.h"
#include "tests/op_check.h"
#include "tests/said.h"
#include "tests/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct device_info card = {
    .device_class = DEVICE_GPU, .vendor = "NVIDIA Corporation", .name = "NVIDIA H100 [a|b]", .driver = "550.54.15"};

/* A cache folder of its own with this tuning.txt, or none. */
static char *cache_with(const char *text)
{
    char *cache = scratch_new();
    setenv("OCLIP_CACHE", cache, 1);
    if (text)
        free(scratch_file(cache, "tuning.txt", text, strlen(text)));
    return cache;
}

static char *tuning_text(const char *cache)
{
    char *path = mem_format("%s/tuning.txt", cache), *text = NULL;
    struct error err;
    if (file_exists(path) && file_read(&text, NULL, path, 1 << 20, &err) != 0)
        fail_msg("%s", err.text);
    free(path);
    return text;
}

/* Opens the tuning; what it said is the caller's. */
static struct tuning *open_listening(char **said)
{
    struct listening listening = said_begin();
    struct tuning *tuning = tuning_open();
    *said = said_end(&listening);
    return tuning;
}

static void the_last_line_that_fits_counts(void **state)
{
    (void)state;
    char *cache = cache_with("# a comment\n"
                             "gpu NVIDIA* | * | gemm bf16 * | matrix\n"
                             "gpu NVIDIA* | 550.* | gemm bf16 NT 64 64 64 | matrix tile=64 | 1200 GFLOP/s\n"
                             "gpu *H200* | * | gemm bf16 * | plain\n"
                             "gpu *H100 [a?b] | * | gemm bf16 NN 64 64 64 | plain | 3e2  # by hand\n"
                             "cpu * | * | gemm * | tile\n"),
         *said;
    struct tuning *tuning = open_listening(&said);
    assert_string_equal(said, "");
    const struct tuning_line *line = tuning_next(tuning, &card, "gemm bf16 NT 64 64 64", NULL);
    assert_string_equal(line->choice, "matrix tile=64");
    assert_true(line->gflops == 1200 && line->number == 3 && tuning_is_measured(tuning, line));
    assert_string_equal(tuning_next(tuning, &card, "gemm bf16 NT 64 64 64", line)->choice, "matrix");
    assert_string_equal(tuning_next(tuning, &card, "gemm bf16 NN 64 64 64", NULL)->choice, "plain");
    assert_null(tuning_next(tuning, &card, "gemm fp32 NN 64 64 64", NULL));
    assert_null(tuning_next(tuning, &card, "attention 64 causal fp32", NULL));
    tuning_free(tuning);
    free(said);
    scratch_free(cache);
}

static void bad_lines_are_named_and_ignored(void **state)
{
    (void)state;
    static const struct {
        const char *line, *why;
    } bad[] = {
        {"gpu * | * | gemm fp32 NN 64 64 64", "tuning.txt:2: the line is ignored: it wants device | driver"},
        {"gpu * | | gemm fp32 NN 64 64 64 | tile", "wants device"},
        {"a | b | gemm fp32 NN 64 64 64 | tile | 1 | 2", "wants device"},
        {"gpu * | * | gem fp32 NN 64 64 64 | tile", "names no class of work"},
        {"gpu * | * | gemm fp32 NN 64 64 | tile", "names no class of work"},
        {"gpu * | * | gemm fp32 NN 64 64 64 | tile | fast", "ends in no rate"},
        {"gpu * | * | gemm fp32 NN 64 64 64 | tile | nan", "ends in no rate"},
        {"gpu * | * | gemm fp32 NN 64 64 64 | tile | 12 MB", "ends in no rate"},
        {"\x01\xff\xfe", "wants device"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char *text = mem_format("gpu * | * | gemm fp32 * | plain\n%s\n", bad[i].line), *cache = cache_with(text), *said;
        struct tuning *tuning = open_listening(&said);
        if (!strstr(said, bad[i].why) || strchr(said, '\n') != said + strlen(said) - 1)
            fail_msg("\"%s\": says \"%s\"", bad[i].line, said);
        assert_string_equal(tuning_next(tuning, &card, "gemm fp32 NN 64 64 64", NULL)->choice, "plain");
        tuning_free(tuning);
        free(said);
        free(text);
        scratch_free(cache);
    }
}

static void what_is_remembered_replaces_its_own_line(void **state)
{
    (void)state;
    char *cache =
        cache_with("# mine\ngpu NVIDIA Corporation NVIDIA H100 [a?b] | 550.54.15 | gemm fp32 NN 64 64 64 | tile | 1\n"
                   "gpu * | * | gemm fp32 NN 64 64 64 | tile | 2\nnonsense");
    char *said;
    struct tuning *tuning = open_listening(&said);
    tuning_remember(tuning, &card, "gemm fp32 NN 64 64 64", "plain", 300.25);
    tuning_remember(tuning, &card, "gemm fp32 NT 64 64 64", "matrix tile=64", 12345);
    assert_string_equal(tuning_next(tuning, &card, "gemm fp32 NN 64 64 64", NULL)->choice, "plain");
    tuning_free(tuning);
    char *text = tuning_text(cache);
    assert_string_equal(text,
                        "# mine\ngpu * | * | gemm fp32 NN 64 64 64 | tile | 2\nnonsense\n"
                        "gpu NVIDIA Corporation NVIDIA H100 [a?b] | 550.54.15 | gemm fp32 NN 64 64 64 | plain | 300.2\n"
                        "gpu NVIDIA Corporation NVIDIA H100 [a?b] | 550.54.15 | gemm fp32 NT 64 64 64 | matrix tile=64 "
                        "| 1.234e+04\n");
    free(text);
    free(said);
    scratch_free(cache);
}

static void settings_are_read_by_their_table(void **state)
{
    (void)state;
    static const struct tuning_parameter table[] = {{"rows", false, {0, 4, 6}}, {"block", true, {0, 256}}, {0}};
    static const char *const bad[] = {"rows",  "rows=",   "rows=5",          "rows=-4",
                                      "row=4", "rows=4x", "rows=4294967300", "=4"};
    int settings[TUNING_PARAMETERS];
    char text[64];
    assert_int_equal(tuning_read_settings(settings, " block=256  rows=6", table), 0);
    assert_true(settings[0] == 6 && settings[1] == 256);
    tuning_write_settings(text, sizeof text, settings, table);
    assert_string_equal(text, " rows=6 block=256");
    assert_int_equal(tuning_read_settings(settings, "", NULL), 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (tuning_read_settings(settings, bad[i], table) != -1)
            fail_msg("\"%s\" was taken", bad[i]);
}

static struct device *open_device(void)
{
    struct device *dev;
    struct error err;
    if (device_open(&dev, "auto", &err) != 0)
        fail_msg("%s", err.text);
    return dev;
}

static void shipped_lines_are_right(void **state)
{
    (void)state;
    char *cache = cache_with(NULL), *said;
    struct tuning *tuning = open_listening(&said);
    struct device *dev = open_device();
    assert_string_equal(said, "");
    for (size_t i = 0; i < tuning->count; i++) {
        struct gemm_plan plan;
        if (strncmp(tuning->lines[i].work, "gemm", 4) == 0 && tune_read_plan(&plan, dev, tuning->lines[i].choice) != 0)
            fail_msg("line %d: %s", tuning->lines[i].number, tuning->lines[i].choice);
    }
    device_close(dev);
    tuning_free(tuning);
    free(said);
    scratch_free(cache);
}

/* ---- products ---- */

struct product {
    struct tensor *a, *b, *c;
    struct gemm call;
};

static struct product product_new(struct device *dev, int m, int n, int k)
{
    const int rows[] = {m, n, m}, columns[] = {k, k, n};
    struct tensor *tensors[3];
    uint64_t random = 7;
    for (int t = 0; t < 3; t++) {
        tensors[t] = tensor_new(dev, DTYPE_F32, 2, (int[]){rows[t], columns[t]});
        float *numbers = mem_new(tensor_count(tensors[t]), sizeof *numbers);
        for (size_t i = 0; i < tensor_count(tensors[t]); i++)
            numbers[i] = (float)check_normal(&random);
        tensor_upload(tensors[t], numbers);
        free(numbers);
    }
    struct product product = {.a = tensors[0], .b = tensors[1], .c = tensors[2]};
    product.call =
        (struct gemm){.m = m, .n = n, .k = k, .a = product.a, .b = product.b, .b_transposed = true, .c = product.c};
    product.b->constant = true;
    return product;
}

static void product_free(struct product *product)
{
    tensor_free(product->a);
    tensor_free(product->b);
    tensor_free(product->c);
}

struct told {
    char choice[64];
    double gflops;
    int count;
};
static void hear(void *context, const char *work, const char *choice, double gflops)
{
    struct told *told = context;
    assert_string_equal(work, "gemm fp32 NT 256 256 1024");
    snprintf(told->choice, sizeof told->choice, "%s", choice);
    told->gflops = gflops;
    told->count++;
}

/* One product of a class that is worth a search, on a device opened for it. */
static struct told multiply(const char *mode)
{
    struct told told = {0};
    struct device *dev = open_device();
    struct error err;
    gemm_set_tuning(dev, mode);
    struct product product = product_new(dev, 200, 130, 400);
    gemm(&product.call);
    if (device_finish(dev, &err) != 0)
        fail_msg("%s", err.text);
    gemm_each_choice(dev, hear, &told);
    assert_int_equal(told.count, 1);
    product_free(&product);
    device_close(dev);
    return told;
}

static void searches_are_made_once_and_remembered(void **state)
{
    (void)state;
    char *cache = cache_with(NULL);
    assert_true(multiply("off").gflops == 0);
    assert_null(tuning_text(cache));
    setenv("OCLIP_WITHOUT", "packed-weights", 1); /* nothing is learned with a way left out */
    assert_true(multiply("quick").gflops == 0);
    unsetenv("OCLIP_WITHOUT");
    assert_null(tuning_text(cache));
    struct told found = multiply("quick");
    assert_true(found.gflops > 0);
    char *first = tuning_text(cache);
    assert_non_null(strstr(first, found.choice));
    struct told again = multiply("quick"), later = multiply("off");
    char *second = tuning_text(cache);
    assert_string_equal(first, second);
    assert_string_equal(again.choice, found.choice);
    assert_string_equal(later.choice, found.choice);
    free(first);
    free(second);
    scratch_free(cache);
}

/* From the last backend on, whatever is there is tried. */
static void searches_go_through_all_backends(void **state)
{
    (void)state;
    static const struct tune_mode mode = {"test", 5, 5, 1, false};
    int last = 0;
    while (gemm_backends[last + 1])
        last++;
    struct device *dev = open_device();
    struct product product = product_new(dev, 65, 130, 200);
    struct gemm_plan plan = {.backend = gemm_backends[last]};
    tune_search(&plan, dev, &product.call, &mode, true);
    assert_true(plan.gflops > 0 && plan.backend->supports(dev, &product.call));
    assert_true(tune_is_right(dev, &plan, &product.call));
    product_free(&product);
    device_close(dev);
}

static void hear_verdict(void *context, const char *name, bool right)
{
    *(bool *)context = *(bool *)context || (right && strstr(name, "4 rows of 24, 8 at once"));
}

/* out [TOKENS, WIDTH] of one attention. */
enum { TOKENS = 50, WIDTH = 48 };
static void attend(float *out)
{
    struct device *dev = open_device();
    struct tape *tape = tape_new(dev, false);
    float qkv[TOKENS * 3 * WIDTH];
    uint64_t random = 5;
    for (int i = 0; i < TOKENS * 3 * WIDTH; i++)
        qkv[i] = (float)check_normal(&random);
    struct segments segments = segments_uniform(tape, 1, TOKENS);
    struct tensor *x = tape_upload(tape, DTYPE_F32, 2, (int[]){TOKENS, 3 * WIDTH}, qkv);
    tensor_download(out, op_attention(tape, x, &segments, 2, false));
    tape_free(tape);
    device_close(dev);
}

static void lines_of_attention_are_followed(void **state)
{
    (void)state;
    float own[TOKENS * WIDTH], edited[TOKENS * WIDTH];
    struct device *dev = open_device();
    struct device_info info = *device_info(dev);
    device_close(dev);
    char *measured = cache_with(NULL);
    attend(own);
    char *text = tuning_text(measured);
    assert_non_null(strstr(text, " | attention fp32 24 full | own | "));
    char *cache = cache_with("cpu * | * | attention fp32 24 full | own lanes=4 block=8 | 5\n"
                             "* | * | attention fp32 24 full | own lanes=5 | 5\n");
    attend(edited);
    for (int i = 0; i < TOKENS * WIDTH; i++)
        assert_float_equal(edited[i], own[i], 1e-5);
    bool heard = false;
    selftest_verdicts(&info, hear_verdict, &heard);
    assert_int_equal(heard, info.device_class == DEVICE_CPU);
    free(text);
    scratch_free(measured);
    scratch_free(cache);
}

static void edited_lines_are_followed(void **state)
{
    (void)state;
    struct device *dev = open_device();
    bool cpu = device_info(dev)->device_class == DEVICE_CPU;
    device_close(dev);
    if (!cpu)
        return; /* CLBlast has no settings */
    char *cache = cache_with("* | * | gemm fp32 NT 256 256 1024 | tile strip=8 block=256 | 5\n"
                             "* | * | gemm fp32 NT 256 256 1024 | tile rows=7 | 6\n"
                             "* | * | gemm fp32 NT 256 256 1024 | tiles | 7\n");
    struct told told = multiply("quick");
    assert_string_equal(told.choice, "tile strip=8 block=256");
    assert_true(told.gflops == 5);
    scratch_free(cache);
}

static const char *const plans[] = {"tile", "tile rows=4 vectors=3", "tile strip=8 block=256",
                                    "tile vectors=1 block=384"};
enum { PLANS = sizeof plans / sizeof *plans };

/* Every sum goes through k in the same order. */
static void settings_change_no_bit(void **state)
{
    (void)state;
    enum { M = 65, N = 50, K = 777 };
    float want[M * N], got[M * N];
    struct device *dev = open_device();
    struct product product = product_new(dev, M, N, K);
    for (int p = 0; p < PLANS; p++) {
        struct gemm_plan plan;
        assert_int_equal(tune_read_plan(&plan, dev, plans[p]), 0);
        if (plan.backend != &gemm_tile || !plan.backend->supports(dev, &product.call))
            continue;
        plan.backend->run(dev, &product.call, plan.settings);
        tensor_download(p ? got : want, product.c);
        if (p && memcmp(got, want, sizeof want) != 0)
            fail_msg("%s gives other numbers than %s", plans[p], plans[0]);
    }
    product_free(&product);
    device_close(dev);
}

static void plans_are_right_over_odd_shapes(void **state)
{
    (void)state;
    struct device *dev = open_device();
    struct product any = product_new(dev, 1, 1, 1);
    for (int p = 0; p < PLANS; p++)
        for (int layout = 1; layout <= (p ? 1 : 2); layout++) { /* NT, and TN by one of them: each is built anew */
            struct trial_case trial = {.layout = layout};
            assert_int_equal(tune_read_plan(&trial.plan, dev, plans[p]), 0);
            if (!trial.plan.backend->supports(dev, &any.call))
                continue;
            double off = trial_error(dev, &trial);
            if (!(off < 5e-6))
                fail_msg("%s, layout %d: off by %g", plans[p], layout, off);
        }
    product_free(&any);
    device_close(dev);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_change_no_bit),
        cmocka_unit_test(plans_are_right_over_odd_shapes),
        cmocka_unit_test(the_last_line_that_fits_counts),
        cmocka_unit_test(bad_lines_are_named_and_ignored),
        cmocka_unit_test(what_is_remembered_replaces_its_own_line),
        cmocka_unit_test(settings_are_read_by_their_table),
        cmocka_unit_test(shipped_lines_are_right),
        cmocka_unit_test(searches_are_made_once_and_remembered),
        cmocka_unit_test(edited_lines_are_followed),
        cmocka_unit_test(lines_of_attention_are_followed),
        cmocka_unit_test(searches_go_through_all_backends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
