/* Approximate search: what its index serves for, when it is made anew, and that its scores are exact. */
#include "runtime/device.h"
#include "runtime/util/random.h"
#include "tests/scratch.h"
#include "third_party/faiss_index.h"
#include "tools/ann.h"
#include "tools/finder.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { ROWS = 3000, DIM = 32, FEW = 20 };
static const struct ann_options always = {.wanted = true, .from = 1};

struct world {
    struct device *dev;
    char *folder, *path;
    float *rows; // [ROWS, DIM], photo i's
    struct error err;
};

static int open_world(void **state)
{
    struct world *w = mem_new(1, sizeof *w);
    struct random random = random_begin(1);
    if (device_open(&w->dev, "auto", &w->err) != 0)
        return -1;
    w->rows = mem_new((size_t)ROWS * DIM, sizeof *w->rows);
    random_fill_normal(w->rows, &random, (size_t)ROWS * DIM);
    for (size_t i = 0; i < ROWS; i++) {
        float *row = w->rows + i * DIM, length = sqrtf(hits_score(row, row, DIM));
        for (size_t j = 0; j < DIM; j++)
            row[j] /= length;
    }
    *state = w;
    return 0;
}

static int close_world(void **state)
{
    struct world *w = *state;
    device_close(w->dev);
    free(w->rows);
    free(w);
    return 0;
}

static int open_folder(void **state)
{
    struct world *w = *state;
    w->folder = scratch_new();
    w->path = mem_format("%s/x.ann", w->folder);
    return 0;
}

static int close_folder(void **state)
{
    struct world *w = *state;
    scratch_free(w->folder);
    free(w->path);
    return 0;
}

/* Of these photos, in this order. */
static struct gallery gallery_of(const struct world *w, const size_t *photos, size_t n)
{
    struct gallery gallery = {.dim = DIM,
                              .photos = mem_new(n, sizeof *gallery.photos),
                              .rows = mem_new(n * DIM, sizeof *gallery.rows),
                              .readable = n};
    for (size_t i = 0; i < n; i++) {
        char *name = mem_format("%zu.jpg", photos[i]);
        string_list_add(&gallery.paths, name);
        free(name);
        gallery.photos[i].hash = (struct hash){photos[i] % 7, photos[i]};
        memcpy(gallery.rows + i * DIM, w->rows + photos[i] * DIM, DIM * sizeof *gallery.rows);
    }
    return gallery;
}

/* The photos from `first` on, the last one first. */
static struct gallery gallery_from(const struct world *w, size_t first, size_t n)
{
    size_t *photos = mem_new(n, sizeof *photos);
    for (size_t i = 0; i < n; i++)
        photos[i] = first + n - 1 - i;
    struct gallery gallery = gallery_of(w, photos, n);
    free(photos);
    return gallery;
}

static struct ann *open_ann(struct world *w, const struct gallery *gallery)
{
    struct ann *ann;
    if (ann_open(&ann, gallery, w->path, &always, true, &w->err) != 0)
        fail_msg("%s", w->err.text);
    return ann;
}

static ino_t file_number(const struct world *w)
{
    struct stat status;
    assert_int_equal(stat(w->path, &status), 0);
    return status.st_ino;
}

/* Every row asked for is among what the index proposes for it, and nothing is proposed twice or beyond the gallery. */
static void assert_proposes(struct ann *ann, const struct gallery *gallery)
{
    size_t n = gallery->paths.count;
    bool *seen = mem_new(n, sizeof *seen);
    for (size_t r = 0; r < n; r += 13) {
        size_t count;
        const size_t *rows = ann_candidates(&count, ann, gallery->rows + r * DIM, FEW);
        assert_non_null(rows);
        assert_true(count >= FEW);
        memset(seen, 0, n * sizeof *seen);
        for (size_t i = 0; i < count; i++) {
            assert_true(rows[i] < n);
            assert_false(seen[rows[i]]);
            seen[rows[i]] = true;
        }
        assert_true(seen[r]);
    }
    free(seen);
}

/* Opens the index for the gallery, and says whether the file was made anew. */
static bool is_made_anew(struct world *w, struct gallery gallery)
{
    ino_t before = file_number(w);
    struct ann *ann = open_ann(w, &gallery);
    assert_non_null(ann);
    assert_proposes(ann, &gallery);
    ann_close(ann);
    gallery_free(&gallery);
    return file_number(w) != before;
}

static void make_first(struct world *w, struct gallery gallery)
{
    struct ann *ann = open_ann(w, &gallery);
    assert_proposes(ann, &gallery);
    ann_close(ann);
    gallery_free(&gallery);
}

