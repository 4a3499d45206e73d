#include "models/files/open_clip_config.h"

#include "runtime/util/json.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* ---- reading ---- */

static bool is_plain(const json_t *value)
{
    static const char *const plain[] = {"tok", "argmax", "eos", "learnable", "linear"};
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
    static const char *const keys[] = {
        "hf_model_name", "attentional_pool", "no_ln_pre", "embed_cls",           "no_causal_mask",     "pool_type",
        "proj_bias",     "proj_type",        "qk_norm",   "ls_init_value",       "scaled_cosine_attn", "scale_heads",
        "scale_attn",    "scale_attn_inner", "scale_fc",  "final_ln_after_pool", "pos_embed_type"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (!is_plain(json_object_get(tower, keys[i])))
            return error_set(err, EXIT_BAD_DATA, "%s: a tower with \"%s\" is not supported", path, keys[i]);
    return 0;
}

static void set_int(json_t *config, const char *key, int value)
{
    json_object_set_new(config, key, json_integer(value));
}

/* What both of open_clip's own towers have. */
static int translate_blocks(json_t *out, const json_t *tower, bool quick_gelu, const char *path, struct error *err)
{
    int layers, width;
    if (json_need_int(&layers, tower, "layers", 1, 1000, path, err) != 0 ||
        json_need_int(&width, tower, "width", 1, 65536, path, err) != 0)
        return -1;
    double ratio = json_real_or(tower, "mlp_ratio", 4);
    if (!(ratio > 0 && ratio <= 64))
        return error_set(err, EXIT_BAD_DATA, "%s: \"mlp_ratio\" is not a number up to 64", path);
    bool tanh = strcmp(json_text_or(json_object_get(tower, "act_kwargs"), "approximate", "none"), "tanh") == 0;
    const char *activation = quick_gelu ? "quick_gelu" : tanh ? "gelu_pytorch_tanh" : "gelu";
    json_object_set_new(out, "hidden_act", json_string(activation));
    set_int(out, "hidden_size", width);
    set_int(out, "intermediate_size", (int)(width * ratio));
    set_int(out, "num_hidden_layers", layers);
    json_object_set_new(out, "layer_norm_eps",
                        json_real(json_real_or(json_object_get(tower, "norm_kwargs"), "eps", 1e-5)));
    return 0;
}

/* timm's towers: what stands behind them is a projection, nothing, or (an empty timm_proj) timm's own classifier. */
static int translate_timm(json_t *out, const json_t *vision, int dim, const char *path, struct error *err)
{
    const char *projection = json_text_or(vision, "timm_proj", "linear");
    if (json_is_null(json_object_get(vision, "timm_proj")))
        projection = "";
    if (strcmp(projection, "mlp") == 0 || json_bool_or(vision, "timm_proj_bias", false))
        return error_set(err, EXIT_BAD_DATA, "%s: \"timm_proj\" is an MLP or has a bias, which is not supported", path);
    json_object_set_new(out, "architecture", json_string(json_text_or(vision, "timm_model_name", "")));
    json_object_set_new(out, "global_pool", json_string(json_text_or(vision, "timm_pool", "avg")));
    set_int(out, "image_size", json_int_or(vision, "image_size", 224));
    if (strcmp(projection, "linear") == 0)
        set_int(out, "oclip_projection_dim", dim);
    return 0;
}

static int translate_resnet(json_t *out, const json_t *vision, int dim, const char *path, struct error *err)
{
    int width = json_int_or(vision, "width", 64), head_width = json_int_or(vision, "head_width", 64);
    if (refuse_variants(vision, path, err) != 0)
        return -1;
    json_object_set_new(out, "model_type", json_string("clip_resnet")); /* see config_image.h */
    json_object_set(out, "layers", json_object_get(vision, "layers"));
    set_int(out, "width", width);
    set_int(out, "heads", head_width > 0 && width < 65536 ? 32 * width / head_width : 0);
    set_int(out, "image_size", json_int_or(vision, "image_size", 224));
    set_int(out, "oclip_projection_dim", dim);
    return 0;
}

static int translate_vision(json_t *out, const json_t *model, int dim, const char *path, struct error *err)
{
    const json_t *vision = json_object_get(model, "vision_cfg");
    if (json_text_or(vision, "timm_model_name", "")[0])
        return translate_timm(out, vision, dim, path, err);
    if (json_is_array(json_object_get(vision, "layers")))
        return translate_resnet(out, vision, dim, path, err);
    int patch, side, head_width = 64;
    if (refuse_variants(vision, path, err) != 0 ||
        translate_blocks(out, vision, json_bool_or(model, "quick_gelu", false), path, err) != 0 ||
        json_need_int(&patch, vision, "patch_size", 1, 4096, path, err) != 0 ||
        json_need_int(&side, vision, "image_size", 1, 4096, path, err) != 0 ||
        (json_object_get(vision, "head_width") &&
         json_need_int(&head_width, vision, "head_width", 1, 65536, path, err) != 0))
        return -1;
    json_object_set_new(out, "model_type", json_string("clip_vision_model"));
    set_int(out, "num_attention_heads", json_int_or(vision, "width", 0) / head_width);
    set_int(out, "patch_size", patch);
    set_int(out, "image_size", side);
    set_int(out, "oclip_projection_dim", dim);
    return 0;
}

/* SigLIP's text tower: no mask, the last token, a projection with a bias. */
static bool is_siglip_text(const json_t *text)
{
    return json_bool_or(text, "no_causal_mask", false) && json_bool_or(text, "proj_bias", false) &&
           strcmp(json_text_or(text, "pool_type", ""), "last") == 0;
}

static int translate_siglip_text(json_t *out, const json_t *text, int dim)
{
    int vocabulary = json_int_or(text, "vocab_size", 49408);
    json_object_set_new(out, "model_type", json_string("siglip_text_model"));
    set_int(out, "projection_size", dim);
    /* What its tokenizer fills up with: "</s>" in SigLIP's of 32,000 pieces, "<pad>" in Gemma's of SigLIP 2. */
    set_int(out, "pad_token_id", vocabulary == 32000 ? 1 : 0);
    return 0;
}

static int translate_clip_text(json_t *out, const json_t *text, int dim, const char *path, struct error *err)
{
    if (refuse_variants(text, path, err) != 0)
        return -1;
    json_object_set_new(out, "model_type", json_string("clip_text_model"));
    set_int(out, "oclip_projection_dim", dim);
    set_int(out, "eos_token_id", 2); /* for transformers: the largest id ends a text */
    return 0;
}

static int translate_text(json_t *out, const json_t *model, int dim, const char *path, struct error *err)
{
    const json_t *text = json_object_get(model, "text_cfg");
    if (json_text_or(text, "hf_model_name", "")[0])
        return refuse_variants(text, path, err);
    if (translate_blocks(out, text, json_bool_or(model, "quick_gelu", false), path, err) != 0 ||
        (is_siglip_text(text) ? translate_siglip_text(out, text, dim)
                              : translate_clip_text(out, text, dim, path, err)) != 0)
        return -1;
    set_int(out, "num_attention_heads", json_int_or(text, "heads", 8));
    set_int(out, "max_position_embeddings", json_int_or(text, "context_length", 77));
    set_int(out, "vocab_size", json_int_or(text, "vocab_size", 49408));
    return 0;
}

int open_clip_config_read(json_t **config, const char *path, struct error *err)
{
    json_t *whole;
    if (json_read(&whole, path, err) != 0)
        return -1;
    const json_t *model = json_object_get(whole, "model_cfg");
    json_t *vision = json_object(), *text = json_object();
    int dim, result = -1;
    *config = json_pack("{s:s, s:s, s:o, s:o, s:O, s:b}", "model_type", "open_clip", "oclip_head", "none",
                        "vision_config", vision, "text_config", text, "oclip_open_clip", whole, "oclip_logit_bias",
                        json_is_number(json_object_get(model, "init_logit_bias")));
    if (json_need_int(&dim, model, "embed_dim", 1, 65536, path, err) == 0 &&
        translate_vision(vision, model, dim, path, err) == 0 && translate_text(text, model, dim, path, err) == 0) {
        set_int(*config, "projection_dim", dim);
        result = 0;
    }
    if (result != 0)
        json_decref(*config);
    json_decref(whole);
    return result;
}

/* ---- writing ---- */

/* open_clip makes the MLP's width of it by truncation. */
static double mlp_ratio(const struct transformer_config *blocks)
{
    double ratio = (double)blocks->mlp_width / blocks->width;
    return (int)(blocks->width * ratio) == blocks->mlp_width ? ratio : nextafter(ratio, INFINITY);
}

static json_t *describe_blocks(const struct transformer_config *blocks)
{
    json_t *tower =
        json_pack("{s:i, s:i, s:f}", "layers", blocks->layers, "width", blocks->width, "mlp_ratio", mlp_ratio(blocks));
    if (fabsf(blocks->norm_eps - 1e-5f) > 1e-12f)
        json_object_set_new(tower, "norm_kwargs", json_pack("{s:f}", "eps", (double)blocks->norm_eps));
    if (blocks->activation == ACTIVATION_GELU_TANH)
        json_object_set_new(tower, "act_kwargs", json_pack("{s:s}", "approximate", "tanh"));
    return tower;
}

json_t *open_clip_config_describe(const struct vit_config *image, const struct text_config *text)
{
    bool quick = image->blocks.activation == ACTIVATION_QUICK_GELU;
    if (quick != (text->blocks.activation == ACTIVATION_QUICK_GELU))
        return NULL;
    json_t *vision = describe_blocks(&image->blocks), *words = describe_blocks(&text->blocks);
    set_int(vision, "head_width", image->blocks.width / image->blocks.heads);
    set_int(vision, "patch_size", image->patch);
    set_int(vision, "image_size", image->patch * image->position_side);
    set_int(words, "heads", text->blocks.heads);
    set_int(words, "context_length", text->positions);
    set_int(words, "vocab_size", text->vocabulary);
    json_t *model =
        json_pack("{s:i, s:o, s:o}", "embed_dim", image->projection, "vision_cfg", vision, "text_cfg", words);
    if (quick)
        json_object_set_new(model, "quick_gelu", json_true());
    return model;
}
