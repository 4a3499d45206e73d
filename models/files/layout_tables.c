/* The tables of models/files/layout.h: one a library and model. */
#include "models/files/layout.h"

#include <stddef.h>

#define TENSOR(our_name, their_name)                                                                                   \
    {                                                                                                                  \
        .ours = our_name, .theirs = their_name                                                                         \
    }
#define PART(our_name, their_name, number, count)                                                                      \
    {                                                                                                                  \
        .ours = our_name, .theirs = their_name, .part = number, .parts = count                                         \
    }
#define WEIGHT_AND_BIAS(ours, theirs) TENSOR(ours ".weight", theirs ".weight"), TENSOR(ours ".bias", theirs ".bias")
#define QKV(theirs, q, k, v)                                                                                           \
    PART("%d.qkv.weight", theirs q ".weight", 0, 3), PART("%d.qkv.weight", theirs k ".weight", 1, 3),                  \
        PART("%d.qkv.weight", theirs v ".weight", 2, 3), PART("%d.qkv.bias", theirs q ".bias", 0, 3),                  \
        PART("%d.qkv.bias", theirs k ".bias", 1, 3), PART("%d.qkv.bias", theirs v ".bias", 2, 3)
#define END TENSOR(NULL, NULL)

/* transformers' Dinov2Model */
static const struct layout_row dinov2_rows[] = {
    {.ours = "class_token", .theirs = "embeddings.cls_token", .leading_ones = 2},
    {.ours = "position", .theirs = "embeddings.position_embeddings", .leading_ones = 1},
    WEIGHT_AND_BIAS("patch", "embeddings.patch_embeddings.projection"),
    WEIGHT_AND_BIAS("%d.norm1", "encoder.layer.%d.norm1"),
    QKV("encoder.layer.%d.attention.attention.", "query", "key", "value"),
    WEIGHT_AND_BIAS("%d.out", "encoder.layer.%d.attention.output.dense"),
    TENSOR("%d.scale1", "encoder.layer.%d.layer_scale1.lambda1"),
    WEIGHT_AND_BIAS("%d.norm2", "encoder.layer.%d.norm2"),
    WEIGHT_AND_BIAS("%d.fc1", "encoder.layer.%d.mlp.fc1"),
    WEIGHT_AND_BIAS("%d.fc2", "encoder.layer.%d.mlp.fc2"),
    TENSOR("%d.scale2", "encoder.layer.%d.layer_scale2.lambda1"),
    WEIGHT_AND_BIAS("norm", "layernorm"),
    END,
};
const struct layout layout_dinov2 = {.name = "dinov2", .rows = dinov2_rows};

/* timm's VisionTransformer */
static const struct layout_row timm_vit_rows[] = {
    {.ours = "class_token", .theirs = "cls_token", .leading_ones = 2},
    {.ours = "position", .theirs = "pos_embed", .leading_ones = 1},
    WEIGHT_AND_BIAS("patch", "patch_embed.proj"),
    WEIGHT_AND_BIAS("%d.norm1", "blocks.%d.norm1"),
    WEIGHT_AND_BIAS("%d.qkv", "blocks.%d.attn.qkv"),
    WEIGHT_AND_BIAS("%d.out", "blocks.%d.attn.proj"),
    TENSOR("%d.scale1", "blocks.%d.ls1.gamma"),
    WEIGHT_AND_BIAS("%d.norm2", "blocks.%d.norm2"),
    WEIGHT_AND_BIAS("%d.fc1", "blocks.%d.mlp.fc1"),
    WEIGHT_AND_BIAS("%d.fc2", "blocks.%d.mlp.fc2"),
    TENSOR("%d.scale2", "blocks.%d.ls2.gamma"),
    WEIGHT_AND_BIAS("norm", "norm"),
    WEIGHT_AND_BIAS("classifier", "head"),
    END,
};
const struct layout layout_timm_vit = {.name = "timm vit", .rows = timm_vit_rows};

/* transformers' BertModel */
static const struct layout_row bert_rows[] = {
    TENSOR("word", "embeddings.word_embeddings.weight"),
    TENSOR("position", "embeddings.position_embeddings.weight"),
    TENSOR("type", "embeddings.token_type_embeddings.weight"),
    WEIGHT_AND_BIAS("norm", "embeddings.LayerNorm"),
    QKV("encoder.layer.%d.attention.self.", "query", "key", "value"),
    WEIGHT_AND_BIAS("%d.out", "encoder.layer.%d.attention.output.dense"),
    WEIGHT_AND_BIAS("%d.norm1", "encoder.layer.%d.attention.output.LayerNorm"),
    WEIGHT_AND_BIAS("%d.fc1", "encoder.layer.%d.intermediate.dense"),
    WEIGHT_AND_BIAS("%d.fc2", "encoder.layer.%d.output.dense"),
    WEIGHT_AND_BIAS("%d.norm2", "encoder.layer.%d.output.LayerNorm"),
    END,
};
const struct layout layout_bert = {.name = "bert", .rows = bert_rows};

