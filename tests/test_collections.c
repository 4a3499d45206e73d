/* Photos and captions in the forms other than tables: JSON files, folders, tar shards. */
#include "models/files/captions.h"
#include "models/files/shards.h"
#include "models/images/decode.h"
#include "tests/said.h"
#include "tests/scratch.h"
#include "tests/tar_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct error err;
static char *folder; /* of one test */

static int set_up(void **state)
{
    (void)state;
    folder = scratch_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    scratch_free(folder);
    return 0;
}

/* A file below the scratch folder; its path. */
static const char *put(const char *name, const char *text)
{
    static char *path;
    free(path);
    char *whole = path_join(folder, name), *slash = strrchr(whole, '/');
    *slash = '\0';
    assert_int_equal(file_make_folders(whole, &err), 0);
    free(whole);
    path = scratch_file(folder, name, text, strlen(text));
    return path;
}

static struct captions read_kind(const char *path, const char *kind, struct captions_format format)
{
    struct captions captions;
    assert_string_equal(captions_detect(path), kind);
    if (captions_read(&captions, path, &format, &err) != 0)
        fail_msg("%s", err.text);
    return captions;
}

static void expect(const struct captions *captions, size_t text, const char *photo, const char *caption)
{
    assert_true(text < captions->texts.count);
    assert_string_equal(captions->photos.items[captions->photo_of[text]], photo);
    assert_string_equal(captions->texts.items[text], caption);
}

