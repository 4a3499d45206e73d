/* What a locked tower gives for every photo or text of the data, computed once and kept on disk by content.
 *
 *     struct features images;
 *     if (features_of_images(&images, bad, clip, &data, &settings, &err) != 0) return -1;
 *     features_standardise(&images, train_rows, count);     // mean 0, deviation 1 over the training rows
 *     ... heads train on images.rows ...
 *     struct fold fold = features_fold(&clip->image_head, "image_head", clip->arena, &images);
 *     // the head takes raw features now
 *     clip_save(...);
 *     features_unfold(&fold, clip->arena);
 *
 * Standardising is a linear map, so folding it into the head's first layer is exact.
 */
#ifndef OCLIP_FEATURES_H
#define OCLIP_FEATURES_H

#include "models/clip.h"
#include "trainer/dataset.h"

struct features {
    float *rows; // [count, width]
    size_t count, width;
    float *mean, *std; // [width]; NULL until standardised
};

/* bad [photos]: set for photos that cannot be read; their rows are zero. */
int features_of_images(struct features *features, bool *bad, const struct clip *clip, const struct dataset *data,
                       const struct settings *settings, struct error *err) MUST_CHECK;
int features_of_texts(struct features *features, const struct clip *clip, const struct dataset *data,
                      const struct settings *settings, struct error *err) MUST_CHECK;
void features_free(struct features *features);

void features_standardise(struct features *features, const int *rows, size_t count);

/* A head that took raw features (a saved model's) takes standardised ones from now on, and gives the same. */
void features_absorb(const struct head *head, const char *name, struct arena *arena, const struct features *features);

/* The first layer's numbers before folding. */
struct fold {
    const struct param *weight, *bias;
    float *weights, *biases; // [out, in], [out]; NULL when nothing was folded
};
struct fold features_fold(const struct head *head, const char *name, struct arena *arena,
                          const struct features *features);
void features_unfold(struct fold *fold, struct arena *arena);

#endif
