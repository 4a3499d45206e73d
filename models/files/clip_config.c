#include "models/files/clip_config.h"

#include "models/files/open_clip_config.h"
#include "runtime/util/file.h"
#include "runtime/util/json.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* The tower's config, which may be missing, with what is taken for granted where it is silent. */
static json_t *complete_tower(json_t *config, const char *key, const char *type, json_t *defaults)
{
    json_t *tower = json_object_get(config, key);
    if (!json_is_object(tower)) {
        tower = json_object();
        json_object_set_new(config, key, tower);
    }
    json_object_set_new(tower, "model_type", json_string(type));
    json_object_update_missing(tower, defaults);
    json_decref(defaults);
    return tower;
}

/* The defaults are those of CLIPVisionConfig and CLIPTextConfig. */
static void complete_clip(json_t *config)
{
    json_object_update_missing_new(config, json_pack("{s:i}", "projection_dim", 512));
    json_t *vision =
        complete_tower(config, "vision_config", "clip_vision_model",
                       json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:s, s:f}", "hidden_size", 768, "intermediate_size",
                                 3072, "num_hidden_layers", 12, "num_attention_heads", 12, "image_size", 224,
                                 "patch_size", 32, "hidden_act", "quick_gelu", "layer_norm_eps", 1e-5));
    json_t *text =
        complete_tower(config, "text_config", "clip_text_model",
                       json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:s, s:f}", "hidden_size", 512, "intermediate_size",
                                 2048, "num_hidden_layers", 12, "num_attention_heads", 8, "max_position_embeddings", 77,
                                 "vocab_size", 49408, "hidden_act", "quick_gelu", "layer_norm_eps", 1e-5));
    json_object_set(vision, "oclip_projection_dim", json_object_get(config, "projection_dim"));
    json_object_set(text, "oclip_projection_dim", json_object_get(config, "projection_dim"));
    json_object_set_new(config, "oclip_head", json_string("none"));
}

/* The defaults are those of SiglipVisionConfig and SiglipTextConfig. */
static void complete_siglip(json_t *config)
{
    json_t *vision =
        complete_tower(config, "vision_config", "siglip_vision_model",
                       json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:s, s:f}", "hidden_size", 768, "intermediate_size",
                                 3072, "num_hidden_layers", 12, "num_attention_heads", 12, "image_size", 224,
                                 "patch_size", 16, "hidden_act", "gelu_pytorch_tanh", "layer_norm_eps", 1e-6));
    complete_tower(config, "text_config", "siglip_text_model",
                   json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:s, s:f, s:i}", "hidden_size", 768, "intermediate_size",
                             3072, "num_hidden_layers", 12, "num_attention_heads", 12, "max_position_embeddings", 64,
                             "vocab_size", 32000, "hidden_act", "gelu_pytorch_tanh", "layer_norm_eps", 1e-6,
                             "pad_token_id", 1));
    json_object_set(config, "projection_dim", json_object_get(vision, "hidden_size"));
    json_object_set_new(config, "oclip_head", json_string("none"));
    json_object_set_new(config, "oclip_logit_bias", json_true());
}

/* transformers takes BERT's and ViT's pooled output; pairs that oclip trained say what they take. */
static void complete_dual_encoder(json_t *config)
{
    static const char *const towers[] = {"vision_config", "text_config"};
    for (int i = 0; i < 2; i++)
        json_object_update_missing_new(json_object_get(config, towers[i]),
                                       json_pack("{s:s}", "oclip_pooling", "pooler"));
    json_object_update_missing_new(config, json_pack("{s:i, s:s}", "projection_dim", 512, "oclip_head", "linear"));
}

static void complete(json_t *config)
{
    static const struct {
        const char *model_type;
        void (*complete)(json_t *config);
    } kinds[] = {
        {"clip", complete_clip}, {"siglip", complete_siglip}, {"vision-text-dual-encoder", complete_dual_encoder}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(json_text_or(config, "model_type", ""), kinds[i].model_type) == 0)
            kinds[i].complete(config);
}

static int check_pair(const json_t *config, const char *path, struct error *err)
{
    const char *type = json_text_or(config, "model_type", "none");
    if (json_is_object(json_object_get(config, "vision_config")) &&
        json_is_object(json_object_get(config, "text_config")) && strcmp(type, "siglip2") != 0)
        return 0;
    return error_set(
        err, EXIT_BAD_DATA,
        "%s: model_type \"%s\" is no dual encoder that oclip knows (clip, siglip, vision-text-dual-encoder, "
        "open_clip's, or what trainer saved)",
        path, type);
}

int clip_config_read(json_t **config, const char *folder, struct error *err)
{
    char *path = path_join(folder, "config.json"), *open_clip = path_join(folder, "open_clip_config.json");
    bool translated = !file_exists(path) && file_exists(open_clip);
    int result = translated ? open_clip_config_read(config, open_clip, err) : json_read(config, path, err);
    if (result == 0) {
        complete(*config);
        result = check_pair(*config, path, err);
        if (result != 0)
            json_decref(*config);
    }
    free(open_clip);
    free(path);
    return result;
}
