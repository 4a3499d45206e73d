/* ResNet (He et al. 2016) as torchvision and timm have it, and CLIP's modified one (Radford et al. 2021).
 *
 *     struct resnet resnet;
 *     resnet_declare(&resnet, arena, &config, "image");
 *     ... arena_allocate, load ...
 *     features = resnet_forward(tape, &resnet, images);     // [batch, side, side, 3] u8 -> [batch, resnet.features]
 *
 * The feature is the mean over the last pictures, or where the model has a classifier its logits. CLIP's has three
 * convolutions in its stem, averages squares where others stride, and ends in attention: the mean asks, the mean and
 * all places answer, and a projection follows.
 *
 * Batch norms use the statistics of the batch, and move their running ones, where a tape is for training and the tower
 * is trained; else the running ones.
 */
#ifndef OCLIP_RESNET_H
#define OCLIP_RESNET_H

#include "models/towers/module.h"

enum { RESNET_STAGES = 4, RESNET_UNITS = 3, RESNET_STRIDE = 32 }; /* pixels that one place of the last picture covers */

/* What blocks are made of, and the stem before them. */
struct resnet_kind {
    int stem_units, stem_side; /* convolutions, the first of stride 2, and the sides of their windows */
    int units, sides[RESNET_UNITS];
    int strided;   /* the unit that strides where a stage begins */
    bool modified; /* CLIP's: squares are averaged instead, and attention pools */
};
extern const struct resnet_kind resnet_basic, resnet_bottleneck, resnet_clip;

struct resnet_config {
    const struct resnet_kind *kind;
    int stem; /* channels behind the stem */
    struct {
        int layers, width, out; /* blocks; channels inside and behind them */
    } stages[RESNET_STAGES];
    int classes;              /* 0 without a classifier */
    int projection;           /* the feature's width where one stands at the end, else 0; CLIP's always has it */
    int position_side, heads; /* of CLIP's attention: the side of the last picture */
    float mean[3], std[3];
    bool checkpointing; /* keep only what goes into each stage, and run the stage again in the backward pass */
};

/* A convolution and its batch norm, perhaps behind an average. */
struct resnet_unit {
    struct tensor *weight; // [out, side, side, in]; NULL where there is none
    struct batch_norm norm;
    int average, stride, padding; /* average: the side of the squares, 1 for none */
};

struct resnet_block {
    struct resnet_unit units[RESNET_UNITS], shortcut; /* no shortcut: x itself */
};

struct resnet {
    struct resnet_config config;
    int features;
    struct resnet_unit stem[RESNET_UNITS];
    struct resnet_block *blocks; // [block_count]: of all stages
    int block_count;
    struct linear classifier, projection; /* weight NULL where there is none; so are the next three */
    struct tensor *position;              // [1 + position_side^2, width]
    struct linear qkv, out;
};

void resnet_declare(struct resnet *resnet, struct arena *arena, const struct resnet_config *config, const char *prefix);
void resnet_free(struct resnet *resnet);
struct tensor *resnet_forward(struct tape *tape, const struct resnet *resnet, struct tensor *images);

#endif
