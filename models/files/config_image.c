#include "models/files/config_image.h"

#include "runtime/util/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LAYERS = 200, MAX_WIDTH = 8192, MAX_CLASSES = 1 << 20, MAX_SIDE = 4096, MAX_HEAD_DIM = 128 };

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
    char *whole = mem_format("%s%s.weight", source->prefix, name);
    const struct stored_tensor *weight = source->file ? safetensors_find(source->file, whole) : NULL;
    free(whole);
    return weight && weight->ndim == ndim && weight->shape[0] <= most ? (int)weight->shape[0] : 0;
}

/* Where the first convolution is: at the root, or in a larger model. */
static void find_prefix(struct tower_source *source)
{
    static const char *const prefixes[] = {"vision_model.", "model.", ""};
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes && !outputs_of(source, 4, MAX_WIDTH, "conv1"); i++)
        source->prefix = prefixes[i];
}

static int read_timm_resnet(struct resnet_config *resnet, struct tower_source *source, const json_t *config,
                            const char *path, struct error *err)
{
    const struct architecture *architecture = find_architecture(config);
    source->layout = source->saved_layout = &layout_timm_resnet;
    if (!source->prefix)
        source->prefix = "";
    find_prefix(source);
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

static int read_clip_resnet(struct resnet_config *resnet, struct tower_source *source, const json_t *config,
                            const char *path, struct error *err)
{
    int side, width;
    source->layout = source->saved_layout = &layout_clip_resnet;
    source->prefix = "";
    resnet->kind = &resnet_clip;
    if (json_need_int(&resnet->stem, config, "width", 2, MAX_WIDTH / 32, path, err) != 0 ||
        json_need_int(&side, config, "image_size", RESNET_STRIDE, MAX_SIDE, path, err) != 0 ||
        json_need_int(&resnet->projection, config, "projection_dim", 1, MAX_WIDTH, path, err) != 0 ||
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

/* ---- any ---- */

int config_read_image(struct image_config *image, struct tower_source *source, const json_t *config, const char *path,
                      struct error *err)
{
    *image = (struct image_config){.kind = &image_resnet};
    if (strcmp(json_text_or(config, "model_type", ""), "clip_resnet") == 0)
        return read_clip_resnet(&image->resnet, source, config, path, err);
    if (find_architecture(config))
        return read_timm_resnet(&image->resnet, source, config, path, err);
    image->kind = &image_vit;
    return config_read_vit(&image->vit, source, config, path, err);
}
