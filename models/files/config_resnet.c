/* ResNets: timm's, which are torchvision's, and CLIP's. */
#include "models/files/config_parts.h"
#include "runtime/util/json.h"

#include <stdio.h>
#include <string.h>

enum { MAX_CLASSES = 1 << 20, MAX_HEAD_DIM = 128 };

/* ---- timm's, which are torchvision's ---- */

static const struct architecture {
    const char *name;
    const struct resnet_kind *kind;
    int layers[RESNET_STAGES];
} architectures[] = {
    {"resnet18", &resnet_basic, {2, 2, 2, 2}},
    {"resnet34", &resnet_basic, {3, 4, 6, 3}},
    {"resnet26", &resnet_bottleneck, {2, 2, 2, 2}},
    {"resnet50", &resnet_bottleneck, {3, 4, 6, 3}},
    {"resnet101", &resnet_bottleneck, {3, 4, 23, 3}},
    {"resnet152", &resnet_bottleneck, {3, 8, 36, 3}},
    {"wide_resnet50_2", &resnet_bottleneck, {3, 4, 6, 3}},
    {"wide_resnet101_2", &resnet_bottleneck, {3, 4, 23, 3}},
};

static const struct architecture *find_architecture(const json_t *config)
{
    const char *name = json_text_or(config, "architecture", "");
    for (size_t i = 0; i < sizeof architectures / sizeof *architectures; i++)
        if (strcmp(architectures[i].name, name) == 0)
            return &architectures[i];
    return NULL;
}

/* How many outputs the layer of this name has, its weight having `ndim` dimensions; 0 without such a weight. */
static int outputs_of(const struct tower_source *source, int ndim, int most, const char *name)
{
    char weight_name[64];
    snprintf(weight_name, sizeof weight_name, "%s.weight", name);
    const struct stored_tensor *weight = config_find(source, weight_name);
    return weight && weight->ndim == ndim && weight->shape[0] <= most ? (int)weight->shape[0] : 0;
}

static int read_shapes(struct resnet_config *resnet, const struct tower_source *source,
                       const struct architecture *architecture, const char *path, struct error *err)
{
    resnet->kind = architecture->kind;
    resnet->stem = outputs_of(source, 4, MAX_WIDTH, "conv1");
    resnet->classes = outputs_of(source, 2, MAX_CLASSES, "fc");
    bool known = resnet->stem > 0;
    for (int s = 0; s < RESNET_STAGES; s++) {
        char first[32], last[32];
        snprintf(first, sizeof first, "layer%d.0.conv1", s + 1);
        snprintf(last, sizeof last, "layer%d.0.conv%d", s + 1, architecture->kind->units);
        resnet->stages[s].layers = architecture->layers[s];
        resnet->stages[s].width = outputs_of(source, 4, MAX_WIDTH, first);
        resnet->stages[s].out = outputs_of(source, 4, MAX_WIDTH, last);
        known = known && resnet->stages[s].width && resnet->stages[s].out;
    }
    if (!known)
        return error_set(err, EXIT_BAD_DATA, "%s: the weights beside it are not those of a %s", path,
                         architecture->name);
    return 0;
}

int config_read_timm_resnet(struct image_config *image, struct tower_source *source, const json_t *config,
                            const char *path, struct error *err)
{
    static const struct layout *const layouts[CONFIG_LAYOUTS] = {&layout_timm_resnet, &layout_open_clip_timm_resnet};
    const struct architecture *architecture = find_architecture(config);
    if (!architecture)
        return error_set(err, EXIT_BAD_DATA,
                         "%s: architecture \"%s\" is not supported (timm's resnet18 to resnet152, wide_resnet50_2, "
                         "wide_resnet101_2)",
                         path, json_text_or(config, "architecture", ""));
    const char *pooling = json_text_or(config, "global_pool", "");
    if (pooling[0] && strcmp(pooling, "avg") != 0)
        return error_set(err, EXIT_BAD_DATA, "%s: global_pool \"%s\" of a ResNet is not supported (avg)", path,
                         pooling);
    config_find_layout(source, layouts);
    if (read_shapes(&image->resnet, source, architecture, path, err) != 0)
        return -1;
    if (!json_object_get(config, "oclip_projection_dim"))
        return 0;
    return json_need_int(&image->resnet.projection, config, "oclip_projection_dim", 1, MAX_WIDTH, path, err);
}

/* ---- CLIP's ---- */

static int read_stages(struct resnet_config *resnet, const json_t *config, const char *path, struct error *err)
{
    const json_t *layers = json_object_get(config, "layers");
    for (int s = 0; s < RESNET_STAGES; s++) {
        json_int_t count = json_integer_value(json_array_get(layers, (size_t)s)); /* 0 for what is no number */
        if (json_array_size(layers) != RESNET_STAGES || count < 1 || count > MAX_LAYERS)
            return error_set(err, EXIT_BAD_DATA, "%s: \"layers\" are not %d numbers from 1 to %d", path, RESNET_STAGES,
                             MAX_LAYERS);
        resnet->stages[s].layers = (int)count;
        resnet->stages[s].width = resnet->stem << s;
        resnet->stages[s].out = 4 * resnet->stages[s].width;
    }
    return 0;
}

int config_read_clip_resnet(struct image_config *image, struct tower_source *source, const json_t *config,
                            const char *path, struct error *err)
{
    static const struct layout *const layouts[CONFIG_LAYOUTS] = {&layout_open_clip_resnet};
    struct resnet_config *resnet = &image->resnet;
    int side, width;
    config_find_layout(source, layouts);
    resnet->kind = &resnet_clip;
    if (json_need_int(&resnet->stem, config, "width", 2, MAX_WIDTH / 32, path, err) != 0 ||
        json_need_int(&side, config, "image_size", RESNET_STRIDE, MAX_SIDE, path, err) != 0 ||
        json_need_int(&resnet->projection, config, "oclip_projection_dim", 1, MAX_WIDTH, path, err) != 0 ||
        json_need_int(&resnet->heads, config, "heads", 1, MAX_WIDTH, path, err) != 0 ||
        read_stages(resnet, config, path, err) != 0)
        return -1;
    resnet->position_side = side / RESNET_STRIDE;
    width = resnet->stages[RESNET_STAGES - 1].out;
    if (resnet->stem % 2 != 0 || width % resnet->heads != 0 || width / resnet->heads > MAX_HEAD_DIM)
        return error_set(err, EXIT_BAD_DATA, "%s: a width of %d does not suit %d heads of up to %d", path, resnet->stem,
                         resnet->heads, MAX_HEAD_DIM);
    return 0;
}
