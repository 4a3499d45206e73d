/* What a search leaves out and folds: rows worked out by hand, photos that look alike, files that are gone. */
#include "models/images/facts.h"
#include "models/images/resize.h"
#include "runtime/device.h"
#include "runtime/util/random.h"
#include "tests/scratch.h"
#include "tools/alike.h"
#include "tools/dedupe.h"
#include "tools/finder.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { DIM = 4, PHOTOS = 100 };

struct world {
    struct device *dev;
    char *folder;
    struct gallery gallery;
};

/* Photo i: score to the first axis falls with i; every photo has a look of its own. */
static int open_world(void **state)
{
    struct world *w = mem_new(1, sizeof *w);
    struct error err;
    struct random random = random_begin(1);
    if (device_open(&w->dev, "auto", &err) != 0)
        return -1;
    w->folder = scratch_new();
    w->gallery = (struct gallery){.dim = DIM,
                                  .photos = mem_new(PHOTOS, sizeof *w->gallery.photos),
                                  .rows = mem_new(PHOTOS * DIM, sizeof *w->gallery.rows)};
    for (size_t i = 0; i < PHOTOS; i++) {
        char *name = mem_format("%03zu.jpg", i), *path = scratch_file(w->folder, name, name, strlen(name));
        float score = 1 - (float)i / PHOTOS;
        w->gallery.rows[i * DIM] = score;
        w->gallery.rows[i * DIM + 1] = sqrtf(1 - score * score);
        w->gallery.photos[i] =
            (struct photo){.hash = {i, i}, .look = random_bits(&random), .width = 100 + (int)i, .height = 100};
        string_list_add(&w->gallery.paths, path);
        free(name);
        free(path);
    }
    *state = w;
    return 0;
}

static int close_world(void **state)
{
    struct world *w = *state;
    gallery_free(&w->gallery);
    device_close(w->dev);
    scratch_free(w->folder);
    free(w);
    return 0;
}

static const float axis[DIM] = {1, 0, 0, 0};

/* Searches a copy of the gallery; the caller frees the collection. */
static struct found find(struct collection *collection, const struct world *w, struct wish wish)
{
    const struct gallery *gallery = &w->gallery;
    struct string_list names = {0};
    struct error err;
    struct found found;
    struct photo *photos = mem_new(PHOTOS, sizeof *photos);
    float *rows = mem_new(PHOTOS * DIM, sizeof *rows);
    memcpy(photos, gallery->photos, PHOTOS * sizeof *photos);
    memcpy(rows, gallery->rows, PHOTOS * DIM * sizeof *rows);
    for (size_t i = 0; i < PHOTOS; i++)
        string_list_add(&names, gallery->paths.items[i]);
    collection_fill(collection, w->dev, &names, photos, rows, DIM, NULL);
    if (finder_run(&found, collection, &wish, &err) != 0)
        fail_msg("%s", err.text);
    return found;
}

