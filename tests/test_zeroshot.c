/* Class embeddings on disk: found again by what they were made of, made anew where the file is no good. */
#include "models/clip.h"
#include "runtime/device.h"
#include "runtime/util/npy.h"
#include "tests/scratch.h"
#include "tools/zeroshot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { DIM = 16, CLASSES = 2 };

struct fixture {
    struct device *dev;
    struct clip *clip;
    char *folder, *cache, *classes, *templates;
};

#define MUST(call)                                                                                                     \
    do {                                                                                                               \
        if ((call) != 0)                                                                                               \
            fail_msg("%s", err.text);                                                                                  \
    } while (0)

static char *put(const struct fixture *fixture, const char *name, const char *text)
{
    return scratch_file(fixture->folder, name, text, strlen(text));
}

static int open_model(void **state)
{
    struct fixture *fixture = *state = mem_new(1, sizeof *fixture);
    struct error err;
    char *tokenizer = mem_format("%s/goldens/minilm-tokenizer", getenv("OCLIP_TEST_DATA"));
    struct clip_recipe recipe = {.tiny = true, .text_folder = tokenizer, .head = HEAD_LINEAR, .embed_dim = DIM};
    MUST(device_open(&fixture->dev, "auto", &err));
    MUST(clip_create(&fixture->clip, fixture->dev, &recipe, 0, &err));
    fixture->folder = scratch_new();
    fixture->cache = path_join(fixture->folder, "cache");
    fixture->classes = put(fixture, "classes.txt", "a dog\na cat\n");
    fixture->templates = put(fixture, "templates.txt", "a photo of {}\n{}, drawn\n");
    free(tokenizer);
    return setenv("OCLIP_CACHE", fixture->cache, 1);
}

static int close_model(void **state)
{
    struct fixture *fixture = *state;
    clip_close(fixture->clip);
    device_close(fixture->dev);
    scratch_free(fixture->folder);
    free(fixture->cache);
    free(fixture->classes);
    free(fixture->templates);
    free(fixture);
    return 0;
}

static void class_rows(float *rows, const struct fixture *fixture) // rows: [CLASSES, DIM]
{
    struct encode_options options = {.stage = ENCODE_EMBEDDINGS, .quiet = true};
    struct zeroshot zeroshot;
    struct error err;
    MUST(zeroshot_open(&zeroshot, fixture->clip, fixture->classes, fixture->templates, &options, &err));
    assert_int_equal(zeroshot.classes.count, CLASSES);
    memcpy(rows, zeroshot.rows, CLASSES * DIM * sizeof *rows);
    zeroshot_close(&zeroshot);
}

/* The cached files there must be; returns the first. Caller frees. */
static char *cached(const struct fixture *fixture, size_t count)
{
    struct string_list list = {0};
    struct error err;
    char *folder = path_join(fixture->cache, "classes");
    MUST(file_list(&list, folder, ".npy", &err));
    assert_int_equal(list.count, count);
    char *first = mem_format("%s", list.items[0]);
    string_list_free(&list);
    free(folder);
    return first;
}

static void the_text_tower_does_not_run_twice(void **state)
{
    const struct fixture *fixture = *state;
    float rows[CLASSES * DIM], again[CLASSES * DIM], swapped[CLASSES * DIM];
    struct error err;
    class_rows(rows, fixture);
    char *path = cached(fixture, 1);
    memcpy(swapped, rows + DIM, DIM * sizeof *rows);
    memcpy(swapped + DIM, rows, DIM * sizeof *rows);
    MUST(npy_write(path, swapped, 2, (long[]){CLASSES, DIM}, &err));
    class_rows(again, fixture); /* what the file holds, whatever the tower would have said */
    assert_memory_equal(again, swapped, sizeof swapped);
    MUST(npy_write(path, rows, 2, (long[]){CLASSES, DIM}, &err));
    free(path);
}

static void damaged_files_are_made_anew(void **state)
{
    const struct fixture *fixture = *state;
    float rows[CLASSES * DIM], again[CLASSES * DIM], wrong[CLASSES * DIM];
    char *whole, *bytes, *path;
    size_t size;
    struct error err;
    class_rows(rows, fixture);
    path = cached(fixture, 1);
    MUST(file_read(&whole, &size, path, 1 << 20, &err));
    memcpy(wrong, rows, sizeof rows);
    wrong[DIM + 1] += 0.5f; /* no longer of length 1 */
    for (int damage = 0; damage < 4; damage++) {
        if (damage == 0)
            MUST(npy_write(path, rows, 2, (long[]){1, CLASSES * DIM}, &err));
        else if (damage == 1)
            MUST(npy_write(path, wrong, 2, (long[]){CLASSES, DIM}, &err));
        else
            free(scratch_file(fixture->folder, path + strlen(fixture->folder) + 1, whole, damage == 2 ? 0 : size - 4));
        class_rows(again, fixture);
        assert_memory_equal(again, rows, sizeof rows);
        MUST(file_read(&bytes, NULL, path, 1 << 20, &err));
        assert_memory_equal(bytes, whole, size);
        free(bytes);
    }
    free(whole);
    free(path);
}

static void other_templates_and_classes_are_other_entries(void **state)
{
    struct fixture *fixture = *state;
    float rows[CLASSES * DIM], other[CLASSES * DIM];
    class_rows(rows, fixture);
    free(cached(fixture, 1));
    free(put(fixture, "templates.txt", "a photo of {}\n{}, painted\n"));
    class_rows(other, fixture);
    assert_memory_not_equal(other, rows, sizeof rows);
    free(cached(fixture, 2));
    free(put(fixture, "classes.txt", "a dog\na cow\n"));
    class_rows(other, fixture);
    free(cached(fixture, 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_text_tower_does_not_run_twice),
        cmocka_unit_test(damaged_files_are_made_anew),
        cmocka_unit_test(other_templates_and_classes_are_other_entries),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
