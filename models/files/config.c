#include "models/files/config.h"

#include "runtime/util/file.h"
#include "runtime/util/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_WIDTH = 8192, MAX_LAYERS = 200, MAX_SIDE = 4096, MAX_PATCH = 256, MAX_VOCABULARY = 10000000 };
enum { LAYOUTS = 2 }; /* that one kind of tower may be stored in */

static int whole_square_root(long number)
{
    int root = (int)lround(sqrt((double)number));
    return (long)root * root == number ? root : -1;
}

static int read_activation(enum activation *activation, const json_t *config, const char *path, struct error *err)
{
    if (activation_of_name(activation, json_text_or(config, "hidden_act", "gelu"), err) != 0)
        return error_wrap(err, "%s", path);
    return 0;
}

static int check_heads(const struct transformer_config *blocks, const char *path, struct error *err)
{
    if (blocks->heads <= 0 || blocks->width % blocks->heads != 0 || blocks->width / blocks->heads > 128)
        return error_set(err, EXIT_BAD_DATA, "%s: %d attention heads do not divide a width of %d into parts up to 128",
                         path, blocks->heads, blocks->width);
    return 0;
}

/* What transformers' configs of all towers have under the same names. */
static int read_blocks(struct transformer_config *blocks, const json_t *config, const char *path, struct error *err)
{
    if (json_need_int(&blocks->width, config, "hidden_size", 1, MAX_WIDTH, path, err) != 0 ||
        json_need_int(&blocks->layers, config, "num_hidden_layers", 1, MAX_LAYERS, path, err) != 0 ||
        json_need_int(&blocks->heads, config, "num_attention_heads", 1, MAX_WIDTH, path, err) != 0)
        return -1;
    return read_activation(&blocks->activation, config, path, err);
}

/* ---- image towers ---- */

static int read_dinov2(struct vit_config *vit, const struct tower_source *source, const json_t *config,
                       const char *path, struct error *err)
{
    struct transformer_config *blocks = &vit->blocks;
    int image_size;
    (void)source;
    if (read_blocks(blocks, config, path, err) != 0 ||
        json_need_int(&vit->patch, config, "patch_size", 1, MAX_PATCH, path, err) != 0 ||
        json_need_int(&image_size, config, "image_size", 1, MAX_SIDE, path, err) != 0)
        return -1;
    if (json_bool_or(config, "use_swiglu_ffn", false))
        return error_set(err, EXIT_BAD_DATA, "%s: DINOv2 with a SwiGLU layer (the giant) is not supported", path);
    double ratio = json_real_or(config, "mlp_ratio", 4);
    if (!(ratio * blocks->width >= 1 && ratio <= 64))
        return error_set(err, EXIT_BAD_DATA, "%s: \"mlp_ratio\" is not a number up to 64", path);
    blocks->mlp_width = (int)(blocks->width * ratio);
    blocks->norm_eps = (float)json_real_or(config, "layer_norm_eps", 1e-6);
    blocks->norm_first = blocks->layer_scale = vit->patch_bias = true;
    vit->position_side = image_size / vit->patch;
    return 0;
}

static int read_clip_vision(struct vit_config *vit, const struct tower_source *source, const json_t *config,
                            const char *path, struct error *err)
{
    struct transformer_config *blocks = &vit->blocks;
    int image_size;
    (void)source;
    if (read_blocks(blocks, config, path, err) != 0 ||
        json_need_int(&blocks->mlp_width, config, "intermediate_size", 1, 8 * MAX_WIDTH, path, err) != 0 ||
        json_need_int(&vit->patch, config, "patch_size", 1, MAX_PATCH, path, err) != 0 ||
        json_need_int(&image_size, config, "image_size", 1, MAX_SIDE, path, err) != 0 ||
        json_need_int(&vit->projection, config, "projection_dim", 1, MAX_WIDTH, path, err) != 0)
        return -1;
    blocks->norm_eps = (float)json_real_or(config, "layer_norm_eps", 1e-5);
    blocks->norm_first = vit->norm_before = true;
    vit->position_side = image_size / vit->patch;
    return 0;
}

static const struct stored_tensor *find(const struct tower_source *source, const char *name)
{
    char *whole = mem_format("%s%s", source->prefix, name);
    const struct stored_tensor *tensor = source->file ? safetensors_find(source->file, whole) : NULL;
    free(whole);
    return tensor;
}

