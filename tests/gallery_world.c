#include "tests/gallery_world.h"

#include "tests/scratch.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

const char *const world_pictures[] = {"grey.jpg", "plain.png", "tall.jpg", "wide.jpg"};
const struct encode_options world_options = {.stage = ENCODE_EMBEDDINGS, .batch_size = 2, .quiet = true};

void world_put(const struct world *w, const char *picture, const char *name)
{
    char *text, *from = mem_format("%s/goldens/images/%s", getenv("OCLIP_TEST_DATA"), picture);
    size_t size;
    struct error err;
    assert_int_equal(file_read(&text, &size, from, 1 << 20, &err), 0);
    free(scratch_file(w->gallery, name, text, size));
    free(text);
    free(from);
}

void world_take_away(const struct world *w, const char *name)
{
    char *path = path_join(w->gallery, name);
    assert_int_equal(remove(path), 0);
    free(path);
}

/* Only a saved model has a fingerprint. */
static struct clip *make_model(struct world *w, const char *name, uint64_t seed)
{
    char *tokenizer = mem_format("%s/goldens/minilm-tokenizer", getenv("OCLIP_TEST_DATA")),
         *folder = path_join(w->models, name);
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

int world_open(void **state)
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

int world_close(void **state)
{
    struct world *w = *state;
    clip_close(w->model);
    clip_close(w->other_model);
    device_close(w->dev);
    scratch_free(w->models);
    free(w);
    return 0;
}

int world_fill_gallery(void **state)
{
    struct world *w = *state;
    w->gallery = scratch_new();
    w->file = path_join(w->gallery, ".oclip.sqlite");
    for (size_t i = 0; i < WORLD_PICTURES; i++)
        world_put(w, world_pictures[i], world_pictures[i]);
    return 0;
}

int world_empty_gallery(void **state)
{
    struct world *w = *state;
    scratch_free(w->gallery);
    free(w->file);
    return 0;
}

/* Updates as a new program would. */
struct index_changes world_update(struct world *w, const struct clip *clip, struct gallery *gallery)
{
    struct index *index;
    struct index_changes changes = {0};
    if (index_open(&index, w->gallery, NULL, false, &w->err) != 0 ||
        index_update(&changes, index, clip, &world_options, &w->err) != 0 ||
        index_load(gallery, index, clip, NULL, &w->err) != 0)
        fail_msg("%s", w->err.text);
    index_close(index);
    return changes;
}

void world_assert_changes(struct index_changes got, size_t encoded, size_t moved, size_t removed)
{
    assert_int_equal(got.encoded, encoded);
    assert_int_equal(got.moved, moved);
    assert_int_equal(got.removed, removed);
}

/* Every row is the embedding of the picture its path names, but for the rounding to half precision. */
static void assert_rows_are_right(const struct gallery *gallery, const struct clip *clip)
{
    size_t n = gallery->paths.count;
    struct error err;
    float *want = mem_new(n * gallery->dim, sizeof *want);
    assert_int_equal(
        encode_images(want, NULL, clip, (const char *const *)gallery->paths.items, n, &world_options, &err), 0);
    for (size_t i = 0; i < n * gallery->dim; i++)
        assert_true(fabsf(want[i] - gallery->rows[i]) < 1e-3f);
    free(want);
}

void world_expect(struct world *w, const struct clip *clip, size_t count, size_t encoded, size_t moved, size_t removed,
                  size_t unreadable)
{
    struct gallery gallery;
    world_assert_changes(world_update(w, clip, &gallery), encoded, moved, removed);
    assert_int_equal(gallery.paths.count, count);
    assert_int_equal(gallery.unreadable, unreadable);
    assert_rows_are_right(&gallery, clip);
    gallery_free(&gallery);
}

/* What another program, or a hard stop, does to the file. */
void world_meddle(const struct world *w, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(w->file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}