static void coco_joins_images_and_annotations(void **state)
{
    (void)state;
    const char *path = put("captions.json", "{\"info\": {}, \"annotations\": ["
                                            "{\"image_id\": 7, \"id\": 1, \"caption\": \"A dog.\\n\"},"
                                            "{\"image_id\": 9, \"caption\": \"A cat\"},"
                                            "{\"image_id\": 7, \"caption\": \"Dogs\"},"
                                            "{\"image_id\": 8, \"caption\": \"Nobody\"},"
                                            "{\"image_id\": 9, \"caption\": \" \"},"
                                            "{\"image_id\": 9}],"
                                            "\"images\": [{\"id\": 9, \"file_name\": \"c.jpg\"},"
                                            "{\"id\": 7, \"file_name\": \"d.jpg\"}, {\"id\": 5}]}");
    struct captions captions = read_kind(path, "coco", (struct captions_format){0});
    assert_int_equal(captions.texts.count, 3);
    expect(&captions, 0, "d.jpg", "A dog.");
    expect(&captions, 1, "c.jpg", "A cat");
    expect(&captions, 2, "d.jpg", "Dogs");
    assert_string_equal(captions.root, folder);
    assert_int_equal(captions.broken.count, 4);
    assert_mentions(captions.broken.items[0], "image 2 lacks its id or file_name");
    assert_mentions(captions.broken.items[1], "annotation 3: is of no image there is");
    assert_mentions(captions.broken.items[2], "annotation 4: lacks its text");
    captions_free(&captions);

    static const char *const wrong[][2] = {
        {"{\"images\": [], \"annotations\": {}}", "\"annotations\" is no list"},
        {"{\"images\": [{\"id\": 1, \"file_name\": \"a\"}], \"annotations\": [{\"image_id\": 1, \"bbox\": []}]}",
         "none of its annotations is a caption"},
        {"{\"images\": [", "not JSON"},
        {"[]", "not an object"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(captions_read(&captions, put("wrong.json", wrong[i][0]), &(struct captions_format){0}, &err),
                         -1);
        assert_int_equal(err.code, EXIT_BAD_DATA);
        assert_mentions(err.text, wrong[i][1]);
    }
}

static void karpathy_has_splits(void **state)
{
    (void)state;
    const char *path = put("dataset_coco.json",
                           "{\"images\": ["
                           "{\"filepath\": \"val2014\", \"filename\": \"a.jpg\", \"split\": \"test\","
                           " \"sentences\": [{\"raw\": \"One.\", \"tokens\": [\"one\"]}, {\"raw\": \"Two.\"}]},"
                           "{\"filename\": \"b.jpg\", \"split\": \"train\", \"sentences\": [{\"raw\": \"Three.\"}]},"
                           "{\"filename\": \"c.jpg\", \"split\": \"restval\", \"sentences\": [{\"raw\": \"Four.\"}]},"
                           "{\"filename\": \"d.jpg\", \"split\": \"train\", \"sentences\": []}]}");
    struct captions captions = read_kind(path, "karpathy", (struct captions_format){0});
    assert_int_equal(captions.texts.count, 2);
    expect(&captions, 0, "b.jpg", "Three.");
    expect(&captions, 1, "c.jpg", "Four.");
    assert_int_equal(captions.broken.count, 1);
    assert_true(captions.has_splits);
    captions_free(&captions);
    captions = read_kind(path, "karpathy", (struct captions_format){.split = "test"});
    assert_int_equal(captions.texts.count, 2);
    expect(&captions, 1, "val2014/a.jpg", "Two.");
    captions_free(&captions);
    assert_int_equal(captions_read(&captions, path, &(struct captions_format){.split = "val"}, &err), -1);
    assert_mentions(err.text, "is of the split \"val\"");
}

static void folders_hold_photos_beside_texts(void **state)
{
    (void)state;
    put("photos/a.jpg", "");
    put("photos/deep/b.c.PNG", "");
    put("photos/lonely.jpg", "");
    put("photos/a.txt", "A dog\n\nTwo dogs\n");
    put("photos/deep/b.c.txt", "A cat");
    char *path = path_join(folder, "photos");
    struct captions captions = read_kind(path, "folder", (struct captions_format){0});
    assert_int_equal(captions.texts.count, 3);
    expect(&captions, 0, "a.jpg", "A dog");
    expect(&captions, 1, "a.jpg", "Two dogs");
    expect(&captions, 2, "deep/b.c.PNG", "A cat");
    assert_string_equal(captions.root, path);
    assert_int_equal(captions.broken.count, 1);
    assert_mentions(captions.broken.items[0], "photos/lonely.jpg: has no lonely.txt beside it");
    captions_free(&captions);
    free(path);
}

static void classes_are_folders(void **state)
{
    (void)state;
    put("photos/golden_retriever/1.jpg", "");
    put("photos/cat/x/2.jpg", "");
    put("photos/3.jpg", "");
    char *path = path_join(folder, "photos");
    const char *templates = put("templates", "a {}\n\nthe {}, a {}\n");
    struct captions captions = read_kind(path, "classes", (struct captions_format){.templates = templates});
    assert_int_equal(captions.texts.count, 4);
    expect(&captions, 0, "cat/x/2.jpg", "a cat");
    expect(&captions, 1, "cat/x/2.jpg", "the cat, a cat");
    expect(&captions, 2, "golden_retriever/1.jpg", "a golden retriever");
    assert_int_equal(captions.broken.count, 1);
    captions_free(&captions);
    templates = put("templates", "a photo\n");
    assert_int_equal(captions_read(&captions, path, &(struct captions_format){.templates = templates}, &err), -1);
    assert_mentions(err.text, "has no {}");
    free(path);
}

/* A picture of one pixel whose red is `red`. */
static const char *pixel(int red)
{
    static char pixels[256][16];
    char *bytes = pixels[red];
    snprintf(bytes, sizeof pixels[red], "P6 1 1 255\n%c%c%c", red, 1, 1);
    return bytes;
}

static char *write_tar(const char *name, const struct tar_entry *entries)
{
    char *path = path_join(folder, name);
    tar_file_write(path, entries);
    return path;
}

static void shards_hold_samples(void **state)
{
    (void)state;
    char *first = write_tar("00.tar", (struct tar_entry[]){{"d/0.txt", "A dog", 0},
                                                           {"d/0.ppm", pixel(10), 0},
                                                           {"d/0.json", "{}", 0},
                                                           {"README", "nothing", 0},
                                                           {"1.txt", "alone", 0},
                                                           {"2.x.ppm", pixel(3), 0},
                                                           {"2.ppm", pixel(20), 0},
                                                           {"2.txt", " A cat\n", 0},
                                                           {0}});
    char *second = write_tar("01.tar", (struct tar_entry[]){{"nnn.ppm", pixel(30), 0}, {"nnn.txt", "A cow", 0}, {0}});
    char *pattern = path_join(folder, "{00..01}.tar");
    struct captions captions = read_kind(pattern, "webdataset", (struct captions_format){0});
    assert_int_equal(captions.texts.count, 3);
    assert_string_equal(captions.texts.items[0], "A dog");
    assert_string_equal(captions.texts.items[1], "A cat");
    assert_string_equal(captions.texts.items[2], "A cow");
    for (int i = 0; i < 3; i++) {
        struct picture picture;
        if (picture_decode(&picture, captions.photos.items[i], &err) != 0)
            fail_msg("%s", err.text);
        assert_int_equal(picture.pixels[0], 10 * (i + 1));
        picture_free(&picture);
    }
    assert_int_equal(captions.broken.count, 1);
    assert_mentions(captions.broken.items[0], "00.tar:1: has no photo");
    captions_free(&captions);
    captions = read_kind(folder, "webdataset", (struct captions_format){0});
    assert_int_equal(captions.texts.count, 3);
    captions_free(&captions);
    free(first);
    free(second);
    free(pattern);
}

/* GNU's and pax's long names, and ustar's prefix, lead to the same sample. */
static void long_names_are_read(void **state)
{
    (void)state;
    char stem[151], text[160], picture[160];
    memset(stem, 'n', sizeof stem);
    stem[150] = '\0';
    snprintf(text, sizeof text, "%s.txt", stem);
    snprintf(picture, sizeof picture, "%s.ppm", stem);
    char *path = write_tar(
        "long.tar", (struct tar_entry[]){{text, "A dog", TAR_ENTRY_GNU_NAME}, {picture, pixel(9), TAR_ENTRY_PAX}, {0}});
    struct captions captions = read_kind(path, "webdataset", (struct captions_format){0});
    assert_int_equal(captions.texts.count, 1);
    assert_mentions(captions.photos.items[0], picture);
    captions_free(&captions);
    free(path);
}

static void split_samples_are_named(void **state)
{
    (void)state;
    char *path = write_tar("by_kind.tar", (struct tar_entry[]){{"0.ppm", pixel(1), 0},
                                                               {"1.ppm", pixel(2), 0},
                                                               {"0.txt", "A dog", 0},
                                                               {"1.txt", "A cat", 0},
                                                               {"2.ppm", pixel(3), 0},
                                                               {0}});
    char *next = write_tar("by_kind_next.tar", (struct tar_entry[]){{"2.txt", "A cow", 0}, {0}});
    char *good = write_tar("good.tar", (struct tar_entry[]){{"3.ppm", pixel(1), 0}, {"3.txt", "A hen", 0}, {0}});
    struct captions captions = read_kind(folder, "webdataset", (struct captions_format){0});
    assert_int_equal(captions.texts.count, 1);
    assert_int_equal(captions.broken.count, 6);
    assert_mentions(captions.broken.items[0], "by_kind.tar:0: has no caption");
    assert_mentions(captions.broken.items[2], "by_kind.tar:0: split: its photo is in");
    assert_mentions(captions.broken.items[3], "by_kind.tar:1: split: its photo is in");
    assert_mentions(captions.broken.items[5], "by_kind_next.tar:2: split: its photo is in");
    captions_free(&captions);
    free(path);
    free(next);
    free(good);
}

static void broken_archives_lose_what_follows(void **state)
{
    (void)state;
    char *path = write_tar(
        "a.tar",
        (struct tar_entry[]){
            {"0.ppm", pixel(1), 0}, {"0.txt", "A dog", 0}, {"1.ppm", pixel(2), 0}, {"1.txt", "A cat", 0}, {0}});
    char *bytes;
    size_t size;
    assert_int_equal(file_read(&bytes, &size, path, 1 << 20, &err), 0);
    static const struct {
        size_t at, size; /* a byte that changes, and what is left of the file */
        const char *text;
        size_t samples;
    } cases[] = {
        {2048 + 5, 5120, "no header of a tar archive", 1},
        {0, 3072 + 100, "the archive is cut off", 1},
        {0, 2048 + 512 + 3, "reaches behind the end", 1},
    };
    for (size_t i = 0; i < 3; i++) {
        char *other = mem_new(size, 1);
        memcpy(other, bytes, size);
        other[cases[i].at] ^= cases[i].at ? 1 : 0;
        char *cut = scratch_file(folder, "b.tar", other, cases[i].size);
        struct captions captions = read_kind(cut, "webdataset", (struct captions_format){0});
        assert_int_equal(captions.texts.count, cases[i].samples);
        assert_mentions(captions.broken.items[captions.broken.count - 1], cases[i].text);
        captions_free(&captions);
        free(cut);
        free(other);
    }
    static const char gzip[600] = "\x1f\x8b\x08";
    char *packed = scratch_file(folder, "c.tar.gz", gzip, sizeof gzip);
    struct captions captions;
    assert_int_equal(captions_read(&captions, packed, &(struct captions_format){0}, &err), -1);
    assert_mentions(err.text, "unpack it");
    free(packed);
    free(bytes);
    free(path);
}

static void braces_expand(void **state)
{
    (void)state;
    static const char *const names[] = {"a-08.tar", "a-09.tar", "a-10.tar", "b-7.tar", "c-7.tar"};
    for (int i = 0; i < 5; i++)
        put(names[i], "");
    struct string_list shards = {0};
    char *numbers = path_join(folder, "a-{08..10}.tar"), *words = path_join(folder, "{b,c}-{7..7}.tar");
    char *missing = path_join(folder, "a-{09..11}.tar");
    assert_int_equal(shards_list(&shards, numbers, &err), 0);
    assert_int_equal(shards_list(&shards, words, &err), 0);
    assert_int_equal(shards.count, 5);
    for (int i = 0; i < 5; i++)
        assert_mentions(shards.items[i], names[i]);
    assert_int_equal(shards_list(&shards, missing, &err), -1);
    assert_mentions(err.text, "a-11.tar: no such shard");
    assert_int_equal(shards_list(&shards, "x{0..999999999}{0..99}", &err), -1);
    assert_mentions(err.text, "more than");
    string_list_free(&shards);
    free(numbers);
    free(words);
    free(missing);
}

static void synthetic_pictures_are_the_same_again(void **state)
{
    (void)state;
    struct captions captions = read_kind("synthetic", "synthetic", (struct captions_format){.samples = 3});
    assert_int_equal(captions.texts.count, 3);
    struct picture once, again, other;
    assert_int_equal(picture_decode(&once, "synthetic:1", &err), 0);
    assert_int_equal(picture_decode(&again, captions.photos.items[1], &err), 0);
    assert_int_equal(picture_decode(&other, captions.photos.items[2], &err), 0);
    size_t bytes = (size_t)once.width * (size_t)once.height * 3;
    assert_memory_equal(once.pixels, again.pixels, bytes);
    assert_memory_not_equal(once.pixels, other.pixels, bytes);
    picture_free(&once);
    picture_free(&again);
    picture_free(&other);
    captions_free(&captions);
    assert_int_equal(captions_read(&captions, "synthetic", &(struct captions_format){0}, &err), -1);
    assert_mentions(err.text, "--train-num-samples");
}

#define in_folder(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(coco_joins_images_and_annotations),
        in_folder(karpathy_has_splits),
        in_folder(folders_hold_photos_beside_texts),
        in_folder(classes_are_folders),
        in_folder(shards_hold_samples),
        in_folder(long_names_are_read),
        in_folder(split_samples_are_named),
        in_folder(broken_archives_lose_what_follows),
        in_folder(braces_expand),
        cmocka_unit_test(synthetic_pictures_are_the_same_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
