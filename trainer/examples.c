#include "trainer/examples.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { ASKED = 6, BEST = 4 };

/* Where answers are looked for. */
struct side {
    const char *key;
    const float *rows;        // [count, dim]
    const char *const *names; // [count]
    const int *owner_of;      // [count], the photo that each row belongs to; NULL: its own number
    int count, dim;
};

static bool is_right(const struct side *side, int row, int photo)
{
    return (side->owner_of ? side->owner_of[row] : row) == photo;
}

static void score_all(float *scores, const float *query, const struct side *side)
{
    for (int row = 0; row < side->count; row++) {
        double sum = 0;
        for (int j = 0; j < side->dim; j++)
            sum += (double)query[j] * (double)side->rows[(size_t)row * (size_t)side->dim + (size_t)j];
        scores[row] = isnan(sum) ? -INFINITY : (float)sum;
    }
}

/* From 1. A wrong answer with the score of the right one stands before it, as in models/metrics.h. */
static int rank_of_right(const float *scores, const struct side *side, int photo)
{
    float right = -INFINITY;
    int rank = 1;
    for (int row = 0; row < side->count; row++)
        if (is_right(side, row, photo) && scores[row] > right)
            right = scores[row];
    for (int row = 0; row < side->count; row++)
        rank += !is_right(side, row, photo) && scores[row] >= right;
    return rank;
}

static bool is_shown(const json_t *found, const char *key, const char *name)
{
    for (size_t i = 0; i < json_array_size(found); i++)
        if (strcmp(json_text_or(json_array_get(found, i), key, ""), name) == 0)
            return true;
    return false;
}

/* The best answers in order; `scores` is used up. */
static json_t *best_answers(float *scores, const struct side *side, int photo)
{
    json_t *found = json_array();
    for (int tried = 0; tried < side->count && json_array_size(found) < BEST; tried++) {
        int best = 0;
        for (int row = 1; row < side->count; row++)
            if (scores[row] > scores[best])
                best = row;
        if (scores[best] == -INFINITY)
            break;
        if (!is_shown(found, side->key, side->names[best]))
            json_array_append_new(found, json_pack("{s:s, s:f, s:b}", side->key, side->names[best], "score",
                                                   (double)scores[best], "right", is_right(side, best, photo)));
        scores[best] = -INFINITY;
    }
    return found;
}

/* query [dim], of `photo`. */
static json_t *ask(const char *key, const char *name, const float *query, int photo, const struct side *side)
{
    float *scores = mem_new((size_t)side->count, sizeof *scores); // [count]
    score_all(scores, query, side);
    int rank = rank_of_right(scores, side, photo);
    json_t *answer = json_pack("{s:s, s:i, s:o}", key, name, "rank", rank, "found", best_answers(scores, side, photo));
    free(scores);
    return answer;
}

json_t *examples_find(const struct examples_of *of)
{
    const struct side captions = {"text", of->texts, of->captions, of->photo_of, of->caption_count, of->dim};
    const struct side photos = {"photo", of->images, of->photo_names, NULL, of->photos, of->dim};
    json_t *by_photo = json_array(), *by_caption = json_array();
    int asked = of->photos < ASKED ? of->photos : ASKED;
    for (int i = 0; i < asked; i++) {
        int photo = (int)((long)i * of->photos / asked), other = (int)((2L * i + 1) * of->photos / (2L * asked));
        int caption = of->first_text[other];
        json_array_append_new(by_photo, ask("photo", of->photo_names[photo],
                                            of->images + (size_t)photo * (size_t)of->dim, photo, &captions));
        json_array_append_new(by_caption, ask("text", of->captions[caption],
                                              of->texts + (size_t)caption * (size_t)of->dim, other, &photos));
    }
    json_t *examples = json_pack("{s:o, s:o}", "photos", by_photo, "captions", by_caption);
    CHECK(examples, "cannot make examples");
    return examples;
}
