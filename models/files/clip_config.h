/* The config of a whole dual encoder, made complete.
 *
 *     json_t *config;
 *     if (clip_config_read(&config, "clip-vit-base-patch32", &err) != 0) return -1;
 *     ... config_read_image(..., json_object_get(config, "vision_config"), ...) ...
 *     json_decref(config);
 *
 * A model that oclip saved comes as it is. For transformers' CLIPModel, SiglipModel and VisionTextDualEncoderModel the
 * towers get their model_type, the members that transformers takes for granted, and the "oclip_" ones of config.h. A
 * folder with open_clip_config.json only is open_clip's: its config is given in transformers' terms, and the original
 * stands in "oclip_open_clip". Beside the towers: "projection_dim", "oclip_head" ("mlp", "linear", "none") and
 * "oclip_logit_bias" (true where the loss is SigLIP's).
 */
#ifndef OCLIP_CLIP_CONFIG_H
#define OCLIP_CLIP_CONFIG_H

#include "runtime/util/error.h"

#include <jansson.h>

/* "vision_config" and "text_config" are objects. The caller drops the reference. */
int clip_config_read(json_t **config, const char *folder, struct error *err) MUST_CHECK;

#endif
