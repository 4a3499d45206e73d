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

/* Searches for the best k, twice, and compares with sorting all rows. */
static void assert_best(struct search *search, const float *rows, size_t n, size_t dim, const float *queries, size_t q,
                        size_t k)
{
    struct error err;
    struct hit *hits = mem_new(q * k, sizeof *hits), *all = mem_new(n, sizeof *all);
    for (int run = 0; run < 2; run++) {
        assert_int_equal(search_run(hits, search, queries, q, k, &err), 0);
        for (size_t i = 0; i < q; i++) {
            for (size_t r = 0; r < n; r++) {
                float score = exact_dot(queries + i * dim, rows + r * dim, dim);
                all[r] = (struct hit){r, isnan(score) ? -INFINITY : score};
            }
            qsort(all, n, sizeof *all, by_score_then_row);
            for (size_t h = 0; h < k; h++) {
                assert_int_equal(hits[i * k + h].row, all[h].row);
                assert_true(hits[i * k + h].score == all[h].score);
            }
        }
    }
    free(hits);
    free(all);
}

static void search_case(struct device *dev, size_t n, size_t dim, size_t q, size_t k)
{
    float *rows = small_integers(n * dim, n), *queries = small_integers(q * dim, 3);
    struct search *search = search_open(dev, rows, n, dim);
    search_prepare(search);
    assert_best(search, rows, n, dim, queries, q, k);
    search_close(search);
    free(rows);
    free(queries);
}

