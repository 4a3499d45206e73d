/* The threshold from unrelated texts, and sums of terms: what is about nothing in the gallery finds nothing. */
#include "runtime/util/random.h"
#include "tests/gallery_world.h"
#include "tests/scratch.h"
#include "tools/calibration.h"
#include "tools/query_rows.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ROWS = 300, PLANTED = 5 };

static float dot(const float *a, const float *b, size_t dim)
{
    float sum = 0;
    for (size_t i = 0; i < dim; i++)
        sum += a[i] * b[i];
    return sum;
}

static void scale(float *row, size_t dim)
{
    float length = sqrtf(dot(row, row, dim));
    for (size_t i = 0; i < dim; i++)
        row[i] /= length;
}

/* [dim]; the caller frees it. */
static float *row_of(struct world *w, const char *words)
{
    struct query query;
    bool bad = true;
    float *row = mem_new((size_t)w->model->embed_dim, sizeof *row);
    if (query_parse(&query, words, &w->err) != 0 ||
        query_rows(row, NULL, &bad, &query, 1, w->model, NULL, &world_options, &w->err) != 0)
        fail_msg("%s", w->err.text);
    assert_false(bad);
    query_free(&query);
    return row;
}

/* Photos of nothing; with `mean`, what texts have in common, one of them is of what the words say beyond that. */
static struct collection make_photos(struct world *w, const char *words, const float *mean)
{
    size_t dim = (size_t)w->model->embed_dim;
    struct collection photos;
    struct string_list names = {0};
    struct random random = random_begin(7);
    float *rows = mem_new(ROWS * dim, sizeof *rows), *right = row_of(w, words);
    random_fill_normal(rows, &random, ROWS * dim);
    for (size_t r = 0; r < ROWS; r++) {
        string_list_add(&names, "photo");
        for (size_t i = 0; i < dim && mean; i++)
            rows[r * dim + i] = r == PLANTED ? right[i] - mean[i] : rows[r * dim + i];
        scale(rows + r * dim, dim);
    }
    collection_fill(&photos, w->dev, &names, NULL, rows, dim, NULL);
    free(right);
    return photos;
}

static struct calibration calibrate(struct world *w, const struct collection *photos)
{
    struct calibration calibration;
    if (calibration_make(&calibration, photos, w->model, &world_options, &w->err) != 0)
        fail_msg("%s", w->err.text);
    return calibration;
}

static struct found search(struct world *w, const struct collection *photos, const struct calibration *calibration,
                           const char *words)
{
    size_t dim = photos->dim;
    struct query query;
    struct found found;
    bool bad;
    float *row = mem_new(dim, sizeof *row), *probe = mem_new(dim, sizeof *probe);
    assert_int_equal(query_parse(&query, words, &w->err), 0);
    assert_int_equal(query_rows(row, probe, &bad, &query, 1, w->model, calibration->mean, &world_options, &w->err), 0);
    struct wish wish = {.row = row, .top = 10, .least = -1, .probe = probe, .evidence = calibration->threshold};
    assert_int_equal(finder_run(&found, photos, &wish, &w->err), 0);
    query_free(&query);
    free(row);
    free(probe);
    return found;
}

static void only_what_is_there_is_found(void **state)
{
    static const char *const absent[] = {
        "a giraffe in a zoo", "quarterly earnings", "a zebra", "an invoice", "a violin", "a kitchen", "a pizza",
        "two dogs",           "a red dress",        "potatoes"};
    struct world *w = *state;
    struct collection nothing = make_photos(w, "a bathroom sink", NULL);
    struct calibration first = calibrate(w, &nothing);
    struct collection photos = make_photos(w, "a bathroom sink", first.mean);
    struct calibration calibration = calibrate(w, &photos), again = calibrate(w, &photos);
    assert_memory_equal(again.mean, first.mean, photos.dim * sizeof *first.mean); /* kept, and the same */
    assert_true(again.threshold == calibration.threshold);
    struct found found = search(w, &photos, &calibration, "a bathroom sink");
    assert_true(found.count >= 1);
    assert_int_equal(found.items[0].row, PLANTED);
    found_free(&found);
    size_t wrong = 0;
    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++) {
        found = search(w, &photos, &calibration, absent[i]);
        wrong += found.count > 0;
        found_free(&found);
    }
    assert_in_range(wrong, 0, 2);
    calibration_free(&first);
    calibration_free(&calibration);
    calibration_free(&again);
    collection_free(&nothing);
    collection_free(&photos);
}

static void terms_add_up_by_weight(void **state)
{
    struct world *w = *state;
    size_t dim = (size_t)w->model->embed_dim;
    char *photo = path_join(w->gallery, "tall.jpg"), *words = mem_format("2:a dog - snow + %s", photo);
    float *dog = row_of(w, "a dog"), *snow = row_of(w, "snow"), *picture = row_of(w, photo), *sum = row_of(w, words);
    for (size_t i = 0; i < dim; i++)
        picture[i] += 2 * dog[i] - snow[i];
    scale(picture, dim);
    for (size_t i = 0; i < dim; i++)
        assert_true(fabsf(picture[i] - sum[i]) < 1e-5f);
    free(dog);
    free(snow);
    free(picture);
    free(sum);
    free(photo);
    free(words);
}

static void queries_without_a_vector_are_bad(void **state)
{
    struct world *w = *state;
    size_t dim = (size_t)w->model->embed_dim;
    struct query queries[3];
    bool bad[3];
    float *rows = mem_new(3 * dim, sizeof *rows);
    char *broken = scratch_file(w->gallery, "broken.jpg", "x", 1), *last = mem_format("a cat + %s", broken);
    const char *const words[] = {"a dog - a dog", "a cat", last};
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(query_parse(&queries[i], words[i], &w->err), 0);
    assert_int_equal(query_rows(rows, NULL, bad, queries, 3, w->model, NULL, &world_options, &w->err), 0);
    assert_true(bad[0] && !bad[1] && bad[2]);
    for (size_t i = 0; i < 3; i++)
        query_free(&queries[i]);
    free(rows);
    free(broken);
    free(last);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        GALLERY_TEST(only_what_is_there_is_found),
        GALLERY_TEST(terms_add_up_by_weight),
        GALLERY_TEST(queries_without_a_vector_are_bad),
    };
    return cmocka_run_group_tests(tests, world_open, world_close);
}