/* timm's configs name an architecture; heads are 64 wide in all of its plain ViTs up to large. */
static int read_timm(struct vit_config *vit, const struct tower_source *source, const json_t *config, const char *path,
                     struct error *err)
{
    struct transformer_config *blocks = &vit->blocks;
    const struct stored_tensor *patch = find(source, "patch_embed.proj.weight"), *position = find(source, "pos_embed"),
                               *fc1 = find(source, "blocks.0.mlp.fc1.weight"), *head = find(source, "head.weight");
    const char *architecture = json_text_or(config, "architecture", "");
    bool known = strncmp(architecture, "vit_tiny", 8) == 0 || strncmp(architecture, "vit_small", 9) == 0 ||
                 strncmp(architecture, "vit_base", 8) == 0 || strncmp(architecture, "vit_large", 9) == 0;
    if (!known)
        return error_set(err, EXIT_BAD_DATA, "%s: architecture \"%s\" is not supported (vit_tiny, small, base, large)",
                         path, architecture);
    if (!patch || !position || !fc1 || patch->ndim != 4 || position->ndim != 3 || fc1->ndim != 2 ||
        patch->shape[0] > MAX_WIDTH || patch->shape[1] != 3 || patch->shape[2] != patch->shape[3] ||
        patch->shape[2] > MAX_PATCH || fc1->shape[0] > 8L * MAX_WIDTH || position->shape[1] < 2 ||
        position->shape[1] > (1 << 20))
        return error_set(err, EXIT_BAD_DATA, "%s: the weights beside it are not those of a timm ViT with a class token",
                         path);
    blocks->width = (int)patch->shape[0];
    blocks->heads = blocks->width / 64;
    blocks->mlp_width = (int)fc1->shape[0];
    blocks->norm_eps = 1e-6f;
    blocks->norm_first = vit->patch_bias = true;
    blocks->activation = ACTIVATION_GELU;
    blocks->layer_scale = find(source, "blocks.0.ls1.gamma") != NULL;
    while (blocks->layers < MAX_LAYERS) {
        char name[64];
        snprintf(name, sizeof name, "blocks.%d.norm1.weight", blocks->layers);
        if (!find(source, name))
            break;
        blocks->layers++;
    }
    vit->patch = (int)patch->shape[2];
    vit->position_side = whole_square_root(position->shape[1] - 1);
    vit->classes = head && head->ndim == 2 && head->shape[0] < (1 << 20) ? (int)head->shape[0] : 0;
    if (vit->position_side < 1 || blocks->layers < 1)
        return error_set(err, EXIT_BAD_DATA,
                         "%s: %ld positions are no square and a class token, or there are no blocks", path,
                         position->shape[1]);
    return 0;
}

/* The layout whose first tensor is in the file, and the prefix it has there: some files hold the tower inside a larger
 * model. Without a file, or where none fits, the first layout stands. */
static void find_layout(struct tower_source *source, const struct layout *const *layouts)
{
    static const char *const prefixes[] = {"bert.", "model.", "dinov2.", "vit.", "text_model.", "vision_model.", ""};
    const char *given = source->prefix;
    source->saved_layout = layouts[0];
    for (int l = 0; l < LAYOUTS && layouts[l]; l++)
        for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
            source->layout = layouts[l];
            source->prefix = layouts[l]->rooted ? "" : given ? given : prefixes[i];
            if (find(source, source->layout->rows[0].theirs))
                return;
        }
    source->layout = layouts[0];
}

int config_read_vit(struct vit_config *vit, struct tower_source *source, const json_t *config, const char *path,
                    struct error *err)
{
    static const struct {
        const char *key, *value; /* value NULL: any text */
        const struct layout *layouts[LAYOUTS];
        int (*read)(struct vit_config *, const struct tower_source *, const json_t *, const char *, struct error *);
    } kinds[] = {
        {"model_type", "dinov2", {&layout_dinov2}, read_dinov2},
        {"model_type", "clip_vision_model", {&layout_clip_vision, &layout_open_clip_visual}, read_clip_vision},
        {"architecture", NULL, {&layout_timm_vit}, read_timm},
    };
    *vit = (struct vit_config){0};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const char *value = json_text_or(config, kinds[i].key, "");
        if (kinds[i].value ? strcmp(value, kinds[i].value) != 0 : value[0] == '\0')
            continue;
        find_layout(source, kinds[i].layouts);
        if (kinds[i].read(vit, source, config, path, err) != 0)
            return -1;
        if (vit->position_side < 1)
            return error_set(err, EXIT_BAD_DATA, "%s: pictures are smaller than a patch of %d pixels", path,
                             vit->patch);
        return check_heads(&vit->blocks, path, err);
    }
    return error_set(err, EXIT_BAD_DATA,
                     "%s: model_type \"%s\" is no image tower that oclip knows (dinov2, clip_vision_model, or timm's "
                     "vit_*)",
                     path, json_text_or(config, "model_type", "none"));
}

