/* Vision transformer (Dosovitskiy et al. 2021) of timm, transformers' ViT, DINOv2 (Oquab et al. 2023), CLIP (Radford et
 * al. 2021) and SigLIP (Zhai et al. 2023).
 *
 *     struct vit vit;
 *     vit_declare(&vit, arena, &config, "image");
 *     ... arena_allocate, load ...
 *     vit_prepare(&vit, dev);
 *     features = vit_forward(tape, &vit, images);     // [batch, side, side, 3] u8 -> [batch, vit.features]
 *
 * The feature is what pooling makes of the tokens; where the model has a classifier its logits, where it has a
 * projection what that makes of it.
 */
#ifndef OCLIP_VIT_H
#define OCLIP_VIT_H

#include "models/towers/attention_pool.h"
#include "models/towers/transformer.h"

enum vit_pooling {
    VIT_CLASS_TOKEN,
    VIT_POOLER,    /* tanh of a linear map of the class token */
    VIT_MEAN,      /* of the patches */
    VIT_ATTENTION, /* a learned query looks at the patches, then an MLP with a residual: SigLIP, timm's "map" */
};

struct vit_config {
    int image_side;     /* pixels a side that it sees; a multiple of patch */
    int position_side;  /* patches a side that the stored positions are for; resized bicubically if that differs */
    int patch, classes; /* classes: 0 without a classifier */
    int projection;     /* CLIP's: the feature's width, 0 without a projection */
    bool patch_bias;
    bool norm_before;        /* CLIP's: a norm before the first block */
    bool norm_after_pooling; /* timm's fc_norm: the last norm stands behind the pooling, not before it */
    bool patches_only;       /* no class token */
    enum vit_pooling pooling;
    float mean[3], std[3];
    struct transformer_config blocks;
};

struct vit {
    struct vit_config config;
    int features;
    struct tensor *patch_weight;    // [width, 3, patch, patch]
    struct tensor *patch_bias;      // [width] or NULL
    struct tensor *class_token;     // [width] or NULL
    struct tensor *position;        // [first + position_side^2, width], first = 1 with a class token, else 0
    struct tensor *position_resize; // [first + side^2, first + position_side^2], or NULL where none is needed
    struct transformer blocks;
    struct norm norm_before, norm, pooled_norm;   /* weights NULL where there is none */
    struct linear pooler, classifier, projection; /* so here */
    struct attention_pool pool;                   /* probe NULL where there is none */
};

void vit_declare(struct vit *vit, struct arena *arena, const struct vit_config *config, const char *prefix);
void vit_prepare(struct vit *vit, struct device *dev);
void vit_free(struct vit *vit);
struct tensor *vit_forward(struct tape *tape, const struct vit *vit, struct tensor *images);

#endif
