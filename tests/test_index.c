/* The gallery's index: what is encoded, what is known already, what is left out. */
#include "tests/gallery_world.h"
#include "tests/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void pictures_are_encoded_once(void **state)
{
    struct world *w = *state;
    world_expect(w, w->model, WORLD_PICTURES, WORLD_PICTURES, 0, 0, 0);
    world_expect(w, w->model, WORLD_PICTURES, 0, 0, 0, 0);
}

static void new_changed_and_deleted_pictures(void **state)
{
    struct world *w = *state;
    world_expect(w, w->model, WORLD_PICTURES, WORLD_PICTURES, 0, 0, 0);
    world_put(w, "palette.gif", "a new one.gif");
    world_put(w, "alpha.png", "plain.png");
    world_take_away(w, "wide.jpg");
    world_expect(w, w->model, WORLD_PICTURES, 2, 0, 1, 0);
}

static void a_moved_picture_keeps_its_embedding(void **state)
{
    struct world *w = *state;
    world_expect(w, w->model, WORLD_PICTURES, WORLD_PICTURES, 0, 0, 0);
    world_take_away(w, "wide.jpg");
    world_put(w, "wide.jpg", "another name.jpg");
    world_put(w, "tall.jpg", "a copy.jpg");
    world_expect(w, w->model, WORLD_PICTURES + 1, 0, 2, 1, 0);
}

static void copies_are_encoded_once(void **state)
{
    struct world *w = *state;
    world_put(w, "wide.jpg", "a copy.jpg");
    world_put(w, "wide.jpg", "z copy.jpg");
    free(scratch_file(w->gallery, "m.jpg", "no picture", 10));
    free(scratch_file(w->gallery, "n.jpg", "a copy of ", 10)); /* as large, but another one */
    world_expect(w, w->model, WORLD_PICTURES + 2, WORLD_PICTURES + 2, 2, 0, 2);
    world_expect(w, w->model, WORLD_PICTURES + 2, 0, 0, 0, 2);
    world_put(w, "cmyk.jpg", "b.jpg");
    world_put(w, "cmyk.jpg", "c.jpg");
    world_expect(w, w->model, WORLD_PICTURES + 4, 1, 1, 0, 2);
}

static void an_unreadable_picture_shifts_no_other(void **state)
{
    struct world *w = *state;
    free(scratch_file(w->gallery, "m.jpg", "no picture", 10));
    world_expect(w, w->model, WORLD_PICTURES, WORLD_PICTURES + 1, 0, 0, 1);
    world_expect(w, w->model, WORLD_PICTURES, 0, 0, 0, 1); /* not tried again */
    world_put(w, "cmyk.jpg", "m.jpg");
    world_expect(w, w->model, WORLD_PICTURES + 1, 1, 0, 0, 0);
}

static void another_model_encodes_all_again(void **state)
{
    struct world *w = *state;
    world_expect(w, w->model, WORLD_PICTURES, WORLD_PICTURES, 0, 0, 0);
    world_expect(w, w->other_model, WORLD_PICTURES, WORLD_PICTURES, 0, 0, 0);
    world_expect(w, w->model, WORLD_PICTURES, WORLD_PICTURES, 0, 0, 0);
}

static void the_index_of_another_model_is_not_loaded(void **state)
{
    struct world *w = *state;
    struct index *index;
    struct gallery gallery;
    world_expect(w, w->model, WORLD_PICTURES, WORLD_PICTURES, 0, 0, 0);
    assert_int_equal(index_open(&index, w->gallery, NULL, false, &w->err), 0);
    assert_int_equal(index_load(&gallery, index, w->other_model, NULL, &w->err), -1);
    assert_non_null(strstr(w->err.text, "another model"));
    index_close(index);
}

static void odd_names_and_empty_files(void **state)
{
    struct world *w = *state;
    free(scratch_file(w->gallery, "empty.jpg", "", 0));
    world_put(w, "palette.gif", "a\nnew \"one\".gif");
    world_put(w, "alpha.png", "caf\xE9.png");
    world_expect(w, w->model, WORLD_PICTURES + 2, WORLD_PICTURES + 3, 0, 0, 1);
    world_expect(w, w->model, WORLD_PICTURES + 2, 0, 0, 0, 1);
    world_take_away(w, "caf\xE9.png");
    world_expect(w, w->model, WORLD_PICTURES + 1, 0, 0, 1, 1);
}

