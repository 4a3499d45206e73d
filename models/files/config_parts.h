/* What the readers of config.h share. Only files of this folder include this. */
#ifndef OCLIP_CONFIG_PARTS_H
#define OCLIP_CONFIG_PARTS_H

#include "models/files/config_image.h"

/* What is believed of a file. */
enum { MAX_WIDTH = 8192, MAX_LAYERS = 200, MAX_SIDE = 4096, MAX_PATCH = 256, MAX_VOCABULARY = 10000000 };

enum { CONFIG_LAYOUTS = 3 }; /* that one kind of tower may be stored in; Hugging Face's first */

/* Sets the first layout that the file has, and its prefix there. Without a file, or where none fits, the first. */
void config_find_layout(struct tower_source *source, const struct layout *const *layouts); // [CONFIG_LAYOUTS], to NULL

/* The tensor of this name behind the source's prefix, or NULL. */
const struct stored_tensor *config_find(const struct tower_source *source, const char *name);

/* Width, layers, heads and activation, which transformers' configs of all towers have under the same names; and the
 * MLP's width, which most have. */
int config_read_blocks(struct transformer_config *blocks, const json_t *config, const char *path,
                       struct error *err) MUST_CHECK;
int config_read_mlp(struct transformer_config *blocks, const json_t *config, const char *path,
                    struct error *err) MUST_CHECK;

/* Heads must divide the width into parts that attention can hold. */
int config_check_heads(const struct transformer_config *blocks, const char *path, struct error *err) MUST_CHECK;

/* Image towers by family: config_vit.c, config_resnet.c. They leave what config_read_image leaves. */
int config_read_vit(struct image_config *image, struct tower_source *source, const json_t *config, const char *path,
                    struct error *err) MUST_CHECK;
int config_read_timm_resnet(struct image_config *image, struct tower_source *source, const json_t *config,
                            const char *path, struct error *err) MUST_CHECK;
int config_read_clip_resnet(struct image_config *image, struct tower_source *source, const json_t *config,
                            const char *path, struct error *err) MUST_CHECK;

/* timm's vision transformers (config_timm.c). */
int config_read_timm(struct vit_config *vit, const struct tower_source *source, const json_t *config, const char *path,
                     struct error *err) MUST_CHECK;

#endif
