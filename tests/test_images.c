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
    bool read = preprocess_file(got, preprocess, picture, &err) == 0;
    if (read)
        assert_close(got, expected.data, size / 3, name);
    else if (!strstr(err.text, "a WebP file, which this build of oclip does not read"))
        fail_msg("%s", err.text);
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
        int fit, torchvision_crop, upright, grey;
        struct preprocess preprocess = {0};
        assert_int_equal(sscanf(line, "%63s %63s %d %d %d %63s %d %d %d", name, file, &preprocess.resize, &fit,
                                &preprocess.crop, filter, &torchvision_crop, &grey, &upright),
                         9);
        preprocess.fit = (enum preprocess_fit)fit;
        preprocess.torchvision_crop = torchvision_crop;
        preprocess.upright = upright;
        memset(preprocess.fill, grey, 3);
        preprocess.filter = find_filter(filter);
        check_case(name, file, &preprocess);
    }
    assert_true(cases >= 30);
    free(text);
    free(path);
}

/* Where pixels of the result fall on the middle of the source's, single weights stand beside longer rows of them. */
static void test_window_anywhere(void **state)
{
    (void)state;
    enum { WIDTH = 35, HEIGHT = 21 };
    unsigned char pixels[5 * 7 * 3], part[HEIGHT * WIDTH * 3];
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (unsigned char)(i * 151);
    struct picture picture = {.pixels = pixels, .width = 7, .height = 5}, whole;
    picture_resize(&whole, &picture, WIDTH, HEIGHT, &resize_filters[RESIZE_BICUBIC]);
    for (int from = 0; from < HEIGHT; from++)
        for (int to = from + 1; to <= HEIGHT; to++) {
            struct resize_window window = {.left = from, .top = from, .width = to - from, .height = to - from};
            picture_resize_window(part, &picture, WIDTH, HEIGHT, window, 3 * WIDTH, &resize_filters[RESIZE_BICUBIC]);
            for (int y = from; y < to; y++)
                assert_memory_equal(part + (y - from) * 3 * WIDTH, whole.pixels + 3 * (y * WIDTH + from),
                                    3 * (size_t)(to - from));
        }
    picture_free(&whole);
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

/* A few bytes that announce more than a picture may have: refused by their headers, before there is memory for them. */
static void test_too_many_pixels(void **state)
{
    (void)state;
#define HUGE(bytes)                                                                                                    \
    {                                                                                                                  \
        bytes, sizeof bytes - 1                                                                                        \
    }
    static const struct {
        const char *bytes;
        size_t size;
    } files[] = {
        HUGE("P6 60000 60000 255\n"),
        HUGE("P4\n999999999 999999999\n"),
        HUGE("GIF89a\x60\xEA\x60\xEA\0\0\0,\0\0\0\0\1\0\1\0\0\2"),
        HUGE("GIF89a\1\0\1\0\0\0\0,\0\0\0\0\x60\xEA\x60\xEA\0\2"), /* only its frame is */
        HUGE("\0\0\2\0\0\0\0\0\0\0\0\0\x60\xEA\x60\xEA\x18\0"),
        HUGE("BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\xFF\xFF\xFF\x7F\0\0\0\x80\1\0\x18\0\0\0\0\0\0\0\0\0"
             "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
        HUGE("\x89PNG\r\n\x1A\n\0\0\0\x0DIHDR\0\0\xEA\x60\0\0\xEA\x60\x08\2\0\0\0\x0F\xB0\xE2\x15\0\0\0\0IDAT"),
        HUGE("\xFF\xD8\xFF\xC0\0\x0B\x08\xEA\x60\xEA\x60\1\1\x11\0\xFF\xDA\0\x08\1\1\0\0\x3F\0"),
    };
#undef HUGE
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct picture picture;
        int result =
            picture_decode_memory(&picture, (const unsigned char *)files[i].bytes, files[i].size, "huge", &err);
        if (result == 0 || err.code != EXIT_BAD_DATA || !strstr(err.text, "pixels a picture may have"))
            fail_msg("file %zu: %s", i, result == 0 ? "taken" : err.text);
    }
}

/* A file cut anywhere in its first nine tenths is refused (PNG's last twelve bytes say nothing): never a picture with a
 * grey lower half. */
static void test_cut_files(void **state)
{
    (void)state;
    struct string_list inputs = {0};
    char *images = golden_path("");
    assert_int_equal(file_list(&inputs, images, ".jpg .png .bmp .gif .tga .pbm .pgm .ppm .webp", &err), 0);
    assert_true(inputs.count >= 15);
    for (size_t i = 0; i < inputs.count; i++) {
        struct file_map map;
        assert_int_equal(file_map(&map, inputs.items[i], &err), 0);
        for (size_t size = 0; size < (map.size - 12) * 9 / 10; size += 1 + map.size / 100) {
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

#define OPEN_CLIP "{\"model_cfg\": {\"vision_cfg\": {\"image_size\": 240}}, \"preprocess_cfg\": "

static const struct {
    const char *file, *json;
    int resize, crop;
    enum preprocess_fit fit;
    int filter;
    float mean; /* of the first channel */
    int fill;   /* of the last */
} folders[] = {
    {"preprocessor_config.json", "{\"size\": 224, \"crop_size\": 224, \"do_center_crop\": true, \"resample\": 3}", 224,
     224, FIT_SHORT_SIDE, RESIZE_BICUBIC, 0.48145466f, 0},
    {"preprocessor_config.json",
     "{\"size\": {\"shortest_edge\": 256}, \"crop_size\": {\"height\": 224, \"width\": 224}, \"resample\": 3, " HALF
     ", \"do_center_crop\": true, \"image_processor_type\": \"BitImageProcessor\"}",
     256, 224, FIT_SHORT_SIDE, RESIZE_BICUBIC, 0.5f, 0},
    {"preprocessor_config.json", "{\"size\": {\"height\": 224, \"width\": 224}, \"resample\": 2, " HALF "}", 224, 224,
     FIT_SQUASH, RESIZE_BILINEAR, 0.5f, 0},
    {"preprocessor_config.json", "{\"size\": 384, \"resample\": 1, " HALF "}", 384, 384, FIT_SQUASH, RESIZE_LANCZOS,
     0.5f, 0},
    {"preprocessor_config.json", "{\"image_processor_type\": \"CLIPImageProcessor\"}", 224, 224, FIT_SHORT_SIDE,
     RESIZE_BICUBIC, 0.48145466f, 0},
    {"preprocessor_config.json", "{\"image_processor_type\": \"ViTImageProcessorFast\"}", 224, 224, FIT_SQUASH,
     RESIZE_BILINEAR, 0.5f, 0},
    {"preprocessor_config.json",
     "{\"image_processor_type\": \"SiglipImageProcessor\", \"size\": {\"height\": 384, "
     "\"width\": 384}}",
     384, 384, FIT_SQUASH, RESIZE_BICUBIC, 0.5f, 0},
    {"preprocessor_config.json",
     "{\"size\": 256, \"crop_size\": 224, \"feature_extractor_type\": \"DeiTFeatureExtractor\"}", 256, 224, FIT_SQUASH,
     RESIZE_BICUBIC, 0.5f, 0},
    {"preprocessor_config.json", "{\"size\": 224, \"crop_pct\": 0.875, \"resample\": 3, " HALF "}", 256, 224,
     FIT_SHORT_SIDE, RESIZE_BICUBIC, 0.5f, 0},
    {"preprocessor_config.json", "{\"image_processor_type\": \"ConvNextImageProcessor\"}", 384, 384, FIT_SQUASH,
     RESIZE_BICUBIC, 0.5f, 0},
    {"preprocessor_config.json", "{\"do_resize\": false, \"crop_size\": 96, \"do_normalize\": false}", 0, 96,
     FIT_SHORT_SIDE, RESIZE_BICUBIC, 0.0f, 0},
    {"processor_config.json",
     "{\"image_processor\": {\"image_processor_type\": \"CLIPImageProcessor\", \"size\": "
     "{\"shortest_edge\": 336}, \"crop_size\": 336}}",
     336, 336, FIT_SHORT_SIDE, RESIZE_BICUBIC, 0.48145466f, 0},
    {"open_clip_config.json", OPEN_CLIP "{\"mean\": [0.25, 0.5, 0.5]}}", 240, 240, FIT_SHORT_SIDE, RESIZE_BICUBIC,
     0.25f, 0},
    {"open_clip_config.json",
     OPEN_CLIP "{\"resize_mode\": \"squash\", \"interpolation\": \"bilinear\", \"mean\": 0.5}}", 240, 240, FIT_SQUASH,
     RESIZE_BILINEAR, 0.5f, 0},
    {"open_clip_config.json", OPEN_CLIP "{\"resize_mode\": \"longest\", \"fill_color\": 114, \"size\": 1}}", 240, 240,
     FIT_LONG_SIDE, RESIZE_BICUBIC, 0.48145466f, 114},
    {"config.json",
     "{\"pretrained_cfg\": {\"input_size\": [3, 224, 224], \"crop_pct\": 0.9, \"interpolation\": \"bilinear\", "
     "\"mean\": [0.5, 0.5, 0.5], \"std\": [0.5, 0.5, 0.5]}}",
     248, 224, FIT_SHORT_SIDE, RESIZE_BILINEAR, 0.5f, 0},
    {"config.json", "{\"pretrained_cfg\": {\"input_size\": [3, 256, 256], \"crop_pct\": 1, \"crop_mode\": \"border\"}}",
     256, 256, FIT_LONG_SIDE, RESIZE_BICUBIC, 0.485f, 104},
    {"config.json", "{\"input_size\": [3, 64, 64]}", 73, 64, FIT_SHORT_SIDE, RESIZE_BICUBIC, 0.485f, 0},
};

static void remove_settings(void)
{
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        char *path = path_join(folder, folders[i].file);
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
        assert_int_equal(got.resize, folders[i].resize);
        assert_int_equal(got.crop, folders[i].crop);
        assert_int_equal(got.fit, folders[i].fit);
        assert_int_equal(got.fill[2], folders[i].fill);
        assert_int_equal(got.torchvision_crop, strstr(folders[i].file, "processor") == NULL);
        assert_false(got.upright);
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
        "{\"size\": 224, \"resample\": 0}",
        "{\"size\": {\"shortest_edge\": 224, \"longest_edge\": 448}, \"crop_size\": 224}",
        "{\"image_processor_type\": \"Siglip2ImageProcessor\", \"size\": 224}",
        "{\"size\": 224, \"fill_color\": 256}",
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
    const float *ones = (float[]){1, 1, 1};
    const struct preprocess settings[] = {
        {.resize = 224, .crop = 224, .mean = {0.48145466f, 0.4578275f, 0.40821073f}, .filter = bicubic},
        {.resize = 256, .crop = 224, .mean = {1.0f / 3, 0.7f, 1}, .torchvision_crop = true, .filter = bilinear},
        {.resize = 224, .fit = FIT_SQUASH, .crop = 224, .upright = true, .filter = bilinear},
        {.resize = 256, .fit = FIT_SQUASH, .crop = 224, .filter = &resize_filters[RESIZE_BOX]},
        {.resize = 96, .fit = FIT_LONG_SIDE, .crop = 96, .fill = {1, 2, 3}, .filter = bicubic},
        {.resize = 0, .crop = 64, .filter = bicubic},
    };
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        struct preprocess setting = settings[i], got;
        memcpy(setting.std, ones, sizeof setting.std);
        assert_int_equal(preprocess_write(&setting, folder, &err), 0);
        assert_int_equal(preprocess_read(&got, folder, &err), 0);
        struct hash expected = hash_begin(), hash = hash_begin();
        preprocess_add_hash(&expected, &setting);
        preprocess_add_hash(&hash, &got);
        assert_memory_equal(&hash, &expected, sizeof hash);
    }
    remove_settings();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_goldens),         cmocka_unit_test(test_window),
        cmocka_unit_test(test_window_anywhere), cmocka_unit_test(test_no_pictures),
        cmocka_unit_test(test_too_many_pixels), cmocka_unit_test(test_cut_files),
        cmocka_unit_test(test_dirty_jpeg),      cmocka_unit_test(test_read_settings),
        cmocka_unit_test(test_refuse_settings), cmocka_unit_test(test_write_settings),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
