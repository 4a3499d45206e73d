/* Vision transformer (Dosovitskiy et al. 2021), as timm and DINOv2 (Oquab et al. 2023) have it.
 *
 *     struct vit vit;
 *     vit_declare(&vit, arena, &config, "image");
 *     ... arena_allocate, load ...
 *     vit_prepare(&vit, dev);
 *     features = vit_forward(tape, &vit, images);     // [batch, side, side, 3] u8 -> [batch, vit.features]
 *
 * The feature is the class token behind the last norm, or the classifier's logits where the model has one.
 */
#ifndef OCLIP_VIT_H
#define OCLIP_VIT_H

#include "models/towers/transformer.h"

struct vit_config {
    int image_side;     /* pixels a side that it sees; a multiple of patch */
    int position_side;  /* patches a side that the stored positions are for; resized bicubically if that differs */
    int patch, classes; /* classes: 0 without a classifier */
    float mean[3], std[3];
    struct transformer_config blocks;
};

struct vit {
    struct vit_config config;
    int features;
    struct tensor *patch_weight;    // [width, 3, patch, patch]
    struct tensor *patch_bias;      // [width]
    struct tensor *class_token;     // [width]
    struct tensor *position;        // [1 + position_side^2, width]
    struct tensor *position_resize; // [1 + side^2, 1 + position_side^2], or NULL where none is needed
    struct transformer blocks;
    struct norm norm;
    struct linear classifier; /* weight NULL where there is none */
};

void vit_declare(struct vit *vit, struct arena *arena, const struct vit_config *config, const char *prefix);
void vit_prepare(struct vit *vit, struct device *dev);
void vit_free(struct vit *vit);
struct tensor *vit_forward(struct tape *tape, const struct vit *vit, struct tensor *images);

#endif
