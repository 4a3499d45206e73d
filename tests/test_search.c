/* Search against brute force, recall and accuracy against cases worked out by hand. Numbers are small integers where
 * sums must be exact on every device, so that ties are true ties. */
#include "models/metrics.h"
#include "runtime/util/random.h"
#include "tests/op_check.h"
#include "tools/search.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static float *small_integers(size_t count, uint64_t seed)
{
    struct random random = random_begin(seed);
    float *numbers = mem_new(count, sizeof *numbers);
    for (size_t i = 0; i < count; i++)
        numbers[i] = (float)random_below(&random, 5) - 2;
    return numbers;
}

static float exact_dot(const float *a, const float *b, size_t dim)
{
    double sum = 0;
    for (size_t j = 0; j < dim; j++)
        sum += (double)a[j] * (double)b[j];
    return (float)sum;
}

static int by_score_then_row(const void *a, const void *b)
{
    const struct hit *x = a, *y = b;
    if (x->score != y->score)
        return x->score < y->score ? 1 : -1;
    return x->row > y->row ? 1 : -1;
}

static void search_case(struct device *dev, size_t n, size_t dim, size_t q, size_t k)
{
    struct error err;
    float *rows = small_integers(n * dim, n), *queries = small_integers(q * dim, 3);
    struct search *search = search_open(dev, rows, n, dim);
    struct hit *hits = mem_new(q * k, sizeof *hits), *all = mem_new(n, sizeof *all);
    for (int run = 0; run < 2; run++) {
        assert_int_equal(search_run(hits, search, queries, q, k, &err), 0);
        for (size_t i = 0; i < q; i++) {
            for (size_t r = 0; r < n; r++)
                all[r] = (struct hit){r, exact_dot(queries + i * dim, rows + r * dim, dim)};
            qsort(all, n, sizeof *all, by_score_then_row);
            for (size_t h = 0; h < k; h++) {
                assert_int_equal(hits[i * k + h].row, all[h].row);
                assert_true(hits[i * k + h].score == all[h].score);
            }
        }
    }
    search_close(search);
    free(rows);
    free(queries);
    free(hits);
    free(all);
}

static void search_on(struct device *dev)
{
    static const struct {
        size_t n, dim, q, k;
    } cases[] = {{1, 1, 1, 1},    {7, 3, 2, 7},      {200, 2, 3, 1},
                 {257, 31, 5, 9}, {300, 64, 130, 4}, {4200, 4096, 1, 10} /* more than one part */};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        search_case(dev, cases[i].n, cases[i].dim, cases[i].q, cases[i].k);
}

static void search_finds_what_brute_force_finds(void **state)
{
    (void)state;
    for_each_device(search_on);
}

/* ---- recall ---- */

enum { AXES = 12 };

/* Unit vectors along the axes: row i scores 1 with row i and 0 with all others. */
static void fill_axes(float rows[AXES * AXES])
{
    memset(rows, 0, AXES * AXES * sizeof *rows);
    for (int i = 0; i < AXES; i++)
        rows[i * AXES + i] = 1;
}

static void assert_recall(const double *recall, double at1, double at5, double at10)
{
    assert_true(fabs(recall[RECALL_AT_1] - at1) < 1e-12);
    assert_true(fabs(recall[RECALL_AT_5] - at5) < 1e-12);
    assert_true(fabs(recall[RECALL_AT_10] - at10) < 1e-12);
}

static void recall_of_right_pairs_is_one(void **state)
{
    (void)state;
    struct recall recall;
    float rows[AXES * AXES];
    int photo_of[AXES];
    fill_axes(rows);
    for (int i = 0; i < AXES; i++)
        photo_of[i] = i;
    recall_measure(&recall, rows, rows, photo_of, AXES, AXES, AXES);
    assert_recall(recall.image_to_text, 1, 1, 1);
    assert_recall(recall.text_to_image, 1, 1, 1);
}

