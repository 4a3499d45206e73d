/* Random changes of the pictures that a model is trained on, as open_clip's and timm's training transforms make them:
 * a part of the picture of random size and shape (torchvision's RandomResizedCrop), mirrored, its colours changed
 * (ColorJitter), grey.
 *
 *     struct augment augment = augment_default();
 *     if (augment_set(&augment, "scale=0.9,1.0", &err) != 0) return -1;         // open_clip's --aug-cfg
 *     if (augment_file(square, &preprocess, &augment, seed, "photo.jpg", &err) != 0) ...
 *
 * What becomes of a picture depends on `seed` and its size alone. Given the same draw the pixels are torchvision's over
 * Pillow.
 */
#ifndef OCLIP_AUGMENT_H
#define OCLIP_AUGMENT_H

#include "models/images/colour.h"
#include "models/images/preprocess.h"
#include "runtime/util/random.h"

struct augment {
    double scale[2], ratio[2]; /* of the part's area to the picture's; of its width to its height */
    double jitter[COLOURS];    /* factors are drawn from 1 - jitter to 1 + jitter, of hue from -jitter to jitter */
    double jitter_prob, grey_prob, flip_prob;
};

/* open_clip's AugmentationCfg: scale 0.9 to 1, ratio 3/4 to 4/3, nothing else. */
struct augment augment_default(void);

/* KEY=VALUE or KEY=(VALUE, ...): scale, ratio, color_jitter (one, three or four numbers), color_jitter_prob,
 * gray_scale_prob, hflip. use_timm is accepted and changes nothing. Fails with EXIT_USAGE. */
int augment_set(struct augment *augment, const char *item, struct error *err) MUST_CHECK;

/* What is done to one picture. */
struct augment_draw {
    int left, top, width, height; /* the part */
    bool flip, grey;
    enum colour order[COLOURS];
    double factors[COLOURS]; /* by enum colour; one that changes nothing is passed over */
};
struct augment_draw augment_draw(const struct augment *augment, int width, int height, struct random *random);

void augment_apply(unsigned char *out, // [crop, crop, 3]
                   const struct preprocess *preprocess, const struct augment_draw *draw, const struct picture *picture);

/* Instead of preprocess_file. */
int augment_file(unsigned char *out, // [crop, crop, 3]
                 const struct preprocess *preprocess, const struct augment *augment, uint64_t seed, const char *name,
                 struct error *err) MUST_CHECK;

#endif
