/* Image towers: one struct for all, and a table of functions for their kinds.
 *
 *     struct image_config config = {.kind = &image_vit, .side = 224, .vit = {...}};     // models/files/config_image.h
 *     struct image_tower image;
 *     image_tower_declare(&image, arena, &config, "image");
 *     ... arena_allocate, load ...
 *     image_tower_prepare(&image, dev);
 *     // [batch, side, side, 3] u8 -> [batch, image.features]
 *     features = image_tower_forward(tape, &image, pictures);
 */
#ifndef OCLIP_IMAGE_TOWER_H
#define OCLIP_IMAGE_TOWER_H

#include "models/towers/resnet.h"
#include "models/towers/vit.h"

struct image_config {
    const struct image_kind *kind;
    int side; /* of the pictures, in pixels */
    float mean[3], std[3];
    union {
        struct vit_config vit; /* these need no side, mean and std of their own */
        struct resnet_config resnet;
    };
};

struct image_tower {
    const struct image_kind *kind;
    int features;
    int projection; /* the feature's width where the tower ends in CLIP's projection, else 0 */
    int layers;     /* the most that a layout numbers (models/files/layout.h) */
    union {
        struct vit vit;
        struct resnet resnet;
    };
};

struct image_kind {
    const char *name;
    bool float32; /* it stores activations so, whatever the device's precision */
    /* Whether the tower can see pictures of this side; the error names `path`. */
    int (*check_side)(const struct image_config *config, const char *path, struct error *err);
    void (*declare)(struct image_tower *image, struct arena *arena, const struct image_config *config,
                    const char *prefix);
    void (*prepare)(struct image_tower *image, struct device *dev); /* may be NULL */
    void (*checkpoint_blocks)(struct image_tower *image, bool on);
    void (*free)(struct image_tower *image);
    struct tensor *(*forward)(struct tape *tape, const struct image_tower *image, struct tensor *pictures);
};
extern const struct image_kind image_vit, image_resnet;

int image_tower_check_side(const struct image_config *config, const char *path, struct error *err) MUST_CHECK;
void image_tower_declare(struct image_tower *image, struct arena *arena, const struct image_config *config,
                         const char *prefix);
void image_tower_prepare(struct image_tower *image, struct device *dev);
/* As clip.h's clip_checkpoint_blocks; of ResNets whole stages. One that was never declared is fine. */
void image_tower_checkpoint_blocks(struct image_tower *image, bool on);
void image_tower_free(struct image_tower *image); /* one that was never declared is fine */
struct tensor *image_tower_forward(struct tape *tape, const struct image_tower *image, struct tensor *pictures);

#endif
