/* Vision transformer (Dosovitskiy et al. 2021) of timm, DINOv2 (Oquab et al. 2023) and CLIP (Radford et al. 2021).
 *
 *     struct vit vit;
 *     vit_declare(&vit, arena, &config, "image");
 *     ... arena_allocate, load ...
 *     vit_prepare(&vit, dev);
 *     features = vit_forward(tape, &vit, images);     // [batch, side, side, 3] u8 -> [batch, vit.features]
 *
 * The feature is the class token behind the last norm; where the model has a classifier its logits, where it has a
 * projection what that makes of it.
 */
#ifndef OCLIP_VIT_H
#define OCLIP_VIT_H

#include "models/towers/transformer.h"

struct vit_config {
    int image_side;     /* pixels a side that it sees; a multiple of patch */
    int position_side;  /* patches a side that the stored positions are for; resized bicubically if that differs */
    int patch, classes; /* classes: 0 without a classifier */
    int projection;     /* CLIP's: the feature's width, 0 without a projection */
    bool patch_bias;
    bool norm_before; /* CLIP's: a norm before the first block */
    float mean[3], std[3];
    struct transformer_config blocks;
};

struct vit {
    struct vit_config config;
    int features;
    struct tensor *patch_weight;    // [width, 3, patch, patch]
    struct tensor *patch_bias;      // [width] or NULL
    struct tensor *class_token;     // [width]
    struct tensor *position;        // [1 + position_side^2, width]
    struct tensor *position_resize; // [1 + side^2, 1 + position_side^2], or NULL where none is needed
    struct transformer blocks;
    struct norm norm_before, norm;        /* weights NULL where there is none */
    struct linear classifier, projection; /* so here */
};

void vit_declare(struct vit *vit, struct arena *arena, const struct vit_config *config, const char *prefix);
void vit_prepare(struct vit *vit, struct device *dev);
void vit_free(struct vit *vit);
struct tensor *vit_forward(struct tape *tape, const struct vit *vit, struct tensor *images);

#endif
