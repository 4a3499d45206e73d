/* Pictures against Pillow and torchvision (goldens/make_images.py), broken files, and the settings of model
 * folders. */
#include "models/images/preprocess.h"
#include "runtime/util/file.h"
#include "tests/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <unistd.h>

static struct error err;
static char *folder; /* for files that a test makes */

static char *golden_path(const char *name)
{
    char *images = path_join(getenv("OCLIP_TEST_DATA"), "goldens/images");
    char *path = path_join(images, name);
    free(images);
    return path;
}

static int make_folder(void **state)
{
    (void)state;
    folder = scratch_new();
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    scratch_free(folder);
    return 0;
}

/* --- pictures that Pillow reads too ------------------------------------------------------------------------ */

/* At least 99.9 % of the pixels equal, none off by more than 1. */
static void assert_close(const unsigned char *got, const unsigned char *expected, size_t pixels, const char *name)
{
    size_t unequal = 0;
    int worst = 0;
    for (size_t i = 0; i < pixels; i++) {
        int difference = 0;
        for (size_t channel = 0; channel < 3; channel++) {
            int d = abs(got[3 * i + channel] - expected[3 * i + channel]);
            difference = d > difference ? d : difference;
        }
        unequal += difference > 0;
        worst = difference > worst ? difference : worst;
    }
    if (worst > 1 || unequal * 1000 > pixels)
        fail_msg("%s: %zu of %zu pixels differ from Pillow's, by up to %d", name, unequal, pixels, worst);
}

static const struct resize_filter *find_filter(const char *name)
{
    for (int i = 0; i < RESIZE_FILTERS; i++)
        if (strcmp(resize_filters[i].name, name) == 0)
            return &resize_filters[i];
    fail_msg("no filter is named %s", name);
    return NULL;
}

static void check_case(const char *name, const char *file, const struct preprocess *preprocess)
{
    char *picture = golden_path(file), *golden_name = mem_format("%s.rgb", name), *golden = golden_path(golden_name);
    size_t size = preprocess_bytes(preprocess);
    struct file_map expected;
    assert_int_equal(file_map(&expected, golden, &err), 0);
    assert_int_equal(expected.size, size);

    unsigned char *got = mem_new(size + 1, 1);
    memset(got, 0xA5, size + 1);
    if (preprocess_file(got, preprocess, picture, &err) != 0)
        fail_msg("%s", err.text);
    assert_close(got, expected.data, size / 3, name);
    assert_int_equal(got[size], 0xA5);

    free(got);
    file_unmap(&expected);
    free(golden);
    free(golden_name);
    free(picture);
}

static void test_goldens(void **state)
{
    (void)state;
    char *path = golden_path("cases.txt"), *text;
    assert_int_equal(file_read(&text, NULL, path, 1 << 20, &err), 0);
    int cases = 0;
    char *rest;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest), cases++) {
        char name[64], file[64], filter[64];
        int squash;
        struct preprocess preprocess = {0};
        assert_int_equal(sscanf(line, "%63s %63s %d %d %d %63s", name, file, &preprocess.resize_short, &squash,
                                &preprocess.crop, filter),
                         6);
        preprocess.squash = squash;
        preprocess.filter = find_filter(filter);
        check_case(name, file, &preprocess);
    }
    assert_true(cases >= 30);
    free(text);
    free(path);
}

/* A window is a part of the whole, and a picture resized to its own size stays as it is. */
static void test_window(void **state)
{
    (void)state;
    char *path = golden_path("plain.png");
    struct picture picture, whole, same;
    assert_int_equal(picture_decode(&picture, path, &err), 0);
    const struct resize_filter *filter = &resize_filters[RESIZE_BICUBIC];
    picture_resize(&whole, &picture, 71, 19, filter);
    picture_resize(&same, &picture, picture.width, picture.height, filter);
    assert_memory_equal(same.pixels, picture.pixels, 3 * (size_t)picture.width * (size_t)picture.height);

    enum { STRIDE = 100 };
    unsigned char part[7 * STRIDE];
    struct resize_window window = {.left = 40, .top = 12, .width = 31, .height = 7};
    picture_resize_window(part, &picture, 71, 19, window, STRIDE, filter);
    for (size_t y = 0; y < 7; y++)
        assert_memory_equal(part + y * STRIDE, whole.pixels + 3 * ((y + 12) * 71 + 40), 3 * 31);

    picture_free(&same);
    picture_free(&whole);
    picture_free(&picture);
    free(path);
}

/* --- files that are no pictures ---------------------------------------------------------------------------- */

static void assert_refused(const char *path)
{
    struct picture picture;
    err = (struct error){0};
    assert_int_equal(picture_decode(&picture, path, &err), -1);
    assert_int_equal(err.code, EXIT_BAD_DATA);
    assert_non_null(strstr(err.text, path));
    assert_null(strchr(err.text, '\n'));
    assert_null(picture.pixels);
}

