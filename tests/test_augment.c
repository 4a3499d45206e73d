/* Augmentation: torchvision's pixels for torchvision's draws, draws within their bounds, and settings in open_clip's
 * spelling. */
#include "models/images/augment.h"
#include "models/images/prefetch.h"
#include "runtime/util/file.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct error err;

static char *image_path(const char *file)
{
    return mem_format("%s/goldens/images/%s", getenv("OCLIP_TEST_DATA"), file);
}

static const struct preprocess square = {.resize = 24, .crop = 24, .filter = &resize_filters[RESIZE_BICUBIC]};

/* Expects at most 1 of 255 between the draw's pixels and the golden's. */
static void check_golden(const char *name, const char *file, int side, const struct augment_draw *draw)
{
    struct preprocess preprocess = square;
    preprocess.crop = side;
    size_t bytes = preprocess_bytes(&preprocess), size;
    unsigned char *got = mem_new(bytes, 1);
    char *expected, *input = image_path(file);
    char *golden = mem_format("%s/goldens/augment/%s.rgb", getenv("OCLIP_TEST_DATA"), name);
    struct picture picture;
    assert_int_equal(picture_decode(&picture, input, &err), 0);
    augment_apply(got, &preprocess, draw, &picture);
    assert_int_equal(file_read(&expected, &size, golden, 1 << 20, &err), 0);
    assert_int_equal(size, bytes);
    for (size_t i = 0; i < bytes; i++)
        if (abs(got[i] - (unsigned char)expected[i]) > 1)
            fail_msg("%s: byte %zu is %d, not %d", name, i, got[i], (unsigned char)expected[i]);
    picture_free(&picture);
    free(golden);
    free(input);
    free(expected);
    free(got);
}

static void pixels_are_torchvisions(void **state)
{
    (void)state;
    char *path = mem_format("%s/goldens/augment/cases.txt", getenv("OCLIP_TEST_DATA")), name[64], file[64];
    FILE *cases = fopen(path, "r");
    assert_non_null(cases);
    int side, flip, order[4], grey, count = 0;
    struct augment_draw draw;
    double *f = draw.factors;
    while (fscanf(cases, "%63s %63s %d %d %d %d %d %d %lf %lf %lf %lf %d %d %d %d %d", name, file, &side, &draw.left,
                  &draw.top, &draw.width, &draw.height, &flip, &f[0], &f[1], &f[2], &f[3], &order[0], &order[1],
                  &order[2], &order[3], &grey) == 17) {
        draw.flip = flip;
        draw.grey = grey;
        for (int i = 0; i < 4; i++)
            draw.order[i] = (enum colour)order[i];
        check_golden(name, file, side, &draw);
        count++;
    }
    assert_int_equal(count, 10);
    fclose(cases);
    free(path);
}

static void draws_keep_their_bounds(void **state)
{
    (void)state;
    struct augment augment = augment_default();
    assert_int_equal(augment_set(&augment, "scale=(0.3, 0.6)", &err), 0);
    assert_int_equal(augment_set(&augment, "color_jitter=[0.4,1.5,0.2,0.1]", &err), 0);
    assert_int_equal(augment_set(&augment, "color_jitter_prob=0.5", &err), 0);
    assert_int_equal(augment_set(&augment, "gray_scale_prob=0.25", &err), 0);
    assert_int_equal(augment_set(&augment, "hflip=0.5", &err), 0);
    struct random random = random_begin(5);
    enum { DRAWS = 4000, WIDTH = 400, HEIGHT = 300 };
    double area = 0;
    int flips = 0, greys = 0, jitters = 0, first[COLOURS] = {0};
    for (int i = 0; i < DRAWS; i++) {
        struct augment_draw draw = augment_draw(&augment, WIDTH, HEIGHT, &random);
        double share = (double)draw.width * draw.height / (WIDTH * HEIGHT), ratio = (double)draw.width / draw.height;
        assert_true(draw.left >= 0 && draw.top >= 0 && draw.left + draw.width <= WIDTH &&
                    draw.top + draw.height <= HEIGHT);
        assert_true(share > 0.295 && share < 0.605 && ratio > 0.74 && ratio < 1.35);
        assert_true(draw.factors[1] >= 0 && draw.factors[1] <= 2.5 && fabs(draw.factors[3]) <= 0.1);
        area += share / DRAWS;
        flips += draw.flip;
        greys += draw.grey;
        jitters += draw.factors[0] != 1;
        first[draw.order[0]]++;
    }
    assert_true(fabs(area - 0.45) < 0.01);
    assert_true(abs(flips - DRAWS / 2) < DRAWS / 20 && abs(jitters - DRAWS / 2) < DRAWS / 20);
    assert_true(abs(greys - DRAWS / 4) < DRAWS / 20);
    for (int c = 0; c < COLOURS; c++)
        assert_true(abs(first[c] - DRAWS / 4) < DRAWS / 20);

    /* No part of a sliver has the shape that is wanted: its middle is taken. */
    struct augment_draw draw = augment_draw(&augment, 1000, 30, &random);
    assert_int_equal(draw.height, 30);
    assert_int_equal(draw.width, 40);
    assert_int_equal(draw.left, 480);
}