static void ties_and_nan_count_against_the_model(void **state)
{
    (void)state;
    struct recall recall;
    float rows[AXES * AXES];
    int photo_of[AXES];
    fill_axes(rows);
    for (int i = 0; i < AXES; i++)
        photo_of[i] = (i + 1) % AXES; /* the right one scores 0, as do ten wrong ones */
    recall_measure(&recall, rows, rows, photo_of, AXES, AXES, AXES);
    assert_recall(recall.text_to_image, 0, 0, 0);
    static const float unusable[] = {1, NAN};
    for (int c = 0; c < 2; c++) {
        for (int i = 0; i < AXES * AXES; i++)
            rows[i] = unusable[c];
        recall_measure(&recall, rows, rows, photo_of, AXES, AXES, AXES);
        assert_recall(recall.image_to_text, 0, 0, 0);
        assert_recall(recall.text_to_image, 0, 0, 0);
    }
}

static void a_photo_is_found_by_its_best_caption(void **state)
{
    (void)state;
    /* Photo 0 looks along x, photo 1 along y; photo 2 has no caption and looks like nothing. */
    static const float images[] = {1, 0, 0, 1, -1, -1};
    static const float texts[] = {0, 2, 3, 0, 0, 1};
    static const int photo_of[] = {0, 0, 1}; /* the first caption of photo 0 is wrong about it */
    struct recall recall;
    recall_measure(&recall, images, texts, photo_of, 3, 3, 2);
    assert_recall(recall.image_to_text, 0.5, 1, 1); /* photo 1 meets the wrong caption first */
    assert_recall(recall.text_to_image, 2.0 / 3, 1, 1);
}

static void recall_agrees_with_counting(void **state)
{
    (void)state;
    enum { PHOTOS = 37, CAPTIONS = 91, DIM = 19 };
    float *images = small_integers(PHOTOS * DIM, 1), *texts = small_integers(CAPTIONS * DIM, 2);
    int photo_of[CAPTIONS], found[RECALLS] = {0};
    struct random random = random_begin(5);
    for (int t = 0; t < CAPTIONS; t++)
        photo_of[t] = (int)random_below(&random, PHOTOS);
    for (int t = 0; t < CAPTIONS; t++) {
        int before = 0;
        float right = exact_dot(images + photo_of[t] * DIM, texts + t * DIM, DIM);
        for (int i = 0; i < PHOTOS; i++)
            before += i != photo_of[t] && exact_dot(images + i * DIM, texts + t * DIM, DIM) >= right;
        for (int k = 0; k < RECALLS; k++)
            found[k] += before < recall_at[k];
    }
    struct recall recall;
    recall_measure(&recall, images, texts, photo_of, PHOTOS, CAPTIONS, DIM);
    assert_recall(recall.text_to_image, found[0] / (double)CAPTIONS, found[1] / (double)CAPTIONS,
                  found[2] / (double)CAPTIONS);
    assert_true(found[0] > 0 && found[0] < found[2]);
    free(images);
    free(texts);
}

static void accuracy_by_hand(void **state)
{
    (void)state;
    float classes[AXES * AXES];
    fill_axes(classes);
    float images[4 * AXES] = {0};
    const int label_of[] = {0, 0, 0, 3};
    images[0] = 1;           /* class 0, right */
    images[AXES + 0] = 0.5f; /* class 0 comes second */
    images[AXES + 7] = 0.75f;
    for (int c = 1; c < 8; c++) /* seven classes stand before class 0 */
        images[2 * AXES + c] = 1;
    images[3 * AXES + 3] = 1; /* class 3, right */
    struct accuracy accuracy;
    accuracy_measure(&accuracy, images, classes, label_of, 4, AXES, AXES);
    assert_true(fabs(accuracy.top1 - 0.5) < 1e-12);
    assert_true(fabs(accuracy.top5 - 0.75) < 1e-12);
    assert_true(fabs(accuracy.mean_per_class_recall - (1.0 / 3 + 1) / 2) < 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(search_finds_what_brute_force_finds),  cmocka_unit_test(recall_of_right_pairs_is_one),
        cmocka_unit_test(ties_and_nan_count_against_the_model), cmocka_unit_test(a_photo_is_found_by_its_best_caption),
        cmocka_unit_test(recall_agrees_with_counting),          cmocka_unit_test(accuracy_by_hand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
