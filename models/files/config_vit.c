/* Vision transformers: those of transformers, and the table of all. */
#include "models/files/config_parts.h"
#include "runtime/util/json.h"

#include <string.h>

/* What transformers' vision transformers have in common. */
static int read_vit(struct vit_config *vit, const json_t *config, double norm_eps, const char *path, struct error *err)
{
    int image_size;
    if (config_read_blocks(&vit->blocks, config, path, err) != 0 ||
        json_need_int(&vit->patch, config, "patch_size", 1, MAX_PATCH, path, err) != 0 ||
        json_need_int(&image_size, config, "image_size", 1, MAX_SIDE, path, err) != 0)
        return -1;
    if (json_int_or(config, "num_channels", 3) != 3)
        return error_set(err, EXIT_BAD_DATA, "%s: pictures of other than 3 channels are not supported", path);
    vit->blocks.norm_eps = (float)json_real_or(config, "layer_norm_eps", norm_eps);
    vit->blocks.norm_first = true;
    vit->position_side = image_size / vit->patch;
    return 0;
}

static int read_dinov2(struct vit_config *vit, const struct tower_source *source, const json_t *config,
                       const char *path, struct error *err)
{
    struct transformer_config *blocks = &vit->blocks;
    (void)source;
    if (read_vit(vit, config, 1e-6, path, err) != 0)
        return -1;
    if (json_bool_or(config, "use_swiglu_ffn", false))
        return error_set(err, EXIT_BAD_DATA, "%s: DINOv2 with a SwiGLU layer (the giant) is not supported", path);
    double ratio = json_real_or(config, "mlp_ratio", 4);
    if (!(ratio * blocks->width >= 1 && ratio <= 64))
        return error_set(err, EXIT_BAD_DATA, "%s: \"mlp_ratio\" is not a number up to 64", path);
    blocks->mlp_width = (int)(blocks->width * ratio);
    blocks->layer_scale = vit->patch_bias = true;
    return 0;
}

static int read_hf_vit(struct vit_config *vit, const struct tower_source *source, const json_t *config,
                       const char *path, struct error *err)
{
    (void)source;
    if (read_vit(vit, config, 1e-12, path, err) != 0 || config_read_mlp(&vit->blocks, config, path, err) != 0)
        return -1;
    if (!json_bool_or(config, "qkv_bias", true))
        return error_set(err, EXIT_BAD_DATA, "%s: a ViT without qkv_bias is not supported", path);
    bool pooler = strcmp(json_text_or(config, "oclip_pooling", "first"), "pooler") == 0;
    vit->pooling = pooler ? VIT_POOLER : VIT_CLASS_TOKEN;
    vit->patch_bias = true;
    return 0;
}

static int read_clip_vision(struct vit_config *vit, const struct tower_source *source, const json_t *config,
                            const char *path, struct error *err)
{
    (void)source;
    if (read_vit(vit, config, 1e-5, path, err) != 0 || config_read_mlp(&vit->blocks, config, path, err) != 0)
        return -1;
    vit->norm_before = true;
    if (!json_object_get(config, "oclip_projection_dim"))
        return 0;
    return json_need_int(&vit->projection, config, "oclip_projection_dim", 1, MAX_WIDTH, path, err);
}

static int read_siglip_vision(struct vit_config *vit, const struct tower_source *source, const json_t *config,
                              const char *path, struct error *err)
{
    (void)source;
    if (read_vit(vit, config, 1e-6, path, err) != 0 || config_read_mlp(&vit->blocks, config, path, err) != 0)
        return -1;
    if (!json_bool_or(config, "vision_use_head", true))
        return error_set(err, EXIT_BAD_DATA, "%s: SigLIP without its head has no feature", path);
    vit->patches_only = vit->patch_bias = true;
    vit->pooling = VIT_ATTENTION;
    return 0;
}

int config_read_vit(struct image_config *image, struct tower_source *source, const json_t *config, const char *path,
                    struct error *err)
{
    static const struct {
        const char *key, *value; /* value NULL: any text */
        const struct layout *layouts[CONFIG_LAYOUTS];
        int (*read)(struct vit_config *, const struct tower_source *, const json_t *, const char *, struct error *);
    } kinds[] = {
        {"model_type", "dinov2", {&layout_dinov2}, read_dinov2},
        {"model_type", "vit", {&layout_vit}, read_hf_vit},
        {"model_type", "clip_vision_model", {&layout_clip_vision, &layout_open_clip_visual}, read_clip_vision},
        {"model_type", "siglip_vision_model", {&layout_siglip_vision}, read_siglip_vision},
        {"architecture", NULL, {&layout_timm_vit, &layout_open_clip_timm}, config_read_timm},
    };
    struct vit_config *vit = &image->vit;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const char *value = json_text_or(config, kinds[i].key, "");
        if (kinds[i].value ? strcmp(value, kinds[i].value) != 0 : value[0] == '\0')
            continue;
        config_find_layout(source, kinds[i].layouts);
        if (kinds[i].read(vit, source, config, path, err) != 0)
            return -1;
        if (vit->position_side < 1)
            return error_set(err, EXIT_BAD_DATA, "%s: pictures are smaller than a patch of %d pixels", path,
                             vit->patch);
        return config_check_heads(&vit->blocks, path, err);
    }
    return error_set(err, EXIT_BAD_DATA,
                     "%s: model_type \"%s\" is no image tower that oclip knows (dinov2, vit, clip_vision_model, "
                     "siglip_vision_model, or timm's vit_*, deit_*, resnet*)",
                     path, json_text_or(config, "model_type", "none"));
}
