/* Quirks and fast paths of made-up devices, and that results stay right with each fast path off. */
#include "runtime/gemm/gemm.h"
#include "runtime/paths.h"
#include "runtime/quirks.h"
#include "tests/op_check.h"
#include "tests/scratch.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void versions_compare_by_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        int order;
    } cases[] = {
        {"535.104.05", "535.104.05", 0},
        {"535.54.03", "535.104.05", -1},
        {"3.1+debian", "3.1", 0},
        {"23.05.25593.11", "23.5", 1},
        {"22.49.25018.24", "22.50", -1},
        {"OpenCL 1.2 pocl 1.8", "1.2", 0},
        {"3635.0 (HSA1.1,LC)", "3635", 0},
        {"", "1", -1},
        {"", "", 0},
        {"1.10", "1.9", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int forth = quirk_compare_versions(cases[i].a, cases[i].b),
            back = quirk_compare_versions(cases[i].b, cases[i].a);
        if (forth != cases[i].order || back != -cases[i].order)
            fail_msg("\"%s\" and \"%s\": %d, %d", cases[i].a, cases[i].b, forth, back);
    }
}

static struct device_info made_up(const char *platform, const char *vendor, const char *driver, enum device_class class,
                                  unsigned long gigabytes)
{
    struct device_info info = {.device_class = class, .memory_bytes = gigabytes << 30};
    snprintf(info.platform_name, sizeof info.platform_name, "%s", platform);
    snprintf(info.vendor, sizeof info.vendor, "%s", vendor);
    snprintf(info.driver, sizeof info.driver, "%s", driver);
    return info;
}

