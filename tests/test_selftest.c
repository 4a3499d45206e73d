/* A driver that miscompiles: this program stands between oclip and it, and bends the source of a kernel on its way to
 * the compiler. The wrong kernel must be switched off, named once, and the results right all the same. */
#define _GNU_SOURCE
#include "runtime/gemm/gemm.h"
#include "runtime/paths.h"
#include "tests/op_check.h"
#include "tests/said.h"
#include "tests/scratch.h"

#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* In the kernel file that has it, `from` becomes `to`; NULL while the driver is to be good. */
static const struct bend {
    const char *from, *to;
} * bend;

static const struct bend wrong_scale = {"SCALE rsqrt((float)HEAD_DIM)",
                                        "SCALE (rsqrt((float)HEAD_DIM) * (LANES > 1 || SPLIT > 1 ? 1.5f : 1))"},
                         unbuildable = {"#if LANES == 1", "#if LANES > 1 || SPLIT > 1\n#error not with this driver\n"
                                                          "#endif\n#if LANES == 1"},
                         wrong_block = {"acc[r][v] = from > 0 &&", "acc[r][v] = from > 600 &&"},
                         wrong_sum = {"acc[r][v] = fma(x, b[v], acc[r][v])", "acc[r][v] = fma(x, b[0], b[v])"};

typedef void *create_program(void *context, unsigned count, const char **texts, const size_t *sizes, int *code);
create_program clCreateProgramWithSource;

void *clCreateProgramWithSource(void *context, unsigned count, const char **texts, const size_t *sizes, int *code)
{
    create_program *real;
    *(void **)&real = dlsym(RTLD_NEXT, "clCreateProgramWithSource");
    const char *found = bend && count == 2 ? strstr(texts[1], bend->from) : NULL;
    if (!found)
        return real(context, count, texts, sizes, code);
    char *bent = mem_format("%.*s%s%s", (int)(found - texts[1]), texts[1], bend->to, found + strlen(bend->from));
    void *program = real(context, 2, (const char *[]){texts[0], bent}, NULL, code);
    free(bent);
    return program;
}

enum { TOKENS = 37, HEADS = 2, HEAD_DIM = 24, WIDTH = HEADS * HEAD_DIM };

static struct device *open_device(const char *cache)
{
    struct device *dev;
    struct error err;
    setenv("OCLIP_CACHE", cache, 1);
    if (device_open(&dev, "auto", &err) != 0)
        fail_msg("%s", err.text);
    return dev;
}

/* Whether the device would take this path: what it does not take cannot be found wrong. */
static bool takes(enum path path)
{
    char *cache = scratch_new();
    struct device *dev = open_device(cache);
    bool on = path_is_on(dev, path) && (path != PATH_TILE || device_info(dev)->device_class == DEVICE_CPU);
    device_close(dev);
    scratch_free(cache);
    return on;
}

/* out [TOKENS, WIDTH] and qkv's gradient [TOKENS, 3 WIDTH] of one attention, on a device opened for it. */
static void attend(float *numbers, const char *cache)
{
    struct device *dev = open_device(cache);
    struct tape *tape = tape_new(dev, true);
    float qkv[TOKENS * 3 * WIDTH];
    uint64_t state = 1;
    for (int i = 0; i < TOKENS * 3 * WIDTH; i++)
        qkv[i] = (float)check_normal(&state);
    struct tensor *x = tensor_new(dev, DTYPE_F32, 2, (int[]){TOKENS, 3 * WIDTH});
    tensor_upload(x, qkv);
    x->needs_grad = true;
    struct segments segments = segments_uniform(tape, 1, TOKENS);
    struct tensor *y = op_attention(tape, x, &segments, HEADS, true), *gradient = tape_like(tape, y);
    tensor_upload(gradient, qkv);
    tensor_download(numbers, y); /* the backward pass lets go of it */
    tape_backward_from(tape, &y, &gradient, 1);
    tensor_download(numbers + TOKENS * WIDTH, x->grad);
    struct error err;
    assert_int_equal(device_finish(dev, &err), 0);
    tape_free(tape);
    tensor_free(x);
    device_close(dev);
}

