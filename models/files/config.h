/* From a model folder's config.json to a tower's own description.
 *
 *     struct text_config text;
 *     struct tower_source source = {.file = file};
 *     if (config_read_text(&text, &source, config, "bert-base-uncased/config.json", &err) != 0) return -1;
 *     ... declare, allocate ...
 *     layout_load(arena, source.layout, "text", text.blocks.layers, source.file, source.prefix, &err);
 *
 * What a config leaves out (timm names an architecture only) is read off the shapes of the weights; `file` may be NULL
 * where there are none yet. Every size is bounded before it is used.
 *
 * What a config means beyond its own words stands in members that begin with "oclip_": "oclip_projection_dim" (a tower
 * that ends in CLIP's projection), "oclip_pooling" ("first", "mean", "pooler") and "oclip_normalise".
 */
#ifndef OCLIP_CONFIG_H
#define OCLIP_CONFIG_H

#include "models/files/layout.h"
#include "models/towers/text_tower.h"

/* Where a tower's weights are, and under which names. */
struct tower_source {
    struct safetensors *file;          /* NULL: random weights */
    const struct layout *layout;       /* found out */
    const char *prefix;                /* found out, of every tensor */
    const struct layout *saved_layout; /* found out: what Hugging Face calls the weights */
};

int config_read_text(struct text_config *text, struct tower_source *source, const json_t *config, const char *path,
                     struct error *err) MUST_CHECK;

/* Adds what modules.json and 1_Pooling/config.json of a sentence-transformers folder say to its config. */
int config_add_pooling(json_t *config, const char *folder, struct error *err) MUST_CHECK;

#endif