static void search_on(struct device *dev)
{
    static const struct {
        size_t n, dim, q, k;
    } cases[] = {{1, 1, 1, 1},     {7, 3, 2, 7},      {200, 2, 3, 1},
                 {257, 31, 5, 9},  {300, 64, 130, 4}, {4200, 4096, 1, 10} /* more than one part */,
                 {8209, 131, 3, 5}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        search_case(dev, cases[i].n, cases[i].dim, cases[i].q, cases[i].k);
}

static void search_finds_what_brute_force_finds(void **state)
{
    (void)state;
    for_each_device(search_on);
}

/* ---- rows that codes could get wrong ---- */

enum { HARD_ROWS = 8209, HARD_DIM = 131 }; /* primes; enough numbers for codes */

/* All of these keep sums exact: integers, times a power of two that is the same throughout a row. */
static void fill_clustered(float *row, struct random *random, size_t r) /* neighbours differ by one here and there */
{
    struct random centre = random_begin(r / 1500);
    for (int i = 0; i < HARD_DIM; i++)
        row[i] = (float)random_below(&centre, 201) - 100 + (float)(random_below(random, 16) == 0);
}

static void fill_with_outlier(float *row, struct random *random, size_t r) /* its step swallows all other numbers */
{
    for (int i = 0; i < HARD_DIM; i++)
        row[i] = (float)random_below(random, 17) - 8;
    row[r % 3] = 32768;
}

/* To a query of ones: codes are off by nearly all they can be, down for the few best rows and up for the others. Every
 * other row is turned round, so that the centre is near zero. */
static void fill_misleading(float *row, struct random *random, size_t r)
{
    for (int i = 1; i < HARD_DIM; i++)
        row[i] = r % 900 == 5 ? 15 : i <= 100 ? 17 : 0;
    row[0] = 127 * 32; /* so that the step is 32 */
    row[HARD_DIM - 1] -= (float)random_below(random, 3);
    for (int i = 0; i < HARD_DIM && r % 2 == 0; i++)
        row[i] = -row[i];
}

static void fill_scaled(float *row, struct random *random, size_t r) /* too long for bounds, too short for codes */
{
    (void)r;
    int exponent = (int)random_below(random, 161) - 80;
    for (int i = 0; i < HARD_DIM; i++)
        row[i] = ldexpf((float)random_below(random, 17) - 8, exponent);
}

static void fill_short(float *row, struct random *random, size_t r)
{
    (void)r;
    for (int i = 0; i < HARD_DIM; i++)
        row[i] = ldexpf((float)random_below(random, 17) - 8, -100);
}

static void fill_mostly_zero(float *row, struct random *random, size_t r)
{
    memset(row, 0, HARD_DIM * sizeof *row);
    if (r % 1000 == 999)
        row[random_below(random, HARD_DIM)] = 1;
}

static void fill_equal(float *row, struct random *random, size_t r)
{
    (void)random;
    (void)r;
    for (int i = 0; i < HARD_DIM; i++)
        row[i] = (float)(i % 7);
}

static void fill_unusable(float *row, struct random *random, size_t r)
{
    static const float unusable[] = {NAN, INFINITY, -INFINITY};
    for (int i = 0; i < HARD_DIM; i++)
        row[i] = (float)random_below(random, 5) - 2;
    if (r % 400 < 3)
        row[random_below(random, HARD_DIM)] = unusable[r % 400];
}

static void fill_nan(float *row, struct random *random, size_t r)
{
    for (int i = 0; i < HARD_DIM; i++)
        row[i] = r % 2000 == 7 ? (float)random_below(random, 5) : NAN;
}

static void hard_rows_on(struct device *dev)
{
    static void (*const fills[])(float *row, struct random *random, size_t r) = {
        fill_clustered,   fill_misleading, fill_with_outlier, fill_scaled, fill_short,
        fill_mostly_zero, fill_equal,      fill_unusable,     fill_nan};
    static const size_t ks[] = {1, 10, 32, 33 /* more than a quarter of the slices */};
    float *rows = mem_new((size_t)HARD_ROWS * HARD_DIM, sizeof *rows); // [HARD_ROWS, HARD_DIM]
    float *queries = small_integers(3 * HARD_DIM, 11);                 // [3, HARD_DIM], the last all ones
    for (int i = 0; i < HARD_DIM; i++)
        queries[2 * HARD_DIM + i] = 1;
    for (size_t f = 0; f < sizeof fills / sizeof *fills; f++) {
        struct random random = random_begin(f);
        for (size_t r = 0; r < HARD_ROWS; r++)
            fills[f](rows + r * HARD_DIM, &random, r);
        struct search *search = search_open(dev, rows, HARD_ROWS, HARD_DIM);
        search_prepare(search);
        for (size_t i = 0; i < sizeof ks / sizeof *ks; i++)
            assert_best(search, rows, HARD_ROWS, HARD_DIM, queries, 3, ks[i]);
        search_close(search);
    }
    free(rows);
    free(queries);
}

static void search_is_exact_on_hard_rows(void **state)
{
    (void)state;
    for_each_device(hard_rows_on);
}

static void hard_queries_on(struct device *dev)
{
    static const float factors[] = {0, 0x1p-60f, 0x1p-39f, 0x1p50f, 0x1p70f, NAN, INFINITY};
    float *rows = small_integers((size_t)HARD_ROWS * HARD_DIM, 5); // [HARD_ROWS, HARD_DIM]
    struct search *search = search_open(dev, rows, HARD_ROWS, HARD_DIM);
    search_prepare(search);
    for (size_t f = 0; f < sizeof factors / sizeof *factors; f++) {
        float *query = small_integers(HARD_DIM, 6);
        for (int i = 0; i < HARD_DIM; i++)
            query[i] *= factors[f];
        assert_best(search, rows, HARD_ROWS, HARD_DIM, query, 1, 10);
        free(query);
    }
    search_close(search);
    free(rows);
}

static void search_is_exact_for_hard_queries(void **state)
{
    (void)state;
    for_each_device(hard_queries_on);
}

/* Where sums are rounded: all rows are scored when k is large, few when it is small; the best must be the same to the
 * last bit. Unit rows, as embeddings are, near each other. */
static void rounded_sums_on(struct device *dev)
{
    enum { N = 20011, DIM = 100, FEW = 10, MANY = 1000 };
    struct error err;
    struct random random = random_begin(9);
    float *rows = mem_new(N * DIM, sizeof *rows); // [N, DIM]
    random_fill_normal(rows, &random, N * DIM);
    for (size_t r = 0; r < N; r++) {
        float squares = 0;
        for (size_t i = r * DIM; i < (r + 1) * DIM; i++) {
            rows[i] += (i % DIM == 3 ? 5.0f : 0.1f);
            squares += rows[i] * rows[i];
        }
        for (size_t i = r * DIM; i < (r + 1) * DIM; i++)
            rows[i] /= sqrtf(squares);
    }
    struct search *search = search_open(dev, rows, N, DIM); /* the first of the few is asked without codes */
    struct hit *few = mem_new(FEW, sizeof *few), *many = mem_new(MANY, sizeof *many);
    for (size_t query = 0; query < 20; query++) {
        const float *row = rows + query * 997 * DIM;
        assert_int_equal(search_run(few, search, row, 1, FEW, &err), 0);
        assert_int_equal(search_run(many, search, row, 1, MANY, &err), 0);
        assert_int_equal(few[0].row, query * 997);
        for (size_t h = 0; h < FEW; h++) {
            assert_int_equal(few[h].row, many[h].row);
            assert_true(few[h].score == many[h].score);
        }
    }
    search_close(search);
    free(rows);
    free(few);
    free(many);
}

static void codes_change_no_answer(void **state)
{
    (void)state;
    for_each_device(rounded_sums_on);
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
    accuracy_measure(&accuracy, images, classes, label_of, 4, 4, AXES);
    assert_true(accuracy.top1 > 0 && isnan(accuracy.top5));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(search_is_exact_on_hard_rows),
        cmocka_unit_test(search_is_exact_for_hard_queries),
        cmocka_unit_test(codes_change_no_answer),
        cmocka_unit_test(search_finds_what_brute_force_finds),
        cmocka_unit_test(recall_of_right_pairs_is_one),
        cmocka_unit_test(ties_and_nan_count_against_the_model),
        cmocka_unit_test(a_photo_is_found_by_its_best_caption),
        cmocka_unit_test(recall_agrees_with_counting),
        cmocka_unit_test(accuracy_by_hand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
