/* What all towers' configs have in common, and the text towers. */
#include "models/files/config_parts.h"
#include "runtime/util/file.h"
#include "runtime/util/json.h"

#include <stdlib.h>
#include <string.h>

static int read_activation(enum activation *activation, const json_t *config, const char *path, struct error *err)
{
    if (activation_of_name(activation, json_text_or(config, "hidden_act", "gelu"), err) != 0)
        return error_wrap(err, "%s", path);
    return 0;
}

int config_check_heads(const struct transformer_config *blocks, const char *path, struct error *err)
{
    if (blocks->heads <= 0 || blocks->width % blocks->heads != 0 || blocks->width / blocks->heads > 128)
        return error_set(err, EXIT_BAD_DATA, "%s: %d attention heads do not divide a width of %d into parts up to 128",
                         path, blocks->heads, blocks->width);
    return 0;
}

int config_read_blocks(struct transformer_config *blocks, const json_t *config, const char *path, struct error *err)
{
    if (json_need_int(&blocks->width, config, "hidden_size", 1, MAX_WIDTH, path, err) != 0 ||
        json_need_int(&blocks->layers, config, "num_hidden_layers", 1, MAX_LAYERS, path, err) != 0 ||
        json_need_int(&blocks->heads, config, "num_attention_heads", 1, MAX_WIDTH, path, err) != 0)
        return -1;
    return read_activation(&blocks->activation, config, path, err);
}

int config_read_mlp(struct transformer_config *blocks, const json_t *config, const char *path, struct error *err)
{
    return json_need_int(&blocks->mlp_width, config, "intermediate_size", 1, 8 * MAX_WIDTH, path, err);
}

const struct stored_tensor *config_find(const struct tower_source *source, const char *name)
{
    char *whole = mem_format("%s%s", source->prefix, name);
    const struct stored_tensor *tensor = source->file ? safetensors_find(source->file, whole) : NULL;
    free(whole);
    return tensor;
}

static bool any_below(const struct safetensors *file, const char *prefix)
{
    for (int i = 0; i < safetensors_count(file); i++)
        if (strncmp(safetensors_at(file, i)->name, prefix, strlen(prefix)) == 0)
            return true;
    return false;
}

void config_find_layout(struct tower_source *source, const struct layout *const *layouts)
{
    source->saved_layout = layouts[0];
    for (int l = 0; source->file && l < CONFIG_LAYOUTS && layouts[l]; l++) {
        source->layout = layouts[l];
        source->prefix = layout_prefix(layouts[l], source->file);
        if (source->prefix)
            return;
    }
    /* Its first tensor is missing. So that the error names it well: the prefix that others of the file have. */
    const char *const *prefix = layouts[0]->prefixes;
    while (source->file && prefix[1] && !any_below(source->file, *prefix))
        prefix++;
    source->layout = layouts[0];
    source->prefix = *prefix;
}

/* ---- text towers ---- */

static int read_bert(struct text_config *text, const json_t *config, const char *path, struct error *err)
{
    static const char *const poolings[] = {
        [POOLING_MEAN] = "mean", [POOLING_FIRST] = "first", [POOLING_POOLER] = "pooler"};
    struct transformer_config *blocks = &text->blocks;
    if (json_need_int(&text->types, config, "type_vocab_size", 1, 64, path, err) != 0)
        return -1;
    if (strcmp(json_text_or(config, "position_embedding_type", "absolute"), "absolute") != 0)
        return error_set(err, EXIT_BAD_DATA, "%s: only absolute positions are supported", path);
    blocks->norm_eps = (float)json_real_or(config, "layer_norm_eps", 1e-12);
    blocks->dropout = (float)json_real_or(config, "hidden_dropout_prob", 0.1);
    const char *pooling = json_text_or(config, "oclip_pooling", "mean");
    for (size_t i = 0; i < sizeof poolings / sizeof *poolings; i++)
        if (strcmp(pooling, poolings[i]) == 0)
            text->pooling = (enum pooling)i;
    text->normalise = json_bool_or(config, "oclip_normalise", false);
    return 0;
}

static int read_clip_text(struct text_config *text, const json_t *config, const char *path, struct error *err)
{
    struct transformer_config *blocks = &text->blocks;
    blocks->norm_eps = (float)json_real_or(config, "layer_norm_eps", 1e-5);
    blocks->norm_first = blocks->causal = true;
    if (!json_object_get(config, "oclip_projection_dim"))
        return 0;
    return json_need_int(&text->projection, config, "oclip_projection_dim", 1, MAX_WIDTH, path, err);
}

/* The width of what its head gives is the tower's own where the config is silent. */
static int read_siglip_text(struct text_config *text, const json_t *config, const char *path, struct error *err)
{
    struct transformer_config *blocks = &text->blocks;
    blocks->norm_eps = (float)json_real_or(config, "layer_norm_eps", 1e-6);
    blocks->norm_first = true;
    text->projection = blocks->width;
    text->projection_bias = true;
    text->padded = text->positions;
    if (json_object_get(config, "projection_size") &&
        json_need_int(&text->projection, config, "projection_size", 1, MAX_WIDTH, path, err) != 0)
        return -1;
    if (!json_object_get(config, "pad_token_id"))
        return 0;
    return json_need_int(&text->padding, config, "pad_token_id", 0, text->vocabulary - 1, path, err);
}

int config_read_text(struct text_config *text, struct tower_source *source, const json_t *config, const char *path,
                     struct error *err)
{
    static const struct {
        const char *type;
        const struct text_kind *kind;
        const struct layout *layouts[CONFIG_LAYOUTS];
        int (*read)(struct text_config *, const json_t *, const char *, struct error *);
    } kinds[] = {
        {"bert", &text_bert, {&layout_bert, &layout_bert_gamma}, read_bert},
        {"clip_text_model",
         &text_clip,
         {&layout_clip_text, &layout_open_clip_text, &layout_open_clip_custom_text},
         read_clip_text},
        {"siglip_text_model", &text_clip, {&layout_siglip_text, &layout_open_clip_siglip_text}, read_siglip_text},
    };
    const char *type = json_text_or(config, "model_type", "none");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(type, kinds[i].type) != 0)
            continue;
        *text = (struct text_config){.kind = kinds[i].kind};
        config_find_layout(source, kinds[i].layouts);
        if (config_read_blocks(&text->blocks, config, path, err) != 0 ||
            config_read_mlp(&text->blocks, config, path, err) != 0 ||
            json_need_int(&text->vocabulary, config, "vocab_size", 1, MAX_VOCABULARY, path, err) != 0 ||
            json_need_int(&text->positions, config, "max_position_embeddings", 2, 1 << 20, path, err) != 0 ||
            kinds[i].read(text, config, path, err) != 0)
            return -1;
        return config_check_heads(&text->blocks, path, err);
    }
    return error_set(err, EXIT_BAD_DATA,
                     "%s: model_type \"%s\" is no text tower that oclip knows (bert, clip_text_model, "
                     "siglip_text_model)",
                     path, type);
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
