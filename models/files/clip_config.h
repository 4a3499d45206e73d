/* The config.json of a whole dual encoder, made complete.
 *
 *     json_t *config;
 *     if (clip_config_read(&config, "clip-vit-base-patch32", &err) != 0) return -1;
 *     ... config_read_vit(..., json_object_get(config, "vision_config"), ...) ...
 *     json_decref(config);
 *
 * A model that oclip saved comes as it is. For transformers' CLIPModel (model_type "clip") the towers get their
 * model_type, the projection_dim they share and what transformers takes for members that are left out. A folder with
 * open_clip_config.json only is open_clip's: its config is given as that of the same CLIPModel.
 */
#ifndef OCLIP_CLIP_CONFIG_H
#define OCLIP_CLIP_CONFIG_H

#include "runtime/util/error.h"

#include <jansson.h>

/* "vision_config" and "text_config" are objects. The caller drops the reference. */
int clip_config_read(json_t **config, const char *folder, struct error *err) MUST_CHECK;

#endif