static void test_no_pictures(void **state)
{
    (void)state;
    static const char text[] = "This is a letter, not a photo. It only pretends to be one.";
    static const unsigned char start_only[] = {0xFF, 0xD8, 0xFF};
    static const char huge[] = "P6 60000 60000 255\n", flat[] = "P6 0 10 255\n";
    const struct {
        const char *name;
        const void *bytes;
        size_t size;
    } files[] = {
        {"empty.jpg", "", 0},
        {"text.jpg", text, sizeof text - 1},
        {"start.jpg", start_only, sizeof start_only},
        {"huge.jpg", huge, sizeof huge - 1},
        {"flat.jpg", flat, sizeof flat - 1},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char *path = scratch_file(folder, files[i].name, files[i].bytes, files[i].size);
        assert_refused(path);
        free(path);
    }
    assert_refused("/nowhere/missing.jpg");
    assert_refused(folder);
}

/* A file cut anywhere in its first nine tenths is refused: never a picture with a grey lower half. */
static void test_cut_files(void **state)
{
    (void)state;
    struct string_list inputs = {0};
    char *images = golden_path("");
    assert_int_equal(file_list(&inputs, images, ".jpg .png .bmp .gif .tga .ppm", &err), 0);
    assert_true(inputs.count >= 15);
    for (size_t i = 0; i < inputs.count; i++) {
        struct file_map map;
        assert_int_equal(file_map(&map, inputs.items[i], &err), 0);
        for (size_t size = 0; size < map.size * 9 / 10; size += 1 + map.size / 100) {
            /* Its own allocation, so that a sanitizer sees a read past the cut. */
            unsigned char *cut = mem_new(size, 1);
            memcpy(cut, map.data, size);
            struct picture picture;
            if (picture_decode_memory(&picture, cut, size, "cut", &err) == 0)
                fail_msg("%s: cut to %zu of %zu bytes, it was accepted", inputs.items[i], size, map.size);
            assert_int_equal(err.code, EXIT_BAD_DATA);
            free(cut);
        }
        file_unmap(&map);
    }
    free(images);
    string_list_free(&inputs);
}

/* Harmless dirt, which Pillow decodes past too, must not hide that the rest of the file is missing. */
static void test_dirty_jpeg(void **state)
{
    (void)state;
    char *path = golden_path("grey.jpg"), *bytes;
    size_t size;
    assert_int_equal(file_read(&bytes, &size, path, 1 << 20, &err), 0);
    bytes = mem_grow(bytes, size + 4, 1);
    memmove(bytes + 6, bytes + 2, size - 2); /* four bytes that belong to no segment, after the start marker */
    memset(bytes + 2, 0x11, 4);

    struct picture picture;
    if (picture_decode_memory(&picture, (unsigned char *)bytes, size + 4, "dirty", &err) != 0)
        fail_msg("%s", err.text);
    picture_free(&picture);
    assert_int_equal(picture_decode_memory(&picture, (unsigned char *)bytes, size - 100, "dirty", &err), -1);
    free(bytes);
    free(path);
}

/* --- model folders ----------------------------------------------------------------------------------------- */

#define HALF "\"image_mean\": [0.5, 0.5, 0.5], \"image_std\": [0.5, 0.5, 0.5]"

static const struct {
    const char *file, *json;
    int resize_short, crop;
    bool squash;
    int filter;
    float mean; /* of the first channel */
} folders[] = {
    {"preprocessor_config.json", "{\"size\": 224, \"crop_size\": 224, \"do_center_crop\": true, \"resample\": 3}", 224,
     224, false, RESIZE_BICUBIC, 0.48145466f},
    {"preprocessor_config.json",
     "{\"size\": {\"shortest_edge\": 256}, \"crop_size\": {\"height\": 224, \"width\": 224}, \"resample\": 3, " HALF
     ", \"do_center_crop\": true, \"image_processor_type\": \"BitImageProcessor\"}",
     256, 224, false, RESIZE_BICUBIC, 0.5f},
    {"preprocessor_config.json", "{\"size\": {\"height\": 224, \"width\": 224}, \"resample\": 2, " HALF "}", 224, 224,
     true, RESIZE_BILINEAR, 0.5f},
    {"preprocessor_config.json", "{\"size\": 384, \"resample\": 2, " HALF "}", 384, 384, true, RESIZE_BILINEAR, 0.5f},
    {"preprocessor_config.json",
     "{\"size\": 256, \"crop_size\": 224, \"feature_extractor_type\": \"DeiTFeatureExtractor\"}", 256, 224, true,
     RESIZE_BICUBIC, 0.48145466f},
    {"preprocessor_config.json", "{\"size\": 224, \"crop_pct\": 0.875, \"resample\": 3, " HALF "}", 256, 224, false,
     RESIZE_BICUBIC, 0.5f},
    {"preprocessor_config.json", "{\"do_resize\": false, \"crop_size\": 96, \"do_normalize\": false}", 0, 96, false,
     RESIZE_BICUBIC, 0.0f},
    {"open_clip_config.json",
     "{\"model_cfg\": {\"vision_cfg\": {\"image_size\": 240}}, \"preprocess_cfg\": {\"mean\": [0.25, 0.5, 0.5]}}", 240,
     240, false, RESIZE_BICUBIC, 0.25f},
    {"config.json",
     "{\"pretrained_cfg\": {\"input_size\": [3, 224, 224], \"crop_pct\": 0.9, \"interpolation\": \"bicubic\", "
     "\"mean\": [0.5, 0.5, 0.5], \"std\": [0.5, 0.5, 0.5]}}",
     248, 224, false, RESIZE_BICUBIC, 0.5f},
};

