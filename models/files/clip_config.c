#include "models/files/clip_config.h"

#include "runtime/util/file.h"
#include "runtime/util/json.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* What oclip calls open_clip's ResNet towers, which transformers does not have (models/files/config_image.h). */
static const char clip_resnet[] = "clip_resnet";

/* ---- transformers' CLIPModel ---- */

static void complete_tower(json_t *config, const char *key, const char *type, json_t *defaults)
{
    json_t *tower = json_object_get(config, key);
    if (!json_is_object(tower)) {
        tower = json_object();
        json_object_set_new(config, key, tower);
    }
    json_object_set_new(tower, "projection_dim", json_integer(json_int_or(config, "projection_dim", 512)));
    if (strcmp(json_text_or(tower, "model_type", ""), clip_resnet) != 0) {
        json_object_set_new(tower, "model_type", json_string(type));
        json_object_update_missing(tower, defaults);
    }
    json_decref(defaults);
}

/* The defaults are those of CLIPVisionConfig and CLIPTextConfig. */
static void complete_clip_model(json_t *config)
{
    json_object_update_missing_new(config, json_pack("{s:i}", "projection_dim", 512));
    complete_tower(config, "vision_config", "clip_vision_model",
                   json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:s, s:f}", "hidden_size", 768, "intermediate_size", 3072,
                             "num_hidden_layers", 12, "num_attention_heads", 12, "image_size", 224, "patch_size", 32,
                             "hidden_act", "quick_gelu", "layer_norm_eps", 1e-5));
    complete_tower(config, "text_config", "clip_text_model",
                   json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:s, s:f}", "hidden_size", 512, "intermediate_size", 2048,
                             "num_hidden_layers", 12, "num_attention_heads", 8, "max_position_embeddings", 77,
                             "vocab_size", 49408, "hidden_act", "quick_gelu", "layer_norm_eps", 1e-5));
}

/* ---- open_clip ---- */

static bool is_plain(const json_t *value)
{
    static const char *const plain[] = {"tok", "argmax", "learnable"};
    if (!value || json_is_null(value) || json_is_false(value))
        return true;
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (json_is_string(value) && strcmp(json_string_value(value), plain[i]) == 0)
            return true;
    return false;
}

