/* Dual encoders to folders: clip_save, clip_save_lora. A table says in which forms a model can be written, and by whose
 * names. */
#include "models/clip_files.h"

#include "models/files/lora.h"
#include "models/files/open_clip_config.h"
#include "runtime/util/file.h"
#include "runtime/util/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what a model is ---- */

/* The image tower's config if it is a vision transformer, or NULL. */
static const struct vit_config *vit_of(const struct clip *clip)
{
    return clip->image.kind == &image_vit ? &clip->image.vit.config : NULL;
}

/* CLIP's own image tower, whoever wrote it. */
static bool has_clip_image(const struct clip *clip)
{
    const struct vit_config *image = vit_of(clip);
    return image && image->projection > 0 && image->pooling == VIT_CLASS_TOKEN && image->norm_before &&
           !image->patch_bias && !image->patches_only && !image->norm_after_pooling && !image->classes &&
           !image->blocks.layer_scale;
}

static bool is_clip(const struct clip *clip)
{
    const struct text_config *text = &clip->text.config;
    return clip->image_head.kind == HEAD_NONE && has_clip_image(clip) && text->kind == &text_clip &&
           text->projection > 0 && !text->projection_bias && text->blocks.causal && !clip->logit_bias;
}

static bool is_siglip(const struct clip *clip)
{
    const struct vit_config *image = vit_of(clip);
    const struct text_config *text = &clip->text.config;
    return clip->image_head.kind == HEAD_NONE && image && image->patches_only && image->pooling == VIT_ATTENTION &&
           image->patch_bias && !image->norm_before && !image->projection && !image->classes &&
           !image->blocks.layer_scale && text->kind == &text_clip && text->projection_bias && text->padded > 0 &&
           !text->blocks.causal && clip->logit_bias;
}

/* open_clip has one word for the activation of both towers. */
static bool is_open_clip(const struct clip *clip)
{
    return is_clip(clip) && (vit_of(clip)->blocks.activation == ACTIVATION_QUICK_GELU) ==
                                (clip->text.config.blocks.activation == ACTIVATION_QUICK_GELU);
}

static bool came_from_open_clip(const struct clip *clip)
{
    return clip->open_clip != NULL;
}

/* Linear heads, or CLIP's projections in their place, behind towers that transformers has. */
static bool is_dual_encoder(const struct clip *clip)
{
    bool timm = clip->image_layout == &layout_timm_vit || clip->image_layout == &layout_timm_resnet;
    return (clip->image_head.kind == HEAD_LINEAR || is_clip(clip)) && !timm && !clip->logit_bias;
}

static bool is_trained_pair(const struct clip *clip)
{
    return clip->image_head.kind != HEAD_NONE;
}

/* ---- its config ---- */

/* `config` over what the tower's folder said, if that was in the same terms. */
static json_t *over_original(json_t *config, const json_t *original)
{
    json_t *whole = json_object();
    if (strcmp(json_text_or(original, "model_type", ""), json_text_or(config, "model_type", "none")) == 0)
        json_object_update(whole, (json_t *)(size_t)original);
    json_object_update(whole, config);
    json_decref(config);
    return whole;
}

/* A float of ours as the shortest decimal that gives it back: 1e-05, not 9.9999997e-06. */
static double shortest(float value)
{
    char text[32];
    for (int digits = 1; digits < 10; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, (double)value);
        if (strtof(text, NULL) == value)
            break;
    }
    return strtod(text, NULL);
}

static json_t *describe_blocks(const struct transformer_config *blocks, const char *type)
{
    return json_pack("{s:s, s:i, s:i, s:i, s:i, s:s, s:f}", "model_type", type, "hidden_size", blocks->width,
                     "intermediate_size", blocks->mlp_width, "num_hidden_layers", blocks->layers, "num_attention_heads",
                     blocks->heads, "hidden_act", activation_name(blocks->activation), "layer_norm_eps",
                     shortest(blocks->norm_eps));
}

static json_t *describe_image(const struct clip *clip, const char *type)
{
    const struct vit_config *image = vit_of(clip);
    json_t *config = describe_blocks(&image->blocks, type);
    json_object_update_new(
        config, json_pack("{s:i, s:i}", "patch_size", image->patch, "image_size", image->patch * image->position_side));
    if (image->projection)
        json_object_set_new(config, "projection_dim", json_integer(image->projection));
    return over_original(config, clip->vision_config);
}

static json_t *describe_text(const struct clip *clip, const char *type)
{
    const struct text_config *text = &clip->text.config;
    json_t *config = describe_blocks(&text->blocks, type);
    json_object_update_new(
        config, json_pack("{s:i, s:i}", "max_position_embeddings", text->positions, "vocab_size", text->vocabulary));
    if (text->padded)
        json_object_update_new(
            config, json_pack("{s:i, s:i}", "projection_size", text->projection, "pad_token_id", text->padding));
    else
        json_object_set_new(config, "projection_dim", json_integer(text->projection));
    return over_original(config, clip->text_config);
}

