/* From a model folder's config.json to an image tower's description, of any kind.
 *
 *     struct image_config image;
 *     struct tower_source source = {.file = file};
 *     if (config_read_image(&image, &source, config, "resnet50/config.json", &err) != 0) return -1;
 *
 * ResNets are known by timm's "architecture" (resnet18, resnet50, wide_resnet50_2 ...; the names say layers and blocks,
 * the weights how wide they are) and by model_type "clip_resnet", which is what models/files/open_clip_config.h makes
 * of open_clip's "layers": [3, 4, 6, 3]. All other towers are vision transformers, of transformers or timm.
 */
#ifndef OCLIP_CONFIG_IMAGE_H
#define OCLIP_CONFIG_IMAGE_H

#include "models/files/config.h"
#include "models/towers/image_tower.h"

/* Leaves side, mean and std to the preprocessing. */
int config_read_image(struct image_config *image, struct tower_source *source, const json_t *config, const char *path,
                      struct error *err) MUST_CHECK;

#endif