/* Members that can make of a tower something other than CLIP's. */
static int refuse_variants(const json_t *tower, const char *path, struct error *err)
{
    static const char *const keys[] = {"timm_model_name", "hf_model_name",  "attentional_pool", "no_ln_pre",
                                       "embed_cls",       "no_causal_mask", "pool_type",        "final_ln_after_pool",
                                       "ls_init_value",   "norm_kwargs",    "pos_embed_type",   "act_kwargs"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (!is_plain(json_object_get(tower, keys[i])))
            return error_set(err, EXIT_BAD_DATA, "%s: a tower with \"%s\" is not supported", path, keys[i]);
    return 0;
}

static void set_int(json_t *config, const char *key, int value)
{
    json_object_set_new(config, key, json_integer(value));
}

/* What both towers have. */
static int translate_blocks(json_t *out, const json_t *tower, const char *path, struct error *err)
{
    int layers, width;
    if (refuse_variants(tower, path, err) != 0 || json_need_int(&layers, tower, "layers", 1, 1000, path, err) != 0 ||
        json_need_int(&width, tower, "width", 1, 65536, path, err) != 0)
        return -1;
    double ratio = json_real_or(tower, "mlp_ratio", 4);
    if (!(ratio > 0 && ratio <= 64))
        return error_set(err, EXIT_BAD_DATA, "%s: \"mlp_ratio\" is not a number up to 64", path);
    set_int(out, "hidden_size", width);
    set_int(out, "intermediate_size", (int)(width * ratio));
    set_int(out, "num_hidden_layers", layers);
    return 0;
}

static int translate_resnet(json_t *out, const json_t *vision, const char *path, struct error *err)
{
    int width = json_int_or(vision, "width", 64), head_width = json_int_or(vision, "head_width", 64);
    if (refuse_variants(vision, path, err) != 0)
        return -1;
    json_object_set_new(out, "model_type", json_string(clip_resnet));
    json_object_set(out, "layers", json_object_get(vision, "layers"));
    set_int(out, "width", width);
    set_int(out, "heads", head_width > 0 && width < 65536 ? 32 * width / head_width : 0);
    set_int(out, "image_size", json_int_or(vision, "image_size", 224));
    return 0;
}

static int translate_vision(json_t *out, const json_t *vision, const char *path, struct error *err)
{
    if (json_is_array(json_object_get(vision, "layers")))
        return translate_resnet(out, vision, path, err);
    int patch, side, head_width = 64;
    if (translate_blocks(out, vision, path, err) != 0 ||
        json_need_int(&patch, vision, "patch_size", 1, 4096, path, err) != 0 ||
        json_need_int(&side, vision, "image_size", 1, 4096, path, err) != 0 ||
        (json_object_get(vision, "head_width") &&
         json_need_int(&head_width, vision, "head_width", 1, 65536, path, err) != 0))
        return -1;
    set_int(out, "num_attention_heads", json_int_or(vision, "width", 0) / head_width);
    set_int(out, "patch_size", patch);
    set_int(out, "image_size", side);
    return 0;
}

static int translate_text(json_t *out, const json_t *text, const char *path, struct error *err)
{
    if (translate_blocks(out, text, path, err) != 0)
        return -1;
    set_int(out, "num_attention_heads", json_int_or(text, "heads", 8));
    set_int(out, "max_position_embeddings", json_int_or(text, "context_length", 77));
    set_int(out, "vocab_size", json_int_or(text, "vocab_size", 49408));
    set_int(out, "eos_token_id", 2); /* for transformers: the largest id ends a text */
    return 0;
}

/* model_cfg -> the config of a CLIPModel */
static int translate(json_t *out, const json_t *model, const char *path, struct error *err)
{
    const char *activation = json_bool_or(model, "quick_gelu", false) ? "quick_gelu" : "gelu";
    json_t *vision = json_pack("{s:s}", "hidden_act", activation), *text = json_deep_copy(vision);
    int dim;
    json_object_set_new(out, "model_type", json_string("clip"));
    json_object_set_new(out, "vision_config", vision);
    json_object_set_new(out, "text_config", text);
    if (json_need_int(&dim, model, "embed_dim", 1, 65536, path, err) != 0 ||
        translate_vision(vision, json_object_get(model, "vision_cfg"), path, err) != 0 ||
        translate_text(text, json_object_get(model, "text_cfg"), path, err) != 0)
        return -1;
    set_int(out, "projection_dim", dim);
    return 0;
}

static int read_open_clip(json_t **config, const char *path, struct error *err)
{
    json_t *whole;
    if (json_read(&whole, path, err) != 0)
        return -1;
    *config = json_object();
    int result = translate(*config, json_object_get(whole, "model_cfg"), path, err);
    if (result != 0)
        json_decref(*config);
    json_decref(whole);
    return result;
}

/* ---- either ---- */

static bool is_pair(const json_t *config)
{
    return json_is_object(json_object_get(config, "vision_config")) &&
           json_is_object(json_object_get(config, "text_config"));
}

int clip_config_read(json_t **config, const char *folder, struct error *err)
{
    char *path = path_join(folder, "config.json"), *open_clip = path_join(folder, "open_clip_config.json");
    bool translated = !file_exists(path) && file_exists(open_clip);
    int result = translated ? read_open_clip(config, open_clip, err) : json_read(config, path, err);
    if (result == 0 && strcmp(json_text_or(*config, "model_type", ""), "clip") == 0)
        complete_clip_model(*config);
    if (result == 0 && !is_pair(*config)) {
        json_decref(*config);
        result = error_set(err, EXIT_BAD_DATA,
                           "%s: no vision_config and text_config; is this a model that trainer saved?", path);
    }
    free(open_clip);
    free(path);
    return result;
}