static void quirks_fit_by_vendor_size_and_driver(void **state)
{
    (void)state;
    static const char intel[] = "Intel(R) OpenCL Graphics", maker[] = "Intel(R) Corporation";
    static const struct {
        const char *platform, *vendor, *driver;
        enum device_class class;
        unsigned long gigabytes;
        bool large_buffers, upload_queue, patient;
    } cases[] = {
        {intel, maker, "22.49.25018.24", DEVICE_GPU, 16, true, true, true},
        {intel, maker, "22.53.25242.13", DEVICE_GPU, 16, true, false, true},
        {intel, maker, "23.09.25812.14", DEVICE_GPU, 2, false, false, true},
        {intel, maker, "23.17.26241.22", DEVICE_GPU, 2, false, true, true},
        {"Intel(R) OpenCL", maker, "2023.16.12.0.12", DEVICE_CPU, 64, false, false, false},
        {"NVIDIA CUDA", "NVIDIA Corporation", "535.104.05", DEVICE_GPU, 80, false, true, true},
        {"AMD Accelerated Parallel Processing", "Advanced Micro Devices, Inc.", "3635.0 (HSA1.1,LC)", DEVICE_GPU, 24,
         false, true, false},
        {"Portable Computing Language", "AuthenticAMD", "3.1+debian", DEVICE_CPU, 64, false, false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct device_info info =
            made_up(cases[i].platform, cases[i].vendor, cases[i].driver, cases[i].class, cases[i].gigabytes);
        struct quirk_effect effect = quirks_of(&info);
        unsigned paths = paths_default(&info);
        bool large = strstr(effect.build_options, "-cl-intel-greater-than-4GB-buffer-required") != NULL;
        if (large != cases[i].large_buffers || !(paths & PATH_BIT(PATH_UPLOAD_QUEUE)) == cases[i].upload_queue ||
            !(paths & PATH_BIT(PATH_PATIENT_WAITS)) == cases[i].patient)
            fail_msg("%s, driver %s: options \"%s\", paths %#x", cases[i].platform, cases[i].driver,
                     effect.build_options, paths);
    }
    for (const struct quirk *quirk = quirks; quirk->why; quirk++)
        assert_true(quirk->source && (quirk->build_options || quirk->paths_on || quirk->paths_off || quirk->as));
}

static void quirks_fit_by_name(void **state)
{
    (void)state;
    struct device_info info = made_up("rusticl", "Mesa", "22.3.6", DEVICE_CPU, 64);
    snprintf(info.name, sizeof info.name, "llvmpipe (LLVM 15.0.6, 256 bits)");
    assert_false(paths_default(&info) & PATH_BIT(PATH_ATTENTION));
    assert_true(quirks_of(&info).as && *quirks_of(&info).as == DEVICE_GPU);
    snprintf(info.name, sizeof info.name, "AMD Radeon RX 7900 XTX (radeonsi, navi31)");
    assert_true(paths_default(&info) & PATH_BIT(PATH_ATTENTION));
    assert_null(quirks_of(&info).as);
}

static void names_of_paths_are_read(void **state)
{
    (void)state;
    struct error err;
    unsigned set;
    char *all = paths_names();
    assert_int_equal(paths_parse(&set, "", &err), 0);
    assert_int_equal(set, 0);
    assert_int_equal(paths_parse(&set, "matrix,tile", &err), 0);
    assert_int_equal(set, PATH_BIT(PATH_MATRIX) | PATH_BIT(PATH_TILE));
    assert_int_equal(paths_parse(&set, all, &err), 0);
    assert_int_equal(set, PATH_BIT(PATHS) - 1);
    assert_int_equal(paths_parse(&set, "tile,til", &err), -1);
    assert_int_equal(err.code, EXIT_USAGE);
    assert_non_null(strstr(err.text, "\"til\""));
    free(all);
}

enum { SEGMENTS = 3, TOKENS = 21, ROWS = SEGMENTS * TOKENS, WIDTH = 48, HEADS = 2, NUMBERS = ROWS * WIDTH };

static struct tensor *matrix(struct device *dev, int rows, int width, uint64_t seed)
{
    struct tensor *tensor = tensor_new(dev, DTYPE_F32, 2, (int[]){rows, width});
    float *numbers = mem_new(tensor_count(tensor), sizeof *numbers);
    for (size_t i = 0; i < tensor_count(tensor); i++)
        numbers[i] = (float)check_normal(&seed) / 4;
    tensor_upload(tensor, numbers);
    free(numbers);
    return tensor;
}

/* Attention between two linear layers, the first trained, the second constant; its output and a gradient. */
static void run_block(struct device *dev, float *numbers) // [2 * NUMBERS + 3 * WIDTH * WIDTH]
{
    struct tensor *x = matrix(dev, ROWS, WIDTH, 1), *in = matrix(dev, 3 * WIDTH, WIDTH, 2);
    struct tensor *out = matrix(dev, WIDTH, WIDTH, 3);
    in->needs_grad = out->constant = true;
    for (int step = 0; step < 3; step++) {
        struct tape *tape = tape_new(dev, true);
        float *input = mem_new(NUMBERS, sizeof *input); // [ROWS, WIDTH]
        tensor_download(input, x);
        struct tensor *sent = tape_upload(tape, DTYPE_F32, 2, (int[]){ROWS, WIDTH}, input);
        memset(input, 0, NUMBERS * sizeof *input); /* an upload has copied it */
        free(input);
        struct segments segments = segments_uniform(tape, SEGMENTS, TOKENS);
        struct tensor *qkv = op_linear(tape, sent, in, NULL, ACTIVATION_NONE);
        struct tensor *y = op_attention(tape, qkv, &segments, HEADS, true);
        y = op_linear(tape, y, out, NULL, ACTIVATION_GELU);
        tensor_download(numbers, y);
        tape_backward_from(tape, &y, &sent, 1);
        tensor_download(numbers + NUMBERS, in->grad);
        tape_free(tape);
        tensor_free(in->grad);
        in->grad = NULL;
    }
    struct error err;
    if (device_finish(dev, &err) != 0)
        fail_msg("%s", err.text);
    tensor_free(x);
    tensor_free(in);
    tensor_free(out);
}

static void results_stay_right_with_each_path_off(void **state)
{
    (void)state;
    enum { ALL = NUMBERS + 3 * WIDTH * WIDTH };
    float *want = mem_new(ALL, sizeof *want), *got = mem_new(ALL, sizeof *got);
    struct device *dev;
    struct error err;
    for (int path = -1; path < PATHS; path++) {
        if (device_open(&dev, "auto", &err) != 0 ||
            device_go_without(dev, path < 0 ? "" : path_rows[path].name, &err) != 0)
            fail_msg("%s", err.text);
        assert_true(path < 0 || !path_is_on(dev, (enum path)path));
        run_block(dev, path < 0 ? want : got);
        for (int i = 0; path >= 0 && i < ALL; i++)
            if (fabsf(got[i] - want[i]) > 1e-5f)
                fail_msg("without %s number %d is %g, not %g", path_rows[path].name, i, (double)got[i],
                         (double)want[i]);
        device_close(dev);
    }
    free(want);
    free(got);
}

static void a_path_that_is_off_is_not_taken(void **state)
{
    (void)state;
    struct device *dev;
    struct error err;
    setenv("OCLIP_WITHOUT", "tile,program-cache", 1);
    assert_int_equal(device_open(&dev, "auto", &err), 0);
    struct tensor *a = matrix(dev, 20, 20, 1), *b = matrix(dev, 20, 20, 2), *c = matrix(dev, 20, 20, 3);
    struct gemm call = {.m = 20, .n = 20, .k = 20, .a = a, .b = b, .c = c};
    assert_string_not_equal(gemm_choice(dev, &call), "tile");
    assert_int_equal(device_counters(dev)->programs_loaded, 0);
    tensor_free(a);
    tensor_free(b);
    tensor_free(c);
    device_close(dev);
    setenv("OCLIP_WITHOUT", "speed", 1);
    assert_int_equal(device_open(&dev, "auto", &err), -1);
    assert_int_equal(err.code, EXIT_USAGE);
    assert_non_null(strstr(err.text, "OCLIP_WITHOUT"));
    unsetenv("OCLIP_WITHOUT");
}

/* What a start in a folder for caches of its own builds, the next one loads. */
static void kernels_are_built_once(void **state)
{
    (void)state;
    char *folder = scratch_new();
    const char *cache = getenv("OCLIP_CACHE");
    char *before = mem_format("%s", cache ? cache : "");
    setenv("OCLIP_CACHE", folder, 1);
    setenv("OCLIP_WITH", "program-cache", 1);
    for (int start = 0; start < 2; start++) {
        struct device *dev;
        struct error err;
        assert_int_equal(device_open(&dev, "auto", &err), 0);
        struct tensor *x = matrix(dev, 3, 5, 1), *y = cast_copy(x, DTYPE_BF16);
        assert_int_equal(device_finish(dev, &err), 0);
        assert_int_equal(device_counters(dev)->programs_built, start == 0);
        assert_int_equal(device_counters(dev)->programs_loaded, start == 1);
        tensor_free(x);
        tensor_free(y);
        device_close(dev);
    }
    unsetenv("OCLIP_WITH");
    if (cache)
        setenv("OCLIP_CACHE", before, 1);
    else
        unsetenv("OCLIP_CACHE");
    free(before);
    scratch_free(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_compare_by_numbers),
        cmocka_unit_test(quirks_fit_by_vendor_size_and_driver),
        cmocka_unit_test(quirks_fit_by_name),
        cmocka_unit_test(names_of_paths_are_read),
        cmocka_unit_test(results_stay_right_with_each_path_off),
        cmocka_unit_test(a_path_that_is_off_is_not_taken),
        cmocka_unit_test(kernels_are_built_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