static void an_index_serves_until_much_is_new(void **state)
{
    struct world *w = *state;
    make_first(w, gallery_from(w, 0, 2500));
    assert_false(is_made_anew(w, gallery_from(w, 0, 2500)));
    assert_false(is_made_anew(w, gallery_from(w, 500, 2000))); /* a fifth gone */
    assert_false(is_made_anew(w, gallery_from(w, 25, 2500)));  /* a hundredth new */
    assert_true(is_made_anew(w, gallery_from(w, 300, 2700)));  /* more than that */
    assert_false(is_made_anew(w, gallery_from(w, 300, 2700)));
}

static void copies_are_proposed_each(void **state)
{
    struct world *w = *state;
    size_t photos[1000];
    for (size_t i = 0; i < 1000; i++)
        photos[i] = i / 2;
    make_first(w, gallery_of(w, photos, 1000));
    assert_false(is_made_anew(w, gallery_of(w, photos, 1000)));
    assert_false(is_made_anew(w, gallery_of(w, photos, 999))); /* the last copy is gone */
}

static void few_or_filtered_pictures_are_searched_exactly(void **state)
{
    struct world *w = *state;
    struct gallery gallery = gallery_from(w, 0, 500);
    struct ann *ann;
    assert_int_equal(ann_open(&ann, &gallery, w->path, &(struct ann_options){.from = 501}, true, &w->err), 0);
    assert_null(ann);
    gallery.readable = 501;
    assert_null(open_ann(w, &gallery));
    assert_int_not_equal(access(w->path, F_OK), 0); /* an index of a part would be no use */
    gallery.readable = 500;
    ann = open_ann(w, &gallery);
    size_t count;
    assert_null(ann_candidates(&count, ann, gallery.rows, 500)); /* as many as there are */
    ann_close(ann);
    gallery_free(&gallery);
}

/* What is not as it was written is not read. */
static void a_damaged_file_is_made_anew(void **state)
{
    struct world *w = *state;
    char *bytes;
    size_t size;
    make_first(w, gallery_from(w, 0, 300));
    assert_int_equal(file_read(&bytes, &size, w->path, 1 << 24, &w->err), 0);
    const size_t sizes[] = {0, 7, 30, size / 2, size - 1, size};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        bytes[size / 2] ^= (char)(sizes[i] == size); /* the last one is whole, but for a bit */
        free(scratch_file(w->folder, "x.ann", bytes, sizes[i]));
        assert_true(is_made_anew(w, gallery_from(w, 0, 300)));
    }
    free(bytes);
    assert_false(is_made_anew(w, gallery_from(w, 0, 300)));
}

static void scores_are_exact_and_filters_right(void **state)
{
    struct world *w = *state;
    struct gallery gallery = gallery_from(w, 0, ROWS);
    struct ann *ann = open_ann(w, &gallery);
    struct collection pictures;
    collection_fill(&pictures, w->dev, &gallery.paths, NULL, gallery.rows, DIM, NULL);
    free(gallery.photos);
    bool *only = mem_new(ROWS, sizeof *only);
    struct found exact[2], found[2];
    for (size_t i = 0; i < ROWS; i += 40)
        only[i] = true;
    const struct wish wishes[] = {
        {.row = w->rows, .top = 10, .least = -1},
        {.row = w->rows, .top = 10, .least = -1, .only = only, .only_count = ROWS / 40},
    };
    assert_int_equal(finder_run_many(exact, &pictures, wishes, 2, &w->err), 0);
    search_use_ann(pictures.search, ann);
    assert_int_equal(finder_run_many(found, &pictures, wishes, 2, &w->err), 0);
    for (size_t q = 0; q < 2; q++) {
        assert_int_equal(found[q].count, 10);
        for (size_t i = 0; i < 10; i++) {
            const struct finding *item = &found[q].items[i];
            float score = hits_score(w->rows + (ROWS - 1 - item->row) * DIM, w->rows, DIM);
            assert_true(fabsf(item->score - score) < 1e-6f);
            assert_true(q == 0 || only[item->row]);
            assert_true(q == 0 || item->row == exact[q].items[i].row); /* so few are searched exactly */
        }
        found_free(&exact[q]);
        found_free(&found[q]);
    }
    free(only);
    collection_free(&pictures);
}

#define ANN_TEST(test) cmocka_unit_test_setup_teardown(test, open_folder, close_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ANN_TEST(an_index_serves_until_much_is_new),
        ANN_TEST(copies_are_proposed_each),
        ANN_TEST(few_or_filtered_pictures_are_searched_exactly),
        ANN_TEST(a_damaged_file_is_made_anew),
        ANN_TEST(scores_are_exact_and_filters_right),
    };
    if (!faiss_index_built()) {
        puts("built without faiss");
        return 77;
    }
    return cmocka_run_group_tests(tests, open_world, close_world);
}
