/* How well embeddings find each other: recall at k between photos and captions, and zero-shot accuracy.
 *
 *     struct recall recall;
 *     recall_measure(&recall, images, texts, photo_of, photos, captions, dim);
 *     printf("text to image, recall at 5: %.3f\n", recall.text_to_image[RECALL_AT_5]);
 *
 * All numbers are fractions from 0 to 1. A tie is counted against the model: a wrong answer that scores as high as the
 * right one stands before it, so that embeddings which have collapsed (or hold NaN) score 0 and not by luck.
 * Recall as in CLIP_benchmark: a photo with several captions is found if any of them is among the first k.
 */
#ifndef OCLIP_METRICS_H
#define OCLIP_METRICS_H

#include <stddef.h>

enum { RECALL_AT_1, RECALL_AT_5, RECALL_AT_10, RECALLS };
extern const int recall_at[RECALLS]; /* 1, 5, 10 */

struct recall {
    double image_to_text[RECALLS], text_to_image[RECALLS];
};

/* images [photos, dim], texts [captions, dim], photo_of [captions]: which photo each caption is of. A photo without
 * captions is a candidate but asks nothing. The matrix of scores is never stored; the cost is
 * photos * captions * dim multiplications on one core. */
void recall_measure(struct recall *recall, const float *images, const float *texts, const int *photo_of, size_t photos,
                    size_t captions, size_t dim);

struct accuracy {
    double top1, top5;            /* top5: NaN when there are fewer than five classes, as in CLIP_benchmark */
    double mean_per_class_recall; /* top1 of each class that has photos, averaged over them */
};

/* images [photos, dim], class_rows [classes, dim], label_of [photos]: indices into classes. */
void accuracy_measure(struct accuracy *accuracy, const float *images, const float *class_rows, const int *label_of,
                      size_t photos, size_t classes, size_t dim);

#endif
