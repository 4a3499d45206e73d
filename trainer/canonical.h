/* Canonical correlation analysis (Hotelling 1936) with a ridge (Vinod 1976): the linear maps of two sides' features
 * under which pairs resemble each other most, in closed form. Heads that start there need few photos.
 *
 *     struct canonical_side images = {image_features, photo_of_pair, image_weights};
 *     struct canonical_side texts = {text_features, text_of_pair, text_weights};
 *     bool found = canonical_find(dev, &images, &texts, pairs, 512);    // both standardised
 */
#ifndef OCLIP_CANONICAL_H
#define OCLIP_CANONICAL_H

#include "trainer/features.h"

struct canonical_side {
    const struct features *features; /* mean 0 and deviation 1 over the pairs, about */
    const int *rows;                 // [pairs] which of them each pair has
    float *weights;                  // [outputs, features->width], written
};

/* Outputs come by falling correlation, which they are multiplied by; where a side has fewer features than outputs, the
 * last ones are 0. Their squares add up to `outputs` in the mean. False: nothing was found, since features are not
 * finite or do not vary. */
bool canonical_find(struct device *dev, const struct canonical_side *images, const struct canonical_side *texts,
                    size_t pairs, int outputs);

#endif
