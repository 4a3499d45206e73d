#include "models/towers/image_tower.h"

#include <string.h>

/* ---- vision transformers ---- */

static int vit_check_side(const struct image_config *config, const char *path, struct error *err)
{
    int patch = config->vit.patch;
    if (config->side < patch || config->side % patch != 0)
        return error_set(err, EXIT_BAD_DATA, "%s: pictures of %d pixels are no whole number of patches of %d", path,
                         config->side, patch);
    return 0;
}

static void vit_declare_as(struct image_tower *image, struct arena *arena, const struct image_config *config,
                           const char *prefix)
{
    struct vit_config vit = config->vit;
    vit.image_side = config->side;
    memcpy(vit.mean, config->mean, sizeof vit.mean);
    memcpy(vit.std, config->std, sizeof vit.std);
    vit_declare(&image->vit, arena, &vit, prefix);
    image->features = image->vit.features;
    image->projection = vit.projection;
    image->layers = vit.blocks.layers;
}

static void vit_prepare_as(struct image_tower *image, struct device *dev)
{
    vit_prepare(&image->vit, dev);
}

static void vit_checkpoint_blocks(struct image_tower *image, bool on)
{
    image->vit.blocks.config.checkpointing = on;
}

static void vit_free_as(struct image_tower *image)
{
    vit_free(&image->vit);
}

static struct tensor *vit_forward_as(struct tape *tape, const struct image_tower *image, struct tensor *pictures)
{
    return vit_forward(tape, &image->vit, pictures);
}

const struct image_kind image_vit = {
    .name = "vit",
    .check_side = vit_check_side,
    .declare = vit_declare_as,
    .prepare = vit_prepare_as,
    .checkpoint_blocks = vit_checkpoint_blocks,
    .free = vit_free_as,
    .forward = vit_forward_as,
};

/* ---- ResNets ---- */

/* Positions of attention pooling stand for the places of one size of pictures. */
static int resnet_check_side(const struct image_config *config, const char *path, struct error *err)
{
    int side = config->side, wanted = config->resnet.position_side * RESNET_STRIDE;
    if (side < RESNET_STRIDE || (config->resnet.kind->modified && side / RESNET_STRIDE * RESNET_STRIDE != wanted))
        return error_set(err, EXIT_BAD_DATA, "%s: pictures of %d pixels, but the tower was made for %d", path, side,
                         wanted > 0 ? wanted : RESNET_STRIDE);
    return 0;
}

static void resnet_declare_as(struct image_tower *image, struct arena *arena, const struct image_config *config,
                              const char *prefix)
{
    struct resnet_config resnet = config->resnet;
    memcpy(resnet.mean, config->mean, sizeof resnet.mean);
    memcpy(resnet.std, config->std, sizeof resnet.std);
    resnet_declare(&image->resnet, arena, &resnet, prefix);
    image->features = image->resnet.features;
    image->projection = resnet.projection;
    for (int s = 0; s < RESNET_STAGES; s++)
        if (resnet.stages[s].layers > image->layers)
            image->layers = resnet.stages[s].layers;
}

static void resnet_checkpoint_stages(struct image_tower *image, bool on)
{
    image->resnet.config.checkpointing = on;
}

static void resnet_free_as(struct image_tower *image)
{
    resnet_free(&image->resnet);
}

static struct tensor *resnet_forward_as(struct tape *tape, const struct image_tower *image, struct tensor *pictures)
{
    return resnet_forward(tape, &image->resnet, pictures);
}

const struct image_kind image_resnet = {
    .name = "resnet",
    .float32 = true,
    .check_side = resnet_check_side,
    .declare = resnet_declare_as,
    .checkpoint_blocks = resnet_checkpoint_stages,
    .free = resnet_free_as,
    .forward = resnet_forward_as,
};

/* ---- either ---- */

int image_tower_check_side(const struct image_config *config, const char *path, struct error *err)
{
    return config->kind->check_side(config, path, err);
}

void image_tower_declare(struct image_tower *image, struct arena *arena, const struct image_config *config,
                         const char *prefix)
{
    *image = (struct image_tower){.kind = config->kind};
    config->kind->declare(image, arena, config, prefix);
}

void image_tower_prepare(struct image_tower *image, struct device *dev)
{
    if (image->kind->prepare)
        image->kind->prepare(image, dev);
}

void image_tower_checkpoint_blocks(struct image_tower *image, bool on)
{
    if (image->kind)
        image->kind->checkpoint_blocks(image, on);
}

void image_tower_free(struct image_tower *image)
{
    if (image->kind)
        image->kind->free(image);
}

struct tensor *image_tower_forward(struct tape *tape, const struct image_tower *image, struct tensor *pictures)
{
    return image->kind->forward(tape, image, pictures);
}