/* ---- text towers ---- */

static int read_bert(struct text_config *text, const json_t *config, const char *path, struct error *err)
{
    struct transformer_config *blocks = &text->blocks;
    if (json_need_int(&text->types, config, "type_vocab_size", 1, 64, path, err) != 0)
        return -1;
    blocks->norm_eps = (float)json_real_or(config, "layer_norm_eps", 1e-12);
    blocks->dropout = (float)json_real_or(config, "hidden_dropout_prob", 0.1);
    text->pooling = strcmp(json_text_or(config, "oclip_pooling", "mean"), "first") == 0 ? POOLING_FIRST : POOLING_MEAN;
    text->normalise = json_bool_or(config, "oclip_normalise", false);
    return 0;
}

static int read_clip_text(struct text_config *text, const json_t *config, const char *path, struct error *err)
{
    struct transformer_config *blocks = &text->blocks;
    blocks->norm_eps = (float)json_real_or(config, "layer_norm_eps", 1e-5);
    blocks->norm_first = blocks->causal = true;
    return json_need_int(&text->projection, config, "projection_dim", 1, MAX_WIDTH, path, err);
}

int config_read_text(struct text_config *text, struct tower_source *source, const json_t *config, const char *path,
                     struct error *err)
{
    static const struct {
        const char *type;
        const struct text_kind *kind;
        const struct layout *layouts[LAYOUTS];
        int (*read)(struct text_config *, const json_t *, const char *, struct error *);
    } kinds[] = {
        {"bert", &text_bert, {&layout_bert}, read_bert},
        {"clip_text_model", &text_clip, {&layout_clip_text, &layout_open_clip_text}, read_clip_text},
    };
    const char *type = json_text_or(config, "model_type", "none");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(type, kinds[i].type) != 0)
            continue;
        *text = (struct text_config){.kind = kinds[i].kind};
        find_layout(source, kinds[i].layouts);
        if (read_blocks(&text->blocks, config, path, err) != 0 ||
            json_need_int(&text->blocks.mlp_width, config, "intermediate_size", 1, 8 * MAX_WIDTH, path, err) != 0 ||
            json_need_int(&text->vocabulary, config, "vocab_size", 1, MAX_VOCABULARY, path, err) != 0 ||
            json_need_int(&text->positions, config, "max_position_embeddings", 2, 1 << 20, path, err) != 0 ||
            kinds[i].read(text, config, path, err) != 0)
            return -1;
        return check_heads(&text->blocks, path, err);
    }
    return error_set(err, EXIT_BAD_DATA,
                     "%s: model_type \"%s\" is no text tower that oclip knows (bert, clip_text_model)", path, type);
}

/* modules.json lists the steps a text goes through: transformer, pooling, perhaps normalisation. */
static int read_modules(bool *normalises, const char *folder, struct error *err)
{
    *normalises = false;
    char *path = path_join(folder, "modules.json"), *text = NULL;
    int result = 0;
    if (!file_exists(path))
        goto done;
    result = file_read(&text, NULL, path, 1 << 20, err);
    if (result == 0)
        *normalises = strstr(text, "models.Normalize") != NULL;
    free(text);
done:
    free(path);
    return result;
}

int config_add_pooling(json_t *config, const char *folder, struct error *err)
{
    bool normalises;
    if (read_modules(&normalises, folder, err) != 0)
        return -1;
    json_t *pooling = NULL;
    char *path = path_join(folder, "1_Pooling/config.json");
    bool first = false;
    int result = 0;
    if (file_exists(path) && (result = json_read(&pooling, path, err)) == 0) {
        first = json_bool_or(pooling, "pooling_mode_cls_token", false);
        if (!first && !json_bool_or(pooling, "pooling_mode_mean_tokens", false))
            result =
                error_set(err, EXIT_BAD_DATA, "%s: asks for a pooling other than mean or cls, which oclip lacks", path);
        json_decref(pooling);
    }
    json_object_set_new(config, "oclip_pooling", json_string(first ? "first" : "mean"));
    json_object_set_new(config, "oclip_normalise", json_boolean(normalises));
    free(path);
    return result;
}
