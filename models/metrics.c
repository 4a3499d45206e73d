#include "models/metrics.h"

#include "runtime/util/error.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

const int recall_at[RECALLS] = {1, 5, 10};

/* So many captions stay in the processor's cache while all photos pass by. */
enum { BLOCK = 32, LANES = 8 };

/* Always sums in the same order: equal rows tie exactly. */
static float dot(const float *a, const float *b, size_t dim)
{
    float sums[LANES] = {0}, rest = 0;
    size_t j = 0;
    for (; j + LANES <= dim; j += LANES)
        for (size_t lane = 0; lane < LANES; lane++)
            sums[lane] += a[j + lane] * b[j + lane];
    for (; j < dim; j++)
        rest += a[j] * b[j];
    return ((sums[0] + sums[4]) + (sums[1] + sums[5])) + ((sums[2] + sums[6]) + (sums[3] + sums[7])) + rest;
}

/* True for a tie and for NaN, too. */
static bool stands_before(float wrong, float right)
{
    return !(wrong < right);
}

/* For every caption the score of its own photo, and for every photo that of its best caption. */
static void score_right_pairs(float *text_right, float *image_right, const float *images, const float *texts,
                              const int *photo_of, size_t photos, size_t captions, size_t dim)
{
    for (size_t i = 0; i < photos; i++)
        image_right[i] = -INFINITY;
    for (size_t t = 0; t < captions; t++) {
        size_t photo = (size_t)photo_of[t];
        text_right[t] = dot(images + photo * dim, texts + t * dim, dim);
        if (!(text_right[t] <= image_right[photo]))
            image_right[photo] = text_right[t];
    }
}

/* The part of `ranks` (wrong answers before the right one) below each k. */
static void fill_recall(double recall[RECALLS], const size_t *ranks, const bool *counts, size_t n)
{
    size_t asked = 0, found[RECALLS] = {0};
    for (size_t i = 0; i < n; i++) {
        if (counts && !counts[i])
            continue;
        asked++;
        for (int k = 0; k < RECALLS; k++)
            found[k] += ranks[i] < (size_t)recall_at[k];
    }
    for (int k = 0; k < RECALLS; k++)
        recall[k] = asked ? (double)found[k] / (double)asked : 0;
}

void recall_measure(struct recall *recall, const float *images, const float *texts, const int *photo_of, size_t photos,
                    size_t captions, size_t dim)
{
    float *text_right = mem_new(captions, sizeof *text_right), *image_right = mem_new(photos, sizeof *image_right);
    size_t *text_rank = mem_new(captions, sizeof *text_rank), *image_rank = mem_new(photos, sizeof *image_rank);
    bool *has_caption = mem_new(photos, sizeof *has_caption);
    for (size_t t = 0; t < captions; t++) {
        CHECK(photo_of[t] >= 0 && (size_t)photo_of[t] < photos, "caption %zu: no photo %d", t, photo_of[t]);
        has_caption[photo_of[t]] = true;
    }
    score_right_pairs(text_right, image_right, images, texts, photo_of, photos, captions, dim);
    for (size_t block = 0; block < captions; block += BLOCK) {
        size_t end = block + BLOCK < captions ? block + BLOCK : captions;
        for (size_t i = 0; i < photos; i++) {
            for (size_t t = block; t < end; t++) {
                if ((size_t)photo_of[t] == i)
                    continue;
                float wrong = dot(images + i * dim, texts + t * dim, dim);
                text_rank[t] += stands_before(wrong, text_right[t]);
                image_rank[i] += stands_before(wrong, image_right[i]);
            }
        }
    }
    fill_recall(recall->text_to_image, text_rank, NULL, captions);
    fill_recall(recall->image_to_text, image_rank, has_caption, photos);
    free(text_right);
    free(image_right);
    free(text_rank);
    free(image_rank);
    free(has_caption);
}

/* How many wrong classes stand before the right one. */
static size_t rank_of_label(const float *image, const float *class_rows, size_t label, size_t classes, size_t dim)
{
    float right = dot(image, class_rows + label * dim, dim);
    size_t rank = 0;
    for (size_t c = 0; c < classes; c++)
        rank += c != label && stands_before(dot(image, class_rows + c * dim, dim), right);
    return rank;
}

void accuracy_measure(struct accuracy *accuracy, const float *images, const float *class_rows, const int *label_of,
                      size_t photos, size_t classes, size_t dim)
{
    size_t *asked = mem_new(classes, sizeof *asked), *found = mem_new(classes, sizeof *found); // [classes]
    size_t top1 = 0, top5 = 0, present = 0;
    double recalls = 0;
    for (size_t i = 0; i < photos; i++) {
        CHECK(label_of[i] >= 0 && (size_t)label_of[i] < classes, "photo %zu: no class %d", i, label_of[i]);
        size_t label = (size_t)label_of[i], rank = rank_of_label(images + i * dim, class_rows, label, classes, dim);
        asked[label]++;
        found[label] += rank < 1;
        top1 += rank < 1;
        top5 += rank < 5;
    }
    for (size_t c = 0; c < classes; c++) {
        present += asked[c] > 0;
        recalls += asked[c] ? (double)found[c] / (double)asked[c] : 0;
    }
    *accuracy = (struct accuracy){
        .top1 = photos ? (double)top1 / (double)photos : 0,
        .top5 = classes < 5 ? (double)NAN
                : photos    ? (double)top5 / (double)photos
                            : 0,
        .mean_per_class_recall = present ? recalls / (double)present : 0,
    };
    free(asked);
    free(found);
}