static void what_a_folder_holds_can_be_filtered(void **state)
{
    struct world *w = *state;
    struct index *index;
    struct gallery gallery;
    static const struct {
        struct filter filter;
        size_t count;
    } cases[] = {{{0}, WORLD_PICTURES},
                 {{.path = "*.jpg"}, WORLD_PICTURES - 1},
                 {{.path = "*.jpg", .orientation = "portrait"}, 1},
                 {{.after = "1990"}, WORLD_PICTURES},
                 {{.before = "1990"}, 0},
                 {{.min_width = 100000}, 0}};
    world_expect(w, w->model, WORLD_PICTURES, WORLD_PICTURES, 0, 0, 0);
    assert_int_equal(index_open(&index, w->gallery, NULL, false, &w->err), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(index_load(&gallery, index, w->model, &cases[i].filter, &w->err), 0);
        assert_int_equal(gallery.paths.count, cases[i].count);
        assert_int_equal(gallery.readable, WORLD_PICTURES);
        gallery_free(&gallery);
    }
    index_close(index);
}

static void a_row_that_was_not_written_by_us_is_refused(void **state)
{
    static const char *const changes[] = {
        "embedding = x'0000'",
        "embedding = zeroblob(length(embedding))",
        "embedding = NULL",
        "width = width + 1",
        "taken = '2030-01-01 00:00:00'",
        "taken = '2030-01-01 00:00:00, and a date that is far too long'",
        "hash = x'00'",
        "hash = zeroblob(16)",
        "id = 1000",
    };
    struct world *w = *state;
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        struct index *index;
        struct gallery gallery;
        char *sql = mem_format("UPDATE pictures SET %s WHERE id = (SELECT picture FROM files WHERE path = "
                               "CAST('tall.jpg' AS BLOB))",
                               changes[i]);
        assert_int_equal(index_open(&index, w->gallery, NULL, true, &w->err), 0);
        index_close(index);
        world_expect(w, w->model, WORLD_PICTURES, WORLD_PICTURES, 0, 0, 0);
        world_meddle(w, sql);
        assert_int_equal(index_open(&index, w->gallery, NULL, false, &w->err), 0);
        assert_int_equal(index_load(&gallery, index, w->model, NULL, &w->err), -1);
        assert_int_equal(w->err.code, EXIT_BAD_DATA);
        assert_non_null(strstr(w->err.text, "tall.jpg"));
        index_close(index);
        free(sql);
    }
}

static void a_path_out_of_the_gallery_is_refused(void **state)
{
    static const char *const paths[] = {"/etc/photo.jpg", "../photo.jpg", "a/../../photo.jpg", ""};
    struct world *w = *state;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct index *index;
        struct gallery gallery;
        world_expect(w, w->model, WORLD_PICTURES, i ? 0 : WORLD_PICTURES, 0, i ? 1 : 0, 0);
        char *sql = mem_format("INSERT INTO files SELECT CAST('%s' AS BLOB), 1, 1, min(id) FROM pictures", paths[i]);
        world_meddle(w, sql);
        free(sql);
        assert_int_equal(index_open(&index, w->gallery, NULL, false, &w->err), 0);
        assert_int_equal(index_load(&gallery, index, w->model, NULL, &w->err), -1);
        assert_int_equal(w->err.code, EXIT_BAD_DATA);
        index_close(index);
    }
}

static void a_gallery_without_pictures_is_an_error(void **state)
{
    struct world *w = *state;
    struct index *index;
    struct index_changes changes;
    world_expect(w, w->model, WORLD_PICTURES, WORLD_PICTURES, 0, 0, 0);
    for (size_t i = 0; i < WORLD_PICTURES; i++)
        world_take_away(w, world_pictures[i]);
    assert_int_equal(index_open(&index, w->gallery, NULL, false, &w->err), 0);
    assert_int_equal(index_update(&changes, index, w->model, &world_options, &w->err), -1);
    assert_int_equal(w->err.code, EXIT_BAD_DATA);
    assert_non_null(strstr(w->err.text, "no pictures in"));
    index_close(index);

    assert_int_equal(index_open(&index, w->gallery, NULL, true, &w->err), -1);
    assert_true(file_exists(w->file)); /* kept */
    assert_int_equal(unlink(w->file), 0);
    assert_int_equal(index_open(&index, w->gallery, NULL, false, &w->err), -1);
    assert_non_null(strstr(w->err.text, "no pictures in"));
    assert_false(file_exists(w->file));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        GALLERY_TEST(pictures_are_encoded_once),
        GALLERY_TEST(new_changed_and_deleted_pictures),
        GALLERY_TEST(a_moved_picture_keeps_its_embedding),
        GALLERY_TEST(copies_are_encoded_once),
        GALLERY_TEST(an_unreadable_picture_shifts_no_other),
        GALLERY_TEST(another_model_encodes_all_again),
        GALLERY_TEST(the_index_of_another_model_is_not_loaded),
        GALLERY_TEST(odd_names_and_empty_files),
        GALLERY_TEST(what_a_folder_holds_can_be_filtered),
        GALLERY_TEST(a_row_that_was_not_written_by_us_is_refused),
        GALLERY_TEST(a_path_out_of_the_gallery_is_refused),
        GALLERY_TEST(a_gallery_without_pictures_is_an_error),
    };
    return cmocka_run_group_tests(tests, world_open, world_close);
}
