/* open_clip_config.json, to and from transformers' terms.
 *
 *     json_t *config;
 *     if (open_clip_config_read(&config, "laion/open_clip_config.json", &err) != 0) return -1;
 *     // {"model_type": "clip", "projection_dim": 512, "vision_config": {...}, "text_config": {...}, ...}
 *
 * Source: the fields of CLIPVisionCfg and CLIPTextCfg in open_clip's model.py.
 */
#ifndef OCLIP_OPEN_CLIP_CONFIG_H
#define OCLIP_OPEN_CLIP_CONFIG_H

#include "models/towers/text_tower.h"
#include "models/towers/vit.h"

#include <jansson.h>

/* As clip_config.h says; the whole original is the member "oclip_open_clip". The caller drops the reference. */
int open_clip_config_read(json_t **config, const char *path, struct error *err) MUST_CHECK;

/* The "model_cfg" of a CLIP whose towers are these. NULL where open_clip has no words for them. */
json_t *open_clip_config_describe(const struct vit_config *image, const struct text_config *text);

#endif
