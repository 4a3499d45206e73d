/* What happens to an index that is damaged, interrupted, foreign, or where nothing can be written. */
#define _GNU_SOURCE
#include "runtime/util/random.h"
#include "tests/gallery_world.h"
#include "tests/scratch.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void an_interrupted_update_goes_on(void **state)
{
    struct world *w = *state;
    world_expect(w, w->model, WORLD_PICTURES, WORLD_PICTURES, 0, 0, 0);
    world_meddle(
        w, "DELETE FROM files WHERE CAST(path AS TEXT) IN ('grey.jpg', 'tall.jpg'); "
           "DELETE FROM pictures WHERE id NOT IN (SELECT picture FROM files)"); /* chunks that were never written */
    world_expect(w, w->model, WORLD_PICTURES, 2, 0, 0, 0);
}

static void a_killed_writer_leaves_the_index_whole(void **state)
{
    struct world *w = *state;
    world_expect(w, w->model, WORLD_PICTURES, WORLD_PICTURES, 0, 0, 0);
    pid_t child = fork();
    if (child == 0) {
        sqlite3 *db;
        sqlite3_open(w->file, &db);
        sqlite3_exec(db, "BEGIN IMMEDIATE; UPDATE pictures SET embedding = NULL; DELETE FROM model", NULL, NULL, NULL);
        kill(getpid(), SIGKILL);
    }
    int status;
    waitpid(child, &status, 0);
    assert_true(WIFSIGNALED(status));
    world_expect(w, w->model, WORLD_PICTURES, 0, 0, 0, 0);
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
    world_expect(w, w->model, WORLD_PICTURES, WORLD_PICTURES, 0, 0, 0);
    world_meddle(w, "PRAGMA user_version = 1");
    assert_refused(w, "--rebuild");
    world_meddle(w, "PRAGMA user_version = 99");
    assert_refused(w, "newer oclip");
}

static void a_strangers_file_is_never_removed(void **state)
{
    struct world *w = *state;
    struct index *index;
    char *path = scratch_file(w->gallery, "notes.txt", "dear diary", 10), *text;
    size_t bytes;
    for (int rebuild = 0; rebuild < 2; rebuild++) {
        assert_int_equal(index_open(&index, w->gallery, path, rebuild, &w->err), -1);
        assert_int_equal(w->err.code, EXIT_BAD_DATA);
        assert_int_equal(file_read(&text, &bytes, path, 100, &w->err), 0);
        assert_string_equal(text, "dear diary");
        free(text);
    }
    free(path);
}

/* The row that `gallery` has for the path of row i of `other`, NULL for none. */
static const float *row_of(const struct gallery *gallery, const struct gallery *other, size_t i)
{
    for (size_t g = 0; g < gallery->paths.count; g++)
        if (strcmp(gallery->paths.items[g], other->paths.items[i]) == 0)
            return gallery->rows + g * gallery->dim;
    return NULL;
}

/* Bytes changed, pages zeroed, the end cut off: what still opens and loads has only the rows that were written. */
static void no_damage_gives_a_wrong_row(void **state)
{
    struct world *w = *state;
    struct gallery right, got;
    struct random random = random_begin(3);
    char *file;
    size_t size, refused = 0;
    world_update(w, w->model, &right);
    assert_int_equal(file_read(&file, &size, w->file, 1 << 24, &w->err), 0);
    for (int i = 0; i < 300; i++) {
        char *damaged = mem_new(size, 1);
        memcpy(damaged, file, size);
        for (size_t changes = 1 + random_below(&random, 3); i % 3 == 0 && changes > 0; changes--)
            damaged[random_below(&random, size)] ^= (char)(1 << random_below(&random, 8));
        if (i % 3 == 1)
            memset(damaged + random_below(&random, size / 512) * 512, 0, 512);
        free(scratch_file(w->gallery, ".oclip.sqlite", damaged, i % 3 == 2 ? random_below(&random, size) : size));
        free(damaged);
        struct index *index;
        if (index_open(&index, w->gallery, NULL, false, &w->err) != 0) {
            refused++;
            continue;
        }
        if (index_load(&got, index, w->model, NULL, &w->err) == 0) {
            for (size_t r = 0; r < got.paths.count; r++) {
                const float *row = row_of(&right, &got, r);
                if (row)
                    assert_memory_equal(got.rows + r * got.dim, row, got.dim * sizeof *row);
            }
            gallery_free(&got);
        } else {
            refused++;
        }
        index_close(index);
    }
    assert_true(refused > 100);
    free(file);
    gallery_free(&right);
}

/* As for a reader of somebody else's disk; root may write anywhere, so it becomes nobody for a moment. */
static void an_index_that_cannot_be_written_is_used_as_it_is(void **state)
{
    struct world *w = *state;
    struct index *index;
    struct index_changes changes;
    struct gallery gallery;
    world_expect(w, w->model, WORLD_PICTURES, WORLD_PICTURES, 0, 0, 0);
    assert_int_equal(chmod(w->gallery, 0555) + chmod(w->file, 0444), 0);
    bool is_root = geteuid() == 0;
    assert_int_equal(is_root ? seteuid(65534) : 0, 0);
    int result = index_open(&index, w->gallery, NULL, false, &w->err);
    if (result == 0)
        result = index_update(&changes, index, w->model, &world_options, &w->err);
    if (result == 0)
        result = index_load(&gallery, index, w->model, NULL, &w->err);
    assert_int_equal(is_root ? seteuid(0) : 0, 0);
    chmod(w->gallery, 0755);
    if (result != 0)
        fail_msg("%s", w->err.text);
    assert_true(changes.is_forgotten);
    world_assert_changes(changes, 0, 0, 0);
    assert_int_equal(gallery.paths.count, WORLD_PICTURES);
    gallery_free(&gallery);
    index_close(index);
}

static void a_database_of_another_program_is_left_alone(void **state)
{
    struct world *w = *state;
    world_meddle(w, "CREATE TABLE bookmarks (url)");
    assert_refused(w, "another program");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        GALLERY_TEST(an_interrupted_update_goes_on),
        GALLERY_TEST(a_killed_writer_leaves_the_index_whole),
        GALLERY_TEST(a_damaged_index_is_refused_and_can_be_rebuilt),
        GALLERY_TEST(a_strangers_file_is_never_removed),
        GALLERY_TEST(no_damage_gives_a_wrong_row),
        GALLERY_TEST(an_index_that_cannot_be_written_is_used_as_it_is),
        GALLERY_TEST(a_database_of_another_program_is_left_alone),
    };
    return cmocka_run_group_tests(tests, world_open, world_close);
}
