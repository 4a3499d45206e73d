/* From which score on a photo matches a text at all: a threshold for this model and this gallery.
 *
 *     struct calibration calibration;
 *     if (calibration_make(&calibration, &pictures, clip, &options, &err) != 0) return -1;
 *     ... query_rows(rows, probes, bad, queries, n, clip, calibration.mean, ...);
 *     ... matches are photos whose dot product with the probe is calibration.threshold or more ...
 *     calibration_free(&calibration);
 *
 * Scores of different models, and of different texts with one model, have no common zero: the best photo for a text
 * about nothing in the gallery may score higher than the right photo for another. So a fixed list of texts about
 * unrelated things is held against the gallery first. What those texts have in common (their mean) is taken off every
 * text, which removes the photos' own bias: some score high with whatever is asked. Of what is left, the best score of
 * each unrelated text over all photos shows what chance gives in a gallery of this size. A query has to beat the median
 * of those by a number of their deviations, both robust: a gallery may well hold what a few of the texts say.
 */
#ifndef OCLIP_CALIBRATION_H
#define OCLIP_CALIBRATION_H

#include "models/encoder.h"
#include "tools/finder.h"

struct calibration {
    float *mean; // [dim], of the unrelated texts' embeddings
    float threshold;
};

/* Pictures may be none: a filter can leave nothing. */
int calibration_make(struct calibration *calibration, const struct collection *pictures, const struct clip *clip,
                     const struct encode_options *options, struct error *err) MUST_CHECK;
void calibration_free(struct calibration *calibration);

#endif