static json_t *clip_model_config(const struct clip *clip)
{
    return json_pack("{s:s, s:[s], s:i, s:o, s:o}", "model_type", "clip", "architectures", "CLIPModel",
                     "projection_dim", clip->embed_dim, "vision_config", describe_image(clip, "clip_vision_model"),
                     "text_config", describe_text(clip, "clip_text_model"));
}

static json_t *siglip_model_config(const struct clip *clip)
{
    return json_pack("{s:s, s:[s], s:o, s:o}", "model_type", "siglip", "architectures", "SiglipModel", "vision_config",
                     describe_image(clip, "siglip_vision_model"), "text_config",
                     describe_text(clip, "siglip_text_model"));
}

static json_t *dual_encoder_config(const struct clip *clip)
{
    json_t *vision = json_copy(clip->vision_config), *text = json_copy(clip->text_config);
    enum head_kind kind = clip->image_head.kind;
    if (kind == HEAD_NONE) { /* the towers' projections are the heads there */
        kind = HEAD_LINEAR;
        json_decref(vision);
        json_decref(text);
        vision = describe_image(clip, "clip_vision_model");
        text = describe_text(clip, "clip_text_model");
        json_object_del(vision, "oclip_projection_dim");
        json_object_del(text, "oclip_projection_dim");
    }
    json_t *config =
        json_pack("{s:s, s:[s], s:i, s:o, s:o, s:s, s:f, s:i, s:b, s:b}", "model_type", "vision-text-dual-encoder",
                  "architectures", "VisionTextDualEncoderModel", "projection_dim", clip->embed_dim, "vision_config",
                  vision, "text_config", text, "oclip_head", head_names[kind], "oclip_head_dropout",
                  (double)clip->image_head.dropout, "oclip_max_tokens", clip->max_tokens, "oclip_raw_scale",
                  clip->raw_scale, "oclip_unnormalised", clip->unnormalised);
    if (clip->logit_bias)
        json_object_set_new(config, "oclip_logit_bias", json_true());
    return config;
}

static json_t *original_open_clip_config(const struct clip *clip)
{
    return json_copy(clip->open_clip);
}

static json_t *open_clip_config(const struct clip *clip)
{
    static const char *const modes[] = {
        [FIT_SHORT_SIDE] = "shortest", [FIT_LONG_SIDE] = "longest", [FIT_SQUASH] = "squash"};
    const struct preprocess *preprocess = &clip->preprocess;
    json_t *model = open_clip_config_describe(vit_of(clip), &clip->text.config), *mean = json_array(),
           *std = json_array();
    for (int i = 0; i < 3; i++) {
        json_array_append_new(mean, json_real(shortest(preprocess->mean[i])));
        json_array_append_new(std, json_real(shortest(preprocess->std[i])));
    }
    return json_pack("{s:o?, s:{s:o, s:o, s:s, s:s}}", "model_cfg", model, "preprocess_cfg", "mean", mean, "std", std,
                     "interpolation", preprocess->filter->name, "resize_mode", modes[preprocess->fit]);
}

/* ---- the forms ---- */

/* A form of Hugging Face's has preprocessor_config.json beside it, and names its own layouts or takes the towers'. */
static const struct form {
    const char *format; /* what asks for it; NULL: only where no format is asked for */
    bool (*fits)(const struct clip *clip);
    json_t *(*config)(const struct clip *clip);
    bool open_clip; /* the files' names are open_clip's */
    bool as_stored; /* the weights keep the names that they had when they were read */
    const struct layout *image, *text, *scales;
} forms[] = {
    {"hf", is_clip, clip_model_config, false, false, &layout_clip_vision, &layout_clip_text, &layout_scales},
    {"hf", is_siglip, siglip_model_config, false, false, &layout_siglip_vision, &layout_siglip_text,
     &layout_siglip_scales},
    {"open_clip", came_from_open_clip, original_open_clip_config, true, true, NULL, NULL, &layout_scales},
    {"open_clip", is_open_clip, open_clip_config, true, false, &layout_open_clip_visual, &layout_open_clip_text,
     &layout_scales},
    {"dual-encoder", is_dual_encoder, dual_encoder_config, false, false, NULL, NULL, &layout_scales},
    {NULL, is_trained_pair, dual_encoder_config, false, false, NULL, NULL, &layout_scales},
};

static int find_form(const struct form **form, const struct clip *clip, const char *format, struct error *err)
{
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        *form = &forms[i];
        bool asked = !format || (forms[i].format && strcmp(forms[i].format, format) == 0);
        if (asked && forms[i].fits(clip))
            return 0;
    }
    return error_set(err, EXIT_USAGE,
                     "a model of %s and %s towers with %s heads cannot be written as \"%s\" (hf: CLIP's or SigLIP's "
                     "towers; open_clip: CLIP's, or a model that came from there; dual-encoder: linear heads)",
                     clip->stored.image->name, clip->stored.text->name, head_names[clip->image_head.kind],
                     format ? format : "a whole");
}