static void expect(const struct world *w, struct wish wish, const size_t *rows, size_t count)
{
    struct collection collection;
    struct found found = find(&collection, w, wish);
    assert_int_equal(found.count, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(found.items[i].row, rows ? rows[i] : i);
    found_free(&found);
    collection_free(&collection);
}

/* ---- tests ---- */

static void the_best_come_first(void **state)
{
    expect(*state, (struct wish){.row = axis, .top = 3, .least = -1}, (const size_t[]){0, 1, 2}, 3);
    expect(*state, (struct wish){.row = axis, .top = 1000, .least = -1}, NULL, PHOTOS);
}

static void what_does_not_match_is_left_out(void **state)
{
    static const float none[DIM] = {0, 0, 1, 0}, other[DIM] = {0, 1, 0, 0};
    size_t but = 1;
    expect(*state, (struct wish){.row = axis, .top = 100, .least = 0.955f}, NULL, 5);
    expect(*state, (struct wish){.row = axis, .top = 100, .least = 2}, NULL, 0);
    expect(*state, (struct wish){.row = axis, .top = 100, .least = -1, .probe = none, .evidence = 0.1f}, NULL, 0);
    /* the second number grows with i, and is 0.24 for photo 3: it decides who is found, the first in which order */
    expect(*state, (struct wish){.row = axis, .top = 2, .probe = other, .evidence = 0.22f}, (const size_t[]){98, 99},
           2);
    size_t rest[PHOTOS - 3];
    for (size_t i = 3; i < PHOTOS; i++)
        rest[i - 3] = i;
    expect(*state, (struct wish){.row = axis, .top = PHOTOS, .probe = other, .evidence = 0.22f}, rest, PHOTOS - 3);
    expect(*state, (struct wish){.row = axis, .top = 2, .least = -1, .but = &but}, (const size_t[]){0, 2}, 2);
}

static void photos_that_look_alike_are_folded(void **state)
{
    struct world *w = *state;
    struct photo *photos = w->gallery.photos, kept[PHOTOS];
    memcpy(kept, photos, sizeof kept);
    photos[1].hash = photos[0].hash;        /* a copy */
    photos[2].look = photos[0].look ^ 0x15; /* three bits away */
    photos[3].look = photos[0].look ^ 0xFF; /* eight */
    photos[99].look = photos[0].look;       /* the same layout, another content */
    struct collection collection;
    struct found found = find(&collection, w, (struct wish){.row = axis, .top = 2, .least = -1});
    assert_int_equal(found.items[0].row, 0);
    assert_int_equal(found.items[0].folded, 2);
    assert_int_equal(found.items[1].row, 3);
    assert_int_equal(found.items[1].folded, 0);
    found_free(&found);
    collection_free(&collection);
    expect(w, (struct wish){.row = axis, .top = 3, .least = -1, .unfolded = true}, NULL, 3);
    memcpy(photos, kept, sizeof kept);
}

/* More are folded than are asked for at first. */
static void the_search_goes_on_until_there_are_enough(void **state)
{
    struct world *w = *state;
    struct photo *photos = w->gallery.photos, kept[PHOTOS];
    float *rows = w->gallery.rows, kept_rows[PHOTOS * DIM];
    memcpy(kept, photos, sizeof kept);
    memcpy(kept_rows, rows, sizeof kept_rows);
    for (size_t i = 1; i < 60; i++) {
        photos[i].look = photos[0].look;
        memcpy(rows + i * DIM, rows, DIM * sizeof *rows);
    }
    expect(w, (struct wish){.row = axis, .top = 3, .least = -1}, (const size_t[]){0, 60, 61}, 3);
    memcpy(photos, kept, sizeof kept);
    memcpy(rows, kept_rows, sizeof kept_rows);
}

/* Wherever they stand, and whichever of them may match. */
static void copies_are_found_by_each_of_their_names(void **state)
{
    struct world *w = *state;
    struct photo *photos = w->gallery.photos, kept[PHOTOS];
    float *rows = w->gallery.rows, kept_rows[PHOTOS * DIM];
    bool only[PHOTOS] = {[90] = true, [4] = true};
    memcpy(kept, photos, sizeof kept);
    memcpy(kept_rows, rows, sizeof kept_rows);
    for (size_t i = 50; i < 100; i += 40) {
        photos[i].hash = photos[1].hash;
        memcpy(rows + i * DIM, rows + DIM, DIM * sizeof *rows);
    }
    expect(w, (struct wish){.row = axis, .top = 6, .least = -1, .unfolded = true}, (const size_t[]){0, 1, 50, 90, 2, 3},
           6);
    expect(w, (struct wish){.row = axis, .top = 6, .least = -1, .only = only, .only_count = 2}, (const size_t[]){90, 4},
           2);
    struct contents contents = contents_of(photos, PHOTOS);
    assert_int_equal(contents.count, PHOTOS - 2);
    for (size_t i = 0; i < PHOTOS; i++)
        assert_int_equal(contents.of[i], i == 50 || i == 90 ? 1 : i - (i > 50) - (i > 90));
    for (size_t c = 0; c < contents.count; c++)
        for (size_t i = contents.first[c]; i < contents.first[c + 1]; i++)
            assert_true(contents.of[contents.files[i]] == c &&
                        (i == contents.first[c] || contents.files[i] > contents.files[i - 1]));
    assert_int_equal(contents.first[contents.count], PHOTOS);
    contents_free(&contents);
    memcpy(photos, kept, sizeof kept);
    memcpy(rows, kept_rows, sizeof kept_rows);
}

static void a_photo_that_is_gone_is_left_out(void **state)
{
    struct world *w = *state;
    const char *path = w->gallery.paths.items[1];
    assert_int_equal(remove(path), 0);
    expect(w, (struct wish){.row = axis, .top = 3, .least = -1}, (const size_t[]){0, 2, 3}, 3);
    free(scratch_file(w->folder, "001.jpg", "x", 1));
}

static void copies_and_near_ones_make_groups(void **state)
{
    struct world *w = *state;
    struct photo *photos = w->gallery.photos, kept[PHOTOS];
    memcpy(kept, photos, sizeof kept);
    photos[10].hash = photos[20].hash;
    photos[31].look = photos[30].look ^ 0x3F;         /* six bits: near photo 30 */
    photos[29].look = photos[30].look ^ 0x3FULL << 8; /* and this one, but the two are twelve apart */
    struct dedupe groups;
    dedupe_find(&groups, &w->gallery, true);
    assert_int_equal(groups.count, 2);
    assert_int_equal(groups.photos[0], 31); /* the widest; photo 29 is not near it */
    assert_int_equal(groups.photos[1], 30);
    assert_int_equal(groups.first[1], 2);
    assert_int_equal(groups.photos[2], 20);
    assert_int_equal(groups.photos[3], 10);
    assert_int_equal(groups.first[2], 4);
    dedupe_free(&groups);
    memcpy(photos, kept, sizeof kept);
}

static uint64_t look_of(const char *name)
{
    char *path = mem_format("%s/goldens/images/%s", getenv("OCLIP_TEST_DATA"), name);
    struct picture picture;
    struct error err;
    if (picture_decode(&picture, path, &err) != 0)
        fail_msg("%s", err.text);
    uint64_t look = picture_look(&picture);
    picture_free(&picture);
    free(path);
    return look;
}

static void looks_survive_other_sizes(void **state)
{
    (void)state;
    char *path = mem_format("%s/sample/images/0007.jpg", getenv("OCLIP_TEST_DATA"));
    struct picture picture, small;
    struct error err;
    assert_int_equal(picture_decode(&picture, path, &err), 0);
    static const int widths[] = {40, 64, 100, 333};
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        picture_resize(&small, &picture, widths[i], widths[i] * picture.height / picture.width,
                       &resize_filters[RESIZE_BICUBIC]);
        assert_in_range(__builtin_popcountll(picture_look(&small) ^ picture_look(&picture)), 0, ALIKE_BITS);
        picture_free(&small);
    }
    assert_true(__builtin_popcountll(look_of("wide.jpg") ^ picture_look(&picture)) > ALIKE_BITS);
    picture_free(&picture);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_come_first),
        cmocka_unit_test(what_does_not_match_is_left_out),
        cmocka_unit_test(photos_that_look_alike_are_folded),
        cmocka_unit_test(the_search_goes_on_until_there_are_enough),
        cmocka_unit_test(copies_are_found_by_each_of_their_names),
        cmocka_unit_test(a_photo_that_is_gone_is_left_out),
        cmocka_unit_test(copies_and_near_ones_make_groups),
        cmocka_unit_test(looks_survive_other_sizes),
    };
    return cmocka_run_group_tests(tests, open_world, close_world);
}
