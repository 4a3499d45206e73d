/* timm's VisionTransformer: its config.json names an architecture, and sizes are read off the weights. What neither
 * says, the number of heads, the activation and the norms' epsilon, stands in tables here. */
#include "models/files/config_parts.h"
#include "runtime/util/json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The first that the name begins with decides. */
static const struct size {
    const char *prefix;
    int heads; /* 0: one for every 64 numbers of the width */
} sizes[] = {
    {"vit_base_patch16_gap_", 16},
    {"vit_tiny_", 0},
    {"vit_xsmall_", 0},
    {"vit_small_", 0},
    {"vit_little_", 0},
    {"vit_medium_", 0},
    {"vit_betwixt_", 0},
    {"vit_base_", 0},
    {"vit_mediumd_", 0},
    {"vit_large_", 0},
    {"vit_huge_", 16},
    {"vit_so400m_", 16},
    {"vit_giant_", 16},
    {"vit_giantopt_", 16},
    {"vit_gigantic_", 16},
    {"deit_tiny_", 0},
    {"deit_small_", 0},
    {"deit_base_", 0},
};

/* The first that is part of the name decides. */
static const struct trait {
    const char *part;
    enum activation activation;
    float norm_eps;
} traits[] = {
    {"_clip_quickgelu_", ACTIVATION_QUICK_GELU, 1e-5f},
    {"_clip_", ACTIVATION_GELU, 1e-5f},
    {"_base_patch32_siglip_", ACTIVATION_GELU_TANH, 1e-6f},
    {"_large_patch16_siglip_512", ACTIVATION_GELU_TANH, 1e-6f},
    {"_large_patch16_siglip_gap_512", ACTIVATION_GELU_TANH, 1e-6f},
    {"_so400m_patch16_siglip_", ACTIVATION_GELU_TANH, 1e-6f},
    {"_giantopt_patch16_siglip_", ACTIVATION_GELU_TANH, 1e-6f},
    {"vit_", ACTIVATION_GELU, 1e-6f},
    {"deit_", ACTIVATION_GELU, 1e-6f},
};

static int read_size(struct vit_config *vit, const json_t *arguments, const char *architecture, const char *path,
                     struct error *err)
{
    struct transformer_config *blocks = &vit->blocks;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        if (strncmp(architecture, sizes[i].prefix, strlen(sizes[i].prefix)) != 0)
            continue;
        blocks->heads = json_int_or(arguments, "num_heads", sizes[i].heads ? sizes[i].heads : blocks->width / 64);
        return 0;
    }
    return error_set(err, EXIT_BAD_DATA,
                     "%s: architecture \"%s\" is not supported (timm's vit_ and deit_, from tiny to gigantic)", path,
                     architecture);
}

static int read_traits(struct vit_config *vit, const json_t *arguments, const char *architecture, const char *path,
                       struct error *err)
{
    struct transformer_config *blocks = &vit->blocks;
    const struct trait *trait = traits;
    while (!strstr(architecture, trait->part))
        trait++; /* one of the last two fits any name that read_size knows */
    blocks->activation = trait->activation;
    blocks->norm_eps = trait->norm_eps;
    const char *given = json_text_or(arguments, "act_layer", NULL);
    if (given && activation_of_name(&blocks->activation, given, err) != 0)
        return error_wrap(err, "%s", path);
    return 0;
}

static bool has(const struct tower_source *source, const char *name)
{
    return config_find(source, name) != NULL;
}

static int count_blocks(const struct tower_source *source)
{
    int layers = 0;
    for (; layers < MAX_LAYERS; layers++) {
        char name[64];
        snprintf(name, sizeof name, "blocks.%d.norm1.weight", layers);
        if (!has(source, name))
            break;
    }
    return layers;
}

static int read_shapes(struct vit_config *vit, const struct tower_source *source, const char *path, struct error *err)
{
    struct transformer_config *blocks = &vit->blocks;
    const struct stored_tensor *patch = config_find(source, "patch_embed.proj.weight"),
                               *position = config_find(source, "pos_embed"),
                               *fc1 = config_find(source, "blocks.0.mlp.fc1.weight"),
                               *head = config_find(source, "head.weight");
    if (!patch || !position || !fc1 || patch->ndim != 4 || position->ndim != 3 || fc1->ndim != 2 ||
        patch->shape[0] > MAX_WIDTH || patch->shape[1] != 3 || patch->shape[2] != patch->shape[3] ||
        patch->shape[2] < 1 || patch->shape[2] > MAX_PATCH || fc1->shape[0] < 1 || fc1->shape[0] > 8L * MAX_WIDTH ||
        position->shape[1] > (1 << 20))
        return error_set(err, EXIT_BAD_DATA, "%s: the weights beside it are not those of a timm ViT", path);
    vit->patches_only = !has(source, "cls_token");
    long patches = position->shape[1] - !vit->patches_only;
    int side = patches > 0 ? (int)lround(sqrt((double)patches)) : 0;
    blocks->width = (int)patch->shape[0];
    blocks->mlp_width = (int)fc1->shape[0];
    blocks->layers = count_blocks(source);
    vit->patch = (int)patch->shape[2];
    vit->position_side = side;
    vit->classes = head && head->ndim == 2 && head->shape[0] < (1 << 20) ? (int)head->shape[0] : 0;
    if (side < 1 || (long)side * side != patches || blocks->layers < 1)
        return error_set(err, EXIT_BAD_DATA, "%s: %ld positions are no square%s, or there are no blocks", path,
                         position->shape[1], vit->patches_only ? "" : " and a class token");
    return 0;
}

static int read_pooling(struct vit_config *vit, const struct tower_source *source, const json_t *config,
                        const json_t *arguments, const char *path, struct error *err)
{
    static const struct {
        const char *name;
        enum vit_pooling pooling;
    } poolings[] = {{"token", VIT_CLASS_TOKEN}, {"avg", VIT_MEAN}, {"map", VIT_ATTENTION}};
    const char *usual = has(source, "attn_pool.latent") ? "map" : vit->patches_only ? "avg" : "token";
    const char *name = json_text_or(arguments, "global_pool", json_text_or(config, "global_pool", ""));
    name = name[0] ? name : usual;
    vit->norm_after_pooling = has(source, "fc_norm.weight");
    for (size_t i = 0; i < sizeof poolings / sizeof *poolings; i++) {
        vit->pooling = poolings[i].pooling;
        if (strcmp(name, poolings[i].name) == 0 && !(vit->pooling == VIT_CLASS_TOKEN && vit->patches_only))
            return 0;
    }
    return error_set(err, EXIT_BAD_DATA, "%s: global_pool \"%s\" is not supported (token, avg, map)", path, name);
}

int config_read_timm(struct vit_config *vit, const struct tower_source *source, const json_t *config, const char *path,
                     struct error *err)
{
    const json_t *arguments = json_object_get(config, "model_args");
    const char *architecture = json_text_or(config, "architecture", "");
    if (read_shapes(vit, source, path, err) != 0 || read_size(vit, arguments, architecture, path, err) != 0 ||
        read_traits(vit, arguments, architecture, path, err) != 0 ||
        read_pooling(vit, source, config, arguments, path, err) != 0)
        return -1;
    vit->blocks.norm_first = true;
    vit->blocks.layer_scale = has(source, "blocks.0.ls1.gamma");
    vit->norm_before = has(source, "norm_pre.weight");
    vit->patch_bias = has(source, "patch_embed.proj.bias");
    if (!json_object_get(config, "oclip_projection_dim"))
        return 0;
    return json_need_int(&vit->projection, config, "oclip_projection_dim", 1, MAX_WIDTH, path, err);
}
