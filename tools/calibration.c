#include "tools/calibration.h"

#include "tools/kept_rows.h"

#include <math.h>
#include <stdlib.h>

/* Far from each other and from what most people photograph most. Changing them changes every default. */
static const char *const unrelated[] = {
    "the rings of Saturn",
    "a page of sheet music",
    "a diagram of the water cycle",
    "rising interest rates",
    "the square root of two",
    "an oil tanker in a storm",
    "a cathedral organ",
    "a court in session",
    "molecules under a microscope",
    "the history of the Roman Empire",
    "a welding torch",
    "a wiring plan",
    "a nuclear power station",
    "a chess endgame",
    "an x-ray of a hand",
    "a satellite image of a hurricane",
    "a volcano erupting at night",
    "an astronaut in space",
    "a penguin on the ice",
    "a camel caravan in the desert",
    "a coral reef under water",
    "a combine harvester",
    "a printed circuit board",
    "a steam locomotive",
    "a hospital operating room",
    "a map of the London underground",
    "a stained glass window",
    "an empty parking garage",
    "a bowl of ramen",
    "a wedding cake",
    "a newborn baby asleep",
    "a football stadium",
    "a snowy mountain peak",
    "a sailing boat at sunset",
    "a cat on a window sill",
    "a horse jumping a fence",
    "people in a business meeting",
    "a crowded subway train",
    "a guitar on stage",
    "a fire engine",
    "a screenshot of a web page",
    "a handwritten letter",
    "a suspension bridge",
    "a hot air balloon",
    "a lighthouse on a cliff",
    "a field of sunflowers",
    "a spiral staircase",
    "a vintage typewriter",
    "a tiger in the jungle",
    "a plate of sushi",
    "a yellow school bus",
    "a laboratory with test tubes",
    "a ballet dancer",
    "a medieval castle",
    "an elephant by a river",
    "an airport runway",
    "a greenhouse full of orchids",
    "a barber cutting hair",
    "a telescope in an observatory",
    "a pile of old books",
    "a windmill in Holland",
    "a traffic jam at night",
    "a polar bear",
    "a dentist at work",
};
enum { TEXTS = sizeof unrelated / sizeof *unrelated };

/* Of a normal distribution one in forty lies beyond; measured on models trained on a few hundred photos, 5 % of texts
 * about other things do. */
static const float deviations = 2, deviation_of_mad = 1.4826f;

static int compare_numbers(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static float median(float *numbers, size_t count)
{
    qsort(numbers, count, sizeof *numbers, compare_numbers);
    return (numbers[(count - 1) / 2] + numbers[count / 2]) / 2;
}

/* best [TEXTS] is used up. */
static float threshold_of(float *best)
{
    float middle = median(best, TEXTS);
    for (size_t i = 0; i < TEXTS; i++)
        best[i] = fabsf(best[i] - middle);
    return middle + deviations * deviation_of_mad * median(best, TEXTS);
}

/* rows [TEXTS, dim] become the probes; mean [dim] is zero before. */
static void take_mean_off(float *rows, float *mean, size_t dim)
{
    for (size_t t = 0; t < TEXTS; t++)
        for (size_t i = 0; i < dim; i++)
            mean[i] += rows[t * dim + i] / TEXTS;
    for (size_t t = 0; t < TEXTS; t++) {
        double squares = 0;
        for (size_t i = 0; i < dim; i++) {
            rows[t * dim + i] -= mean[i];
            squares += (double)rows[t * dim + i] * (double)rows[t * dim + i];
        }
        for (size_t i = 0; squares > 0 && i < dim; i++)
            rows[t * dim + i] /= (float)sqrt(squares);
    }
}

/* The same at each start, so they are encoded once for a model.  rows [TEXTS, dim] */
static int encode_unrelated(float *rows, const struct clip *clip, const struct encode_options *options,
                            struct error *err)
{
    size_t dim = (size_t)clip->embed_dim;
    struct hash key = clip->fingerprint;
    for (size_t t = 0; t < TEXTS; t++)
        hash_add_text(&key, unrelated[t]);
    if (kept_rows_find(rows, "calibration", key, TEXTS, dim))
        return 0;
    if (encode_texts(rows, clip, unrelated, TEXTS, options, err) != 0)
        return -1;
    kept_rows_keep("calibration", key, rows, TEXTS, dim);
    return 0;
}

int calibration_make(struct calibration *calibration, const struct collection *pictures, const struct clip *clip,
                     const struct encode_options *options, struct error *err)
{
    size_t dim = pictures->dim;
    *calibration = (struct calibration){.mean = mem_new(dim, sizeof *calibration->mean)};
    float *rows = mem_new(TEXTS * dim, sizeof *rows), best[TEXTS]; // [TEXTS, dim], [TEXTS]
    struct hit hits[TEXTS] = {{0}};
    int result = encode_unrelated(rows, clip, options, err);
    if (result == 0) {
        take_mean_off(rows, calibration->mean, dim);
        result = search_run(hits, pictures->search, rows, TEXTS, pictures->names.count ? 1 : 0, err);
    }
    for (size_t t = 0; result == 0 && t < TEXTS; t++)
        best[t] = hits[t].score;
    if (result == 0)
        calibration->threshold = threshold_of(best);
    else
        calibration_free(calibration);
    free(rows);
    return result;
}

void calibration_free(struct calibration *calibration)
{
    free(calibration->mean);
    *calibration = (struct calibration){0};
}