static void a_picture_depends_on_its_seed_alone(void **state)
{
    (void)state;
    struct augment augment = augment_default();
    assert_int_equal(augment_set(&augment, "scale=0.2,1.0", &err), 0);
    assert_int_equal(augment_set(&augment, "color_jitter=0.3", &err), 0);
    enum { PICTURES = 24 };
    size_t bytes = preprocess_bytes(&square);
    unsigned char *got = mem_new(bytes, 1), *expected = mem_new(PICTURES, bytes);
    char *path = image_path("wide.jpg");
    for (size_t i = 0; i < PICTURES; i++)
        assert_int_equal(augment_file(expected + i * bytes, &square, &augment, i / 2, path, &err), 0);
    assert_memory_equal(expected, expected + bytes, bytes);
    assert_memory_not_equal(expected, expected + 2 * bytes, bytes);
    for (int workers = 1; workers <= 5; workers += 2) {
        struct prefetch *prefetch = prefetch_open(&square, &augment, PICTURES, workers);
        for (size_t i = 0; i < PICTURES; i++)
            prefetch_add(prefetch, path, i / 2);
        for (size_t i = 0; i < PICTURES; i++) {
            assert_int_equal(prefetch_next(prefetch, got, &err), 0);
            assert_memory_equal(got, expected + i * bytes, bytes);
        }
        prefetch_close(prefetch);
    }
    free(path);
    free(expected);
    free(got);
}

static void wrong_settings_are_named(void **state)
{
    (void)state;
    static const char *const wrong[] = {"scale",
                                        "scale=",
                                        "scale=1",
                                        "scale=0.9,0.5",
                                        "scale=0,1",
                                        "scale=0.5,1.1",
                                        "scale=a,b",
                                        "scale=0.1,0.2,0.3",
                                        "color_jitter=1,2",
                                        "color_jitter=0.1,0.1,0.1,0.6",
                                        "hflip=2",
                                        "hflip=nan",
                                        "blur=1",
                                        "=1",
                                        "gray_scale_prob=0.1)x"};
    struct augment augment = augment_default(), kept = augment;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        augment = kept;
        assert_int_equal(augment_set(&augment, wrong[i], &err), -1);
        assert_int_equal(err.code, EXIT_USAGE);
        assert_non_null(strstr(err.text, wrong[i]));
    }
    assert_int_equal(augment_set(&augment, "use_timm=True", &err), 0);
    assert_int_equal(augment_set(&augment, "ratio=(0.5, 2)", &err), 0);
    assert_true(augment.ratio[0] == 0.5 && augment.ratio[1] == 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pixels_are_torchvisions),
        cmocka_unit_test(draws_keep_their_bounds),
        cmocka_unit_test(a_picture_depends_on_its_seed_alone),
        cmocka_unit_test(wrong_settings_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