static void check_same(const float *got, const float *want, int count)
{
    for (int i = 0; i < count; i++)
        assert_float_equal(got[i], want[i], 1e-4);
}

static void attention_falls_back(const struct bend *on_the_way, const char *says)
{
    static float right[TOKENS * 4 * WIDTH], got[TOKENS * 4 * WIDTH];
    char *good = scratch_new(), *bad = scratch_new();
    attend(right, good);
    bend = on_the_way;
    struct listening listening = said_begin();
    attend(got, bad);
    attend(got, bad); /* the verdict is kept: it is not said again */
    char *said = said_end(&listening);
    bend = NULL;
    check_same(got, right, TOKENS * 4 * WIDTH);
    if (takes(PATH_ATTENTION)) {
        assert_int_equal(said_times(said, says), 1);
        assert_int_equal(said_times(said, "a slower kernel is used"), 1);
    }
    free(said);
    scratch_free(good);
    scratch_free(bad);
}

static void wrong_attention_is_not_used(void **state)
{
    (void)state;
    attention_falls_back(&wrong_scale, "gives wrong results on this driver");
}

static void attention_that_does_not_build_is_not_used(void **state)
{
    (void)state;
    attention_falls_back(&unbuildable, "does not run on this driver");
}

/* The product of two matrices of ones, by whichever backend is chosen on a device opened for it. */
static void multiply(float *c, char backend[32], const char *cache)
{
    enum { SIZE = 40 };
    struct device *dev = open_device(cache);
    struct tensor *a = tensor_new(dev, DTYPE_F32, 2, (int[]){SIZE, SIZE}), *b = tensor_new(dev, DTYPE_F32, 2, a->dim);
    struct tensor *product = tensor_new(dev, DTYPE_F32, 2, a->dim);
    float ones[SIZE * SIZE], numbers[SIZE * SIZE];
    for (int i = 0; i < SIZE * SIZE; i++)
        ones[i] = 1;
    tensor_upload(a, ones);
    tensor_upload(b, ones);
    struct gemm call = {.m = SIZE, .n = SIZE, .k = SIZE, .a = a, .b = b, .c = product};
    gemm(&call);
    snprintf(backend, 32, "%s", gemm_choice(dev, &call));
    tensor_download(numbers, product);
    *c = numbers[SIZE + 3];
    tensor_free(a);
    tensor_free(b);
    tensor_free(product);
    device_close(dev);
}

/* Two such products with kernels bent on their way; the caller frees what was said. */
static char *multiply_bent(char backend[32], const struct bend *on_the_way, const char *cache)
{
    float c;
    bend = on_the_way;
    struct listening listening = said_begin();
    multiply(&c, backend, cache);
    multiply(&c, backend, cache);
    char *said = said_end(&listening);
    bend = NULL;
    assert_float_equal(c, 40, 1e-4);
    return said;
}

static void wrong_product_is_not_used(void **state)
{
    (void)state;
    char *cache = scratch_new(), backend[32], *said = multiply_bent(backend, &wrong_sum, cache);
    assert_string_not_equal(backend, "tile");
    if (takes(PATH_TILE))
        assert_int_equal(said_times(said, "product fp32 NN by tile gives wrong results on this driver"), 1);
    free(said);
    scratch_free(cache);
}

/* What a tuning file asks for is checked before it is believed. */
static void wrong_setting_is_not_used(void **state)
{
    (void)state;
    static const char tuned[] = "* | * | gemm fp32 NN 64 64 64 | tile block=256 | 100\n";
    char *cache = scratch_new(), backend[32];
    free(scratch_file(cache, "tuning.txt", tuned, strlen(tuned)));
    char *said = multiply_bent(backend, &wrong_block, cache);
    if (takes(PATH_TILE)) {
        assert_string_equal(backend, "tile"); /* in its usual settings, which are right */
        assert_int_equal(said_times(said, "product fp32 NN by tile block=256 gives wrong results on this driver"), 1);
    }
    free(said);
    scratch_free(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_attention_is_not_used),
        cmocka_unit_test(attention_that_does_not_build_is_not_used),
        cmocka_unit_test(wrong_product_is_not_used),
        cmocka_unit_test(wrong_setting_is_not_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