static int save_config(const struct clip *clip, const struct form *form, enum stored_dtype dtype, const char *folder,
                       struct error *err)
{
    static const char *const torch_names[] = {
        [STORED_F32] = "float32", [STORED_F16] = "float16", [STORED_BF16] = "bfloat16"};
    json_t *config = form->config(clip);
    CHECK(config, "cannot make the config of a model");
    if (!form->open_clip)
        json_object_set_new(config, "dtype", json_string(torch_names[dtype]));
    char *path = path_join(folder, form->open_clip ? "open_clip_config.json" : "config.json");
    int result = json_write(config, path, err);
    json_decref(config);
    free(path);
    return result;
}

/* What was let lie when the model was read, where the form has a place for it. */
static void collect_spares(struct tensor_list *list, const struct clip *clip, const struct layout *image,
                           const struct layout *text)
{
    for (int i = 0; i < clip->stored.spares.count; i++) {
        const struct stored_tensor *spare = &clip->stored.spares.items[i];
        if (layout_spares(image, image->prefixes[0], spare->name) ||
            layout_spares(text, text->prefixes[0], spare->name))
            tensor_list_add_copy(list, spare);
    }
}

static const struct layout *image_layout_of(const struct form *form, const struct clip *clip)
{
    return form->as_stored ? clip->stored.image : form->image ? form->image : clip->image_layout;
}

static const struct layout *text_layout_of(const struct form *form, const struct clip *clip)
{
    return form->as_stored ? clip->stored.text : form->text ? form->text : clip->text_layout;
}

static int save_weights(const struct clip *clip, const struct form *form, enum stored_dtype dtype, const char *folder,
                        struct error *err)
{
    struct tensor_list list = {0};
    const struct arena *arena = clip->arena;
    const struct layout *head = clip_head_layouts[clip->image_head.kind];
    const struct layout *image = image_layout_of(form, clip), *text = text_layout_of(form, clip);
    layout_collect(&list, arena, image, "image", clip->image.layers, image->prefixes[0], dtype);
    layout_collect(&list, arena, text, "text", clip->text.config.blocks.layers, text->prefixes[0], dtype);
    layout_collect(&list, arena, head, "image_head", 1, "visual_projection.", dtype);
    layout_collect(&list, arena, head, "text_head", 1, "text_projection.", dtype);
    layout_collect(&list, arena, form->scales, "", 1, "", dtype);
    collect_spares(&list, clip, image, text);

    char *path = path_join(folder, form->open_clip ? "open_clip_model.safetensors" : "model.safetensors");
    int result = device_finish(clip->dev, err); /* numbers of a failed device are never written */
    if (result == 0)
        result = safetensors_write(path, list.items, list.count, NULL, err);
    tensor_list_free(&list);
    free(path);
    return result;
}

int clip_save_as(const struct clip *clip, const char *folder, const char *format, enum stored_dtype dtype,
                 struct error *err)
{
    CHECK(clip->has_heads && clip->vision_config && clip->text_config, "only a dual encoder from folders is saved");
    CHECK(dtype <= STORED_BF16, "weights are not written as %s", stored_dtypes[dtype].name);
    const struct form *form;
    if (find_form(&form, clip, format, err) != 0 || file_make_folders(folder, err) != 0 ||
        save_config(clip, form, dtype, folder, err) != 0)
        return -1;
    if (!form->open_clip && preprocess_write(&clip->preprocess, folder, err) != 0)
        return -1;
    if (clip->folder && strcmp(folder, clip->folder) != 0 && tokenizer_copy_files(folder, clip->folder, err) != 0)
        return -1;
    return save_weights(clip, form, dtype, folder, err);
}

int clip_save(const struct clip *clip, const char *folder, struct error *err)
{
    return clip_save_as(clip, folder, NULL, STORED_F32, err);
}

int clip_save_lora(const struct clip *clip, const char *folder, const char *base, struct error *err)
{
    struct tensor_list list = {0};
    const struct form *form;
    if (find_form(&form, clip, NULL, err) != 0)
        return -1;
    const struct layout *image = image_layout_of(form, clip), *text = text_layout_of(form, clip);
    const struct layout *head = clip_head_layouts[clip->image_head.kind];
    bool heads = clip->image_head.kind != HEAD_NONE;
    layout_collect_updates(&list, clip->arena, image, "image", clip->image.layers, image->prefixes[0]);
    layout_collect_updates(&list, clip->arena, text, "text", clip->text.config.blocks.layers, text->prefixes[0]);
    if (list.count == 0)
        return 0;
    layout_collect(&list, clip->arena, head, "image_head", 1, LORA_PREFIX "visual_projection.", STORED_F32);
    layout_collect(&list, clip->arena, head, "text_head", 1, LORA_PREFIX "text_projection.", STORED_F32);
    int result = device_finish(clip->dev, err); /* numbers of a failed device are never written */
    if (result == 0)
        result = lora_write(folder, &list, &clip->training.lora, base,
                            heads ? json_pack("[s, s]", "visual_projection", "text_projection") : json_null(), err);
    tensor_list_free(&list);
    return result;
}
