/* What the model finds for a few validation photos and captions, the same ones in every epoch.
 *
 *     struct examples_of of = {.images = images, .texts = texts, .photo_of = photo_of, .photo_names = ..., ...};
 *     json_t *examples = examples_find(&of);      // caller drops the reference
 *
 * {"photos": [{"photo": "a.jpg", "rank": 2, "found": [{"text": "a cat", "score": 0.31, "right": false}, ...]}, ...],
 *  "captions": [{"text": "a cat", "rank": 1, "found": [{"photo": "a.jpg", "score": 0.4, "right": true}, ...]}, ...]}
 * rank: where the first right answer stands, from 1. The same words twice among the answers are shown once.
 */
#ifndef OCLIP_EXAMPLES_H
#define OCLIP_EXAMPLES_H

#include "runtime/util/json.h"

struct examples_of {
    const float *images, *texts;      // [photos, dim], [captions, dim], L2-normalised
    const int *photo_of, *first_text; // [captions], [photos]
    const char *const *photo_names;   // [photos]
    const char *const *captions;      // [caption_count]
    int photos, caption_count, dim;
};

json_t *examples_find(const struct examples_of *of);

#endif