/* transformers' CLIPModel. The projections stand outside the towers, so these names start at the file's root. */
#define CLIP_BLOCKS(theirs)                                                                                            \
    WEIGHT_AND_BIAS("%d.norm1", theirs "layer_norm1"), QKV(theirs "self_attn.", "q_proj", "k_proj", "v_proj"),         \
        WEIGHT_AND_BIAS("%d.out", theirs "self_attn.out_proj"), WEIGHT_AND_BIAS("%d.norm2", theirs "layer_norm2"),     \
        WEIGHT_AND_BIAS("%d.fc1", theirs "mlp.fc1"), WEIGHT_AND_BIAS("%d.fc2", theirs "mlp.fc2")

static const struct layout_row clip_vision_rows[] = {
    TENSOR("class_token", "vision_model.embeddings.class_embedding"),
    TENSOR("position", "vision_model.embeddings.position_embedding.weight"),
    TENSOR("patch.weight", "vision_model.embeddings.patch_embedding.weight"),
    WEIGHT_AND_BIAS("norm_before", "vision_model.pre_layrnorm"), /* their spelling */
    CLIP_BLOCKS("vision_model.encoder.layers.%d."),
    WEIGHT_AND_BIAS("norm", "vision_model.post_layernorm"),
    TENSOR("projection.weight", "visual_projection.weight"),
    END,
};
const struct layout layout_clip_vision = {.name = "clip vision", .rows = clip_vision_rows, .rooted = true};

static const struct layout_row clip_text_rows[] = {
    TENSOR("word", "text_model.embeddings.token_embedding.weight"),
    TENSOR("position", "text_model.embeddings.position_embedding.weight"),
    CLIP_BLOCKS("text_model.encoder.layers.%d."),
    WEIGHT_AND_BIAS("norm", "text_model.final_layer_norm"),
    TENSOR("projection.weight", "text_projection.weight"),
    END,
};
const struct layout layout_clip_text = {.name = "clip text", .rows = clip_text_rows, .rooted = true};

/* open_clip's CLIP, and OpenAI's own */
#define OPEN_CLIP_BLOCKS(theirs)                                                                                       \
    WEIGHT_AND_BIAS("%d.norm1", theirs "ln_1"), TENSOR("%d.qkv.weight", theirs "attn.in_proj_weight"),                 \
        TENSOR("%d.qkv.bias", theirs "attn.in_proj_bias"), WEIGHT_AND_BIAS("%d.out", theirs "attn.out_proj"),          \
        WEIGHT_AND_BIAS("%d.norm2", theirs "ln_2"), WEIGHT_AND_BIAS("%d.fc1", theirs "mlp.c_fc"),                      \
        WEIGHT_AND_BIAS("%d.fc2", theirs "mlp.c_proj")

static const struct layout_row open_clip_visual_rows[] = {
    TENSOR("class_token", "visual.class_embedding"),
    TENSOR("position", "visual.positional_embedding"),
    TENSOR("patch.weight", "visual.conv1.weight"),
    WEIGHT_AND_BIAS("norm_before", "visual.ln_pre"),
    OPEN_CLIP_BLOCKS("visual.transformer.resblocks.%d."),
    WEIGHT_AND_BIAS("norm", "visual.ln_post"),
    {.ours = "projection.weight", .theirs = "visual.proj", .transposed = true},
    END,
};
const struct layout layout_open_clip_visual = {
    .name = "open_clip visual", .rows = open_clip_visual_rows, .rooted = true};

static const struct layout_row open_clip_text_rows[] = {
    TENSOR("word", "token_embedding.weight"),
    TENSOR("position", "positional_embedding"),
    OPEN_CLIP_BLOCKS("transformer.resblocks.%d."),
    WEIGHT_AND_BIAS("norm", "ln_final"),
    {.ours = "projection.weight", .theirs = "text_projection", .transposed = true},
    END,
};
const struct layout layout_open_clip_text = {.name = "open_clip text", .rows = open_clip_text_rows, .rooted = true};

static const struct layout_row head_mlp_rows[] = {
    WEIGHT_AND_BIAS("fc1", "fc1"),
    WEIGHT_AND_BIAS("fc2", "fc2"),
    WEIGHT_AND_BIAS("norm", "norm"),
    END,
};
const struct layout layout_head_mlp = {.name = "mlp head", .rows = head_mlp_rows};

static const struct layout_row head_linear_rows[] = {TENSOR("fc1.weight", "weight"), END};
const struct layout layout_head_linear = {.name = "linear head", .rows = head_linear_rows};

static const struct layout_row head_none_rows[] = {END};
const struct layout layout_head_none = {.name = "no head", .rows = head_none_rows};

static const struct layout_row logit_scale_rows[] = {
    {.ours = "logit_scale", .theirs = "logit_scale", .leading_ones = LAYOUT_SCALAR},
    END,
};
const struct layout layout_logit_scale = {.name = "logit scale", .rows = logit_scale_rows};
