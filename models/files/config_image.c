#include "models/files/config_image.h"

#include "models/files/config_parts.h"
#include "runtime/util/json.h"

#include <fnmatch.h>

int config_read_image(struct image_config *image, struct tower_source *source, const json_t *config, const char *path,
                      struct error *err)
{
    /* The first whose pattern (of fnmatch) the member fits. */
    static const struct {
        const char *key, *pattern;
        const struct image_kind *kind;
        int (*read)(struct image_config *, struct tower_source *, const json_t *, const char *, struct error *);
    } families[] = {
        {"model_type", "clip_resnet", &image_resnet, config_read_clip_resnet},
        {"architecture", "resnet*", &image_resnet, config_read_timm_resnet},
        {"architecture", "wide_resnet*", &image_resnet, config_read_timm_resnet},
        {"model_type", "*", &image_vit, config_read_vit},
    };
    size_t i = 0;
    while (fnmatch(families[i].pattern, json_text_or(config, families[i].key, ""), 0) != 0)
        i++;
    *image = (struct image_config){.kind = families[i].kind};
    return families[i].read(image, source, config, path, err);
}
