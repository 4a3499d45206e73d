/* The gallery's index: what is encoded, what is known already, and what happens to a damaged or interrupted one. */
#include "runtime/device.h"
#include "tests/scratch.h"
#include "tools/database.h"
#include "tools/index.h"

#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const char *const pictures[] = {"grey.jpg", "plain.png", "tall.jpg", "wide.jpg"};
enum { PICTURES = sizeof pictures / sizeof *pictures };

/* Made anew for each test; the models are made once. */
struct world {
    struct device *dev;
    struct clip *model, *other_model;
    char *models, *gallery, *file;
    struct error err;
};

static char *golden(const char *name)
{
    return mem_format("%s/goldens/%s", getenv("OCLIP_TEST_DATA"), name);
}

static void put(const struct world *w, const char *picture, const char *name)
{
    char *text, *from = mem_format("%s/goldens/images/%s", getenv("OCLIP_TEST_DATA"), picture);
    size_t size;
    struct error err;
    assert_int_equal(file_read(&text, &size, from, 1 << 20, &err), 0);
    free(scratch_file(w->gallery, name, text, size));
    free(text);
    free(from);
}

static void take_away(const struct world *w, const char *name)
{
    char *path = path_join(w->gallery, name);
    assert_int_equal(remove(path), 0);
    free(path);
}

/* Only a saved model has a fingerprint. */
static struct clip *make_model(struct world *w, const char *name, uint64_t seed)
{
    char *tokenizer = golden("minilm-tokenizer"), *folder = path_join(w->models, name);
    struct clip_recipe recipe = {
        .tiny = true, .text_folder = tokenizer, .head = HEAD_MLP, .embed_dim = 24, .seed = seed};
    struct clip *clip;
    if (clip_create(&clip, w->dev, &recipe, 0, &w->err) != 0 || clip_save(clip, folder, &w->err) != 0)
        fail_msg("%s", w->err.text);
    clip_close(clip);
    if (clip_open(&clip, w->dev, folder, 0, &w->err) != 0)
        fail_msg("%s", w->err.text);
    free(tokenizer);
    free(folder);
    return clip;
}

static int open_world(void **state)
{
    struct world *w = mem_new(1, sizeof *w);
    if (device_open(&w->dev, "auto", &w->err) != 0)
        return -1;
    w->models = scratch_new();
    w->model = make_model(w, "one", 1);
    w->other_model = make_model(w, "two", 2);
    *state = w;
    return 0;
}

static int close_world(void **state)
{
    struct world *w = *state;
    clip_close(w->model);
    clip_close(w->other_model);
    device_close(w->dev);
    scratch_free(w->models);
    free(w);
    return 0;
}

static int fill_gallery(void **state)
{
    struct world *w = *state;
    w->gallery = scratch_new();
    w->file = path_join(w->gallery, ".oclip.sqlite");
    for (size_t i = 0; i < PICTURES; i++)
        put(w, pictures[i], pictures[i]);
    return 0;
}

static int empty_gallery(void **state)
{
    struct world *w = *state;
    scratch_free(w->gallery);
    free(w->file);
    return 0;
}

static const struct encode_options quietly = {.stage = ENCODE_EMBEDDINGS, .batch_size = 2, .quiet = true};

/* Updates as a new program would. */
static struct index_changes update(struct world *w, const struct clip *clip, struct gallery *gallery)
{
    struct index *index;
    struct index_changes changes = {0};
    if (index_open(&index, w->gallery, NULL, false, &w->err) != 0 ||
        index_update(&changes, index, clip, &quietly, &w->err) != 0 || index_load(gallery, index, clip, &w->err) != 0)
        fail_msg("%s", w->err.text);
    index_close(index);
    return changes;
}

static void assert_changes(struct index_changes got, size_t encoded, size_t moved, size_t removed, size_t unreadable)
{
    assert_int_equal(got.encoded, encoded);
    assert_int_equal(got.moved, moved);
    assert_int_equal(got.removed, removed);
    assert_int_equal(got.unreadable, unreadable);
}