static void remove_settings(void)
{
    static const char *const names[] = {"preprocessor_config.json", "open_clip_config.json", "config.json"};
    for (size_t i = 0; i < 3; i++) {
        char *path = path_join(folder, names[i]);
        unlink(path);
        free(path);
    }
}

static void test_read_settings(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        remove_settings();
        free(scratch_file(folder, folders[i].file, folders[i].json, strlen(folders[i].json)));
        struct preprocess got;
        if (preprocess_read(&got, folder, &err) != 0)
            fail_msg("%s", err.text);
        assert_int_equal(got.resize_short, folders[i].resize_short);
        assert_int_equal(got.crop, folders[i].crop);
        assert_int_equal(got.squash, folders[i].squash);
        assert_ptr_equal(got.filter, &resize_filters[folders[i].filter]);
        assert_true(got.mean[0] == folders[i].mean);
        assert_true(got.std[2] > 0);
    }
    remove_settings();
}

static void test_refuse_settings(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "{}",
        "{\"size\": {\"shortest_edge\": 224}, \"do_center_crop\": false}",
        "{\"size\": {\"height\": 224, \"width\": 448}}",
        "{\"size\": 1000000}",
        "{\"size\": -1, \"crop_size\": -1}",
        "{\"size\": 224, \"crop_size\": \"224\"}",
        "{\"size\": 224, \"resample\": 1}",
        "{\"size\": 224, \"image_mean\": [0.5, 0.5]}",
        "{\"size\": 224, \"image_std\": [0.5, 0, 0.5]}",
        "{\"size\": 224, \"rescale_factor\": 0.0078125}",
        "{\"size\": 224, \"crop_pct\": 1e-300}",
        "[]",
        "",
    };
    struct preprocess preprocess;
    assert_int_equal(preprocess_read(&preprocess, folder, &err), -1);
    assert_int_equal(err.code, EXIT_BAD_DATA);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char *path = scratch_file(folder, "preprocessor_config.json", bad[i], strlen(bad[i]));
        if (preprocess_read(&preprocess, folder, &err) == 0)
            fail_msg("accepted: %s", bad[i]);
        assert_int_equal(err.code, EXIT_BAD_DATA);
        assert_non_null(strstr(err.text, path));
        free(path);
    }
    remove_settings();
}

static void test_write_settings(void **state)
{
    (void)state;
    const struct resize_filter *bicubic = &resize_filters[RESIZE_BICUBIC], *bilinear = &resize_filters[RESIZE_BILINEAR];
    const struct preprocess settings[] = {
        {224, false, 224, {0.48145466f, 0.4578275f, 0.40821073f}, {0.26862954f, 0.26130258f, 0.27577711f}, bicubic},
        {256, false, 224, {0.1f, 0.2f, 0.3f}, {1.0f / 3, 0.7f, 1}, bilinear},
        {224, true, 224, {0.5f, 0.5f, 0.5f}, {0.5f, 0.5f, 0.5f}, bilinear},
        {256, true, 224, {0, 0, 0}, {1, 1, 1}, bicubic},
        {0, false, 64, {0, 0, 0}, {1, 1, 1}, bicubic},
    };
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        struct preprocess got;
        assert_int_equal(preprocess_write(&settings[i], folder, &err), 0);
        assert_int_equal(preprocess_read(&got, folder, &err), 0);
        assert_int_equal(got.resize_short, settings[i].resize_short);
        assert_int_equal(got.squash, settings[i].squash);
        assert_int_equal(got.crop, settings[i].crop);
        assert_memory_equal(got.mean, settings[i].mean, sizeof got.mean);
        assert_memory_equal(got.std, settings[i].std, sizeof got.std);
        assert_ptr_equal(got.filter, settings[i].filter);
    }
    remove_settings();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_goldens),         cmocka_unit_test(test_window),
        cmocka_unit_test(test_no_pictures),     cmocka_unit_test(test_cut_files),
        cmocka_unit_test(test_dirty_jpeg),      cmocka_unit_test(test_read_settings),
        cmocka_unit_test(test_refuse_settings), cmocka_unit_test(test_write_settings),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
