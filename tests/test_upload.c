/* Uploads through a queue of their own and waits that sleep first: forced on any device, the same to the bit. */
#include "runtime/paths.h"
#include "runtime/patience.h"
#include "tests/op_check.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { STEPS = 10, ROWS = 600, WIDTH = 512, PICKED = 37, NUMBERS = ROWS * WIDTH }; /* x is above 1 MB */

static struct device *open_with(const char *paths)
{
    struct device *dev;
    struct error err;
    setenv("OCLIP_WITH", paths, 1);
    if (device_open(&dev, "auto", &err) != 0)
        fail_msg("%s", err.text);
    unsetenv("OCLIP_WITH");
    return dev;
}

/* A step's own numbers. */
static void fill(float *x, int *rows, int step)
{
    for (int i = 0; i < NUMBERS; i++)
        x[i] = (float)((i * 7 + step * 131) % 1009) / 1009 - 0.5f;
    for (int i = 0; i < PICKED; i++)
        rows[i] = (i * 13 + step * 5) % ROWS;
}

/* Steps that follow each other without a wait: two uploads, some work on them, and the result is put aside. */
static void run_steps(float *results, struct device *dev) // [STEPS, PICKED, WIDTH]
{
    float *x = mem_new(NUMBERS, sizeof *x);
    int rows[PICKED];
    struct tensor *all = tensor_new(dev, DTYPE_F32, 3, (int[]){STEPS, PICKED, WIDTH});
    struct tape *tape = tape_new(dev, false);
    size_t bytes = sizeof(float) * PICKED * WIDTH;
    long created = 0;
    for (int step = 0; step < STEPS; step++) {
        fill(x, rows, step);
        struct tensor *y = tape_upload(tape, DTYPE_F32, 2, (int[]){ROWS, WIDTH}, x);
        for (int layer = 0; layer < 4; layer++)
            y = op_activation(tape, op_residual(tape, y, y, NULL), ACTIVATION_GELU);
        struct tensor *picked = op_gather_rows(tape, y, rows, PICKED);
        buffer_copy(all->buffer, (size_t)step * bytes, picked->buffer, 0, bytes);
        tape_reset(tape);
        if (step == STEPS / 2)
            created = device_counters(dev)->buffers_created;
    }
    memset(x, 0, NUMBERS * sizeof *x);
    tensor_download(results, all);
    assert_true(device_counters(dev)->buffers_created - created <= STEPS); /* small pieces, at most */
    tape_free(tape);
    tensor_free(all);
    free(x);
}

static void results_are_the_same_to_the_bit(void **state)
{
    (void)state;
    static const char *const paths[] = {"", "upload-queue", "patient-waits", "upload-queue,patient-waits"};
    size_t count = (size_t)STEPS * PICKED * WIDTH;
    float *want = mem_new(count, sizeof *want), *got = mem_new(count, sizeof *got);
    for (int p = 0; p < 4; p++) {
        struct device *dev = open_with(paths[p]);
        struct error err;
        if (p == 0)
            assert_int_equal(device_go_without(dev, "upload-queue,patient-waits", &err), 0);
        for (int round = 0; round < 2; round++) {
            run_steps(p ? got : want, dev);
            if (p && memcmp(got, want, count * sizeof *want) != 0)
                fail_msg("with %s the numbers are others", paths[p]);
        }
        if (device_finish(dev, &err) != 0)
            fail_msg("%s", err.text);
        device_close(dev);
    }
    free(want);
    free(got);
}

static void views_of_uploads_are_views(void **state)
{
    (void)state;
    struct device *dev = open_with("upload-queue");
    float numbers[1024], got[256];
    for (int i = 0; i < 1024; i++)
        numbers[i] = (float)i;
    struct tensor *sent = tensor_sent(dev, DTYPE_F32, 1, (int[]){1024}, numbers);
    struct buffer *view = buffer_view(sent->buffer, 2 * BUFFER_ALIGNMENT, sizeof got);
    tensor_free(sent);
    buffer_download(got, view, 0, sizeof got);
    for (int i = 0; i < 256; i++)
        assert_true(got[i] == (float)(512 + i));
    buffer_drop(view);
    assert_int_equal(buffer_bytes_in_use(dev), 0);
    device_close(dev);
}

static void what_is_not_in_use_goes_back(void **state)
{
    (void)state;
    struct device *dev = open_with("upload-queue");
    float *numbers = mem_new(NUMBERS, sizeof *numbers);
    struct tensor *x = tensor_sent(dev, DTYPE_F32, 1, (int[]){NUMBERS}, numbers);
    size_t bytes = tensor_bytes(x);
    assert_true(buffer_recover(dev));
    assert_true(buffer_bytes_allocated(dev) >= bytes);
    tensor_free(x);
    assert_true(buffer_recover(dev));
    assert_int_equal(buffer_bytes_allocated(dev), 0);
    x = tensor_sent(dev, DTYPE_F32, 1, (int[]){NUMBERS}, numbers);
    tensor_free(x);
    free(numbers);
    device_close(dev);
}

/* Waits of 10 ms, then of 2 ms, then of 10 ms again. */
static void sleeps_follow_the_waits(void **state)
{
    (void)state;
    struct patience patience = {0};
    assert_true(patience_sleep(&patience) == 0);
    for (int i = 0; i < 10; i++) {
        patience_learn(&patience, 0.010, false);
        assert_true(patience_sleep(&patience) < 0.010);
    }
    assert_true(patience_sleep(&patience) > 0.007);
    for (int i = 0; i < 4; i++) /* slept through the end of shorter ones */
        patience_learn(&patience, 0.008, true);
    assert_true(patience_sleep(&patience) < 0.002);
    patience_learn(&patience, 0.0001, false);
    assert_true(patience_sleep(&patience) == 0);
    for (int i = 0; i < 10; i++)
        patience_learn(&patience, 0.010, false);
    assert_true(patience_sleep(&patience) > 0.007);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_are_the_same_to_the_bit),
        cmocka_unit_test(views_of_uploads_are_views),
        cmocka_unit_test(what_is_not_in_use_goes_back),
        cmocka_unit_test(sleeps_follow_the_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