/* Every row is the embedding of the picture its path names. */
static void assert_rows_are_right(const struct gallery *gallery, const struct clip *clip)
{
    size_t n = gallery->paths.count;
    struct error err;
    float *want = mem_new(n * gallery->dim, sizeof *want);
    assert_int_equal(encode_images(want, NULL, clip, (const char *const *)gallery->paths.items, n, &quietly, &err), 0);
    for (size_t i = 0; i < n * gallery->dim; i++)
        assert_true(fabsf(want[i] - gallery->rows[i]) < 1e-5f);
    free(want);
}

static void expect(struct world *w, const struct clip *clip, size_t count, size_t encoded, size_t moved, size_t removed,
                   size_t unreadable)
{
    struct gallery gallery;
    assert_changes(update(w, clip, &gallery), encoded, moved, removed, unreadable);
    assert_int_equal(gallery.paths.count, count);
    assert_rows_are_right(&gallery, clip);
    gallery_free(&gallery);
}

/* What another program, or a hard stop, does to the file. */
static void meddle(const struct world *w, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(w->file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

/* ---- tests ---- */

static void pictures_are_encoded_once(void **state)
{
    struct world *w = *state;
    expect(w, w->model, PICTURES, PICTURES, 0, 0, 0);
    expect(w, w->model, PICTURES, 0, 0, 0, 0);
}

static void new_changed_and_deleted_pictures(void **state)
{
    struct world *w = *state;
    expect(w, w->model, PICTURES, PICTURES, 0, 0, 0);
    put(w, "palette.gif", "a new one.gif");
    put(w, "alpha.png", "plain.png");
    take_away(w, "wide.jpg");
    expect(w, w->model, PICTURES, 2, 0, 1, 0);
}

static void a_moved_picture_keeps_its_embedding(void **state)
{
    struct world *w = *state;
    expect(w, w->model, PICTURES, PICTURES, 0, 0, 0);
    take_away(w, "wide.jpg");
    put(w, "wide.jpg", "another name.jpg");
    put(w, "tall.jpg", "a copy.jpg");
    expect(w, w->model, PICTURES + 1, 0, 2, 1, 0);
}

static void an_unreadable_picture_shifts_no_other(void **state)
{
    struct world *w = *state;
    free(scratch_file(w->gallery, "m.jpg", "no picture", 10));
    expect(w, w->model, PICTURES, PICTURES + 1, 0, 0, 1);
    expect(w, w->model, PICTURES, 0, 0, 0, 1); /* not tried again */
    put(w, "cmyk.jpg", "m.jpg");
    expect(w, w->model, PICTURES + 1, 1, 0, 0, 0);
}

static void another_model_encodes_all_again(void **state)
{
    struct world *w = *state;
    expect(w, w->model, PICTURES, PICTURES, 0, 0, 0);
    expect(w, w->other_model, PICTURES, PICTURES, 0, 0, 0);
    expect(w, w->model, PICTURES, PICTURES, 0, 0, 0);
}

static void the_index_of_another_model_is_not_loaded(void **state)
{
    struct world *w = *state;
    struct index *index;
    struct gallery gallery;
    expect(w, w->model, PICTURES, PICTURES, 0, 0, 0);
    assert_int_equal(index_open(&index, w->gallery, NULL, false, &w->err), 0);
    assert_int_equal(index_load(&gallery, index, w->other_model, &w->err), -1);
    assert_non_null(strstr(w->err.text, "another model"));
    index_close(index);
}

static void an_interrupted_update_goes_on(void **state)
{
    struct world *w = *state;
    expect(w, w->model, PICTURES, PICTURES, 0, 0, 0);
    meddle(w, "DELETE FROM photos WHERE path IN ('grey.jpg', 'tall.jpg')"); /* chunks that were never written */
    expect(w, w->model, PICTURES, 2, 0, 0, 0);
}

static void a_killed_writer_leaves_the_index_whole(void **state)
{
    struct world *w = *state;
    expect(w, w->model, PICTURES, PICTURES, 0, 0, 0);
    pid_t child = fork();
    if (child == 0) {
        sqlite3 *db;
        sqlite3_open(w->file, &db);
        sqlite3_exec(db, "BEGIN IMMEDIATE; UPDATE photos SET embedding = NULL; DELETE FROM model", NULL, NULL, NULL);
        kill(getpid(), SIGKILL);
    }
    int status;
    waitpid(child, &status, 0);
    assert_true(WIFSIGNALED(status));
    expect(w, w->model, PICTURES, 0, 0, 0, 0);
}

static void assert_refused(struct world *w, const char *mention)
{
    struct index *index;
    assert_int_equal(index_open(&index, w->gallery, NULL, false, &w->err), -1);
    assert_int_equal(w->err.code, EXIT_BAD_DATA);
    if (!strstr(w->err.text, mention) || !strstr(w->err.text, w->file) || strchr(w->err.text, '\n'))
        fail_msg("'%s' is not one line that names the file and '%s'", w->err.text, mention);
}

static void a_damaged_index_is_refused_and_can_be_rebuilt(void **state)
{
    struct world *w = *state;
    struct index *index;
    free(scratch_file(w->gallery, ".oclip.sqlite", "this is no database, but as long as one would be", 48));
    assert_refused(w, "--rebuild");
    assert_int_equal(index_open(&index, w->gallery, NULL, true, &w->err), 0);
    index_close(index);
    expect(w, w->model, PICTURES, PICTURES, 0, 0, 0);
    meddle(w, "PRAGMA user_version = 99");
    assert_refused(w, "--rebuild");
}

static void an_embedding_of_the_wrong_size_is_refused(void **state)
{
    struct world *w = *state;
    struct index *index;
    struct gallery gallery;
    expect(w, w->model, PICTURES, PICTURES, 0, 0, 0);
    meddle(w, "UPDATE photos SET embedding = x'0000' WHERE path = 'tall.jpg'");
    assert_int_equal(index_open(&index, w->gallery, NULL, false, &w->err), 0);
    assert_int_equal(index_load(&gallery, index, w->model, &w->err), -1);
    assert_int_equal(w->err.code, EXIT_BAD_DATA);
    assert_non_null(strstr(w->err.text, "tall.jpg"));
    index_close(index);
}

static void a_database_of_another_program_is_left_alone(void **state)
{
    struct world *w = *state;
    meddle(w, "CREATE TABLE bookmarks (url)");
    assert_refused(w, "another program");
}

static void a_gallery_without_pictures_is_an_error(void **state)
{
    struct world *w = *state;
    struct index *index;
    struct index_changes changes;
    for (size_t i = 0; i < PICTURES; i++)
        take_away(w, pictures[i]);
    assert_int_equal(index_open(&index, w->gallery, NULL, false, &w->err), 0);
    assert_int_equal(index_update(&changes, index, w->model, &quietly, &w->err), -1);
    assert_int_equal(w->err.code, EXIT_BAD_DATA);
    assert_non_null(strstr(w->err.text, "no pictures in"));
    index_close(index);
}

#define GALLERY_TEST(test) cmocka_unit_test_setup_teardown(test, fill_gallery, empty_gallery)

int main(void)
{
    const struct CMUnitTest tests[] = {
        GALLERY_TEST(pictures_are_encoded_once),
        GALLERY_TEST(new_changed_and_deleted_pictures),
        GALLERY_TEST(a_moved_picture_keeps_its_embedding),
        GALLERY_TEST(an_unreadable_picture_shifts_no_other),
        GALLERY_TEST(another_model_encodes_all_again),
        GALLERY_TEST(the_index_of_another_model_is_not_loaded),
        GALLERY_TEST(an_interrupted_update_goes_on),
        GALLERY_TEST(a_killed_writer_leaves_the_index_whole),
        GALLERY_TEST(a_damaged_index_is_refused_and_can_be_rebuilt),
        GALLERY_TEST(an_embedding_of_the_wrong_size_is_refused),
        GALLERY_TEST(a_database_of_another_program_is_left_alone),
        GALLERY_TEST(a_gallery_without_pictures_is_an_error),
    };
    return cmocka_run_group_tests(tests, open_world, close_world);
}
