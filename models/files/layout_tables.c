/* The tables of models/files/layout.h: one a library and model. */
#include "models/files/layout_rows.h"

#define PIECE(our_name, their_name, first, count, total)                                                               \
    {                                                                                                                  \
        .ours = our_name, .theirs = their_name, .piece = first, .span = count, .pieces = total                         \
    }
#define QKV(theirs, q, k, v)                                                                                           \
    PART("%d.qkv.weight", theirs q ".weight", 0, 3), PART("%d.qkv.weight", theirs k ".weight", 1, 3),                  \
        PART("%d.qkv.weight", theirs v ".weight", 2, 3), PART("%d.qkv.bias", theirs q ".bias", 0, 3),                  \
        PART("%d.qkv.bias", theirs k ".bias", 1, 3), PART("%d.qkv.bias", theirs v ".bias", 2, 3)

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
const struct layout layout_dinov2 = {.name = "dinov2",
                                     .rows = dinov2_rows,
                                     .prefixes = LIST("vision_model.", "dinov2.", "model.", ""),
                                     .spare = LIST("embeddings.mask_token")};

/* transformers' ViTModel */
static const struct layout_row vit_rows[] = {
    {.ours = "class_token", .theirs = "embeddings.cls_token", .leading_ones = 2},
    {.ours = "position", .theirs = "embeddings.position_embeddings", .leading_ones = 1},
    WEIGHT_AND_BIAS("patch", "embeddings.patch_embeddings.projection"),
    WEIGHT_AND_BIAS("%d.norm1", "encoder.layer.%d.layernorm_before"),
    QKV("encoder.layer.%d.attention.attention.", "query", "key", "value"),
    WEIGHT_AND_BIAS("%d.out", "encoder.layer.%d.attention.output.dense"),
    WEIGHT_AND_BIAS("%d.norm2", "encoder.layer.%d.layernorm_after"),
    WEIGHT_AND_BIAS("%d.fc1", "encoder.layer.%d.intermediate.dense"),
    WEIGHT_AND_BIAS("%d.fc2", "encoder.layer.%d.output.dense"),
    WEIGHT_AND_BIAS("norm", "layernorm"),
    WEIGHT_AND_BIAS("pooler", "pooler.dense"),
    END,
};
const struct layout layout_vit = {.name = "vit",
                                  .rows = vit_rows,
                                  .prefixes = LIST("vision_model.", "vit.", "model.", ""),
                                  .spare = LIST("embeddings.mask_token", "pooler.*")};

/* timm's VisionTransformer; inside open_clip's models a projection may stand behind it */
static const struct layout_row timm_vit_rows[] = {
    {.ours = "position", .theirs = "pos_embed", .leading_ones = 1},
    {.ours = "class_token", .theirs = "cls_token", .leading_ones = 2},
    WEIGHT_AND_BIAS("patch", "patch_embed.proj"),
    WEIGHT_AND_BIAS("norm_before", "norm_pre"),
    WEIGHT_AND_BIAS("%d.norm1", "blocks.%d.norm1"),
    WEIGHT_AND_BIAS("%d.qkv", "blocks.%d.attn.qkv"),
    WEIGHT_AND_BIAS("%d.out", "blocks.%d.attn.proj"),
    TENSOR("%d.scale1", "blocks.%d.ls1.gamma"),
    WEIGHT_AND_BIAS("%d.norm2", "blocks.%d.norm2"),
    WEIGHT_AND_BIAS("%d.fc1", "blocks.%d.mlp.fc1"),
    WEIGHT_AND_BIAS("%d.fc2", "blocks.%d.mlp.fc2"),
    TENSOR("%d.scale2", "blocks.%d.ls2.gamma"),
    WEIGHT_AND_BIAS("norm", "norm"),
    {.ours = "pool.probe", .theirs = "attn_pool.latent", .leading_ones = 1},
    WEIGHT_AND_BIAS("pool.query", "attn_pool.q"),
    WEIGHT_AND_BIAS("pool.key_value", "attn_pool.kv"),
    WEIGHT_AND_BIAS("pool.out", "attn_pool.proj"),
    WEIGHT_AND_BIAS("pool.norm", "attn_pool.norm"),
    WEIGHT_AND_BIAS("pool.fc1", "attn_pool.mlp.fc1"),
    WEIGHT_AND_BIAS("pool.fc2", "attn_pool.mlp.fc2"),
    WEIGHT_AND_BIAS("pooled_norm", "fc_norm"),
    WEIGHT_AND_BIAS("classifier", "head"),
    {.ours = "projection.weight", .theirs = "visual.head.proj.weight", .at_root = true},
    END,
};
const struct layout layout_timm_vit = {
    .name = "timm vit", .rows = timm_vit_rows, .prefixes = LIST("vision_model.", "model.", "")};
const struct layout layout_open_clip_timm = {
    .name = "open_clip timm", .rows = timm_vit_rows, .prefixes = LIST("visual.trunk.")};

/* transformers' BertModel. Files made before 2020 call a norm's weight gamma and its bias beta. */
#define BERT_ROWS(weight, bias)                                                                                        \
    TENSOR("norm.weight", "embeddings.LayerNorm." weight), TENSOR("norm.bias", "embeddings.LayerNorm." bias),          \
        TENSOR("word", "embeddings.word_embeddings.weight"),                                                           \
        TENSOR("position", "embeddings.position_embeddings.weight"),                                                   \
        TENSOR("type", "embeddings.token_type_embeddings.weight"),                                                     \
        QKV("encoder.layer.%d.attention.self.", "query", "key", "value"),                                              \
        WEIGHT_AND_BIAS("%d.out", "encoder.layer.%d.attention.output.dense"),                                          \
        TENSOR("%d.norm1.weight", "encoder.layer.%d.attention.output.LayerNorm." weight),                              \
        TENSOR("%d.norm1.bias", "encoder.layer.%d.attention.output.LayerNorm." bias),                                  \
        WEIGHT_AND_BIAS("%d.fc1", "encoder.layer.%d.intermediate.dense"),                                              \
        WEIGHT_AND_BIAS("%d.fc2", "encoder.layer.%d.output.dense"),                                                    \
        TENSOR("%d.norm2.weight", "encoder.layer.%d.output.LayerNorm." weight),                                        \
        TENSOR("%d.norm2.bias", "encoder.layer.%d.output.LayerNorm." bias), WEIGHT_AND_BIAS("pooler", "pooler.dense"), \
        END

static const struct layout_row bert_rows[] = {BERT_ROWS("weight", "bias")};
static const struct layout_row bert_gamma_rows[] = {BERT_ROWS("gamma", "beta")};
#define BERT_PLACES                                                                                                    \
    .prefixes = LIST("text_model.", "bert.", "model.", ""), .spare = LIST("embeddings.position_ids", "pooler.*")
const struct layout layout_bert = {.name = "bert", .rows = bert_rows, BERT_PLACES};
const struct layout layout_bert_gamma = {.name = "bert", .rows = bert_gamma_rows, BERT_PLACES};

/* transformers' CLIPModel. The projections stand outside the towers. */
#define HF_BLOCKS                                                                                                      \
    WEIGHT_AND_BIAS("%d.norm1", "encoder.layers.%d.layer_norm1"),                                                      \
        QKV("encoder.layers.%d.self_attn.", "q_proj", "k_proj", "v_proj"),                                             \
        WEIGHT_AND_BIAS("%d.out", "encoder.layers.%d.self_attn.out_proj"),                                             \
        WEIGHT_AND_BIAS("%d.norm2", "encoder.layers.%d.layer_norm2"),                                                  \
        WEIGHT_AND_BIAS("%d.fc1", "encoder.layers.%d.mlp.fc1"), WEIGHT_AND_BIAS("%d.fc2", "encoder.layers.%d.mlp.fc2")
#define HF_IMAGE_PLACES                                                                                                \
    .prefixes = LIST("vision_model.", "vision_model.vision_model.", ""), .spare = LIST("embeddings.position_ids")
#define HF_TEXT_PLACES                                                                                                 \
    .prefixes = LIST("text_model.", "text_model.text_model.", ""), .spare = LIST("embeddings.position_ids")

static const struct layout_row clip_vision_rows[] = {
    TENSOR("class_token", "embeddings.class_embedding"),
    TENSOR("position", "embeddings.position_embedding.weight"),
    TENSOR("patch.weight", "embeddings.patch_embedding.weight"),
    WEIGHT_AND_BIAS("norm_before", "pre_layrnorm"), /* their spelling */
    HF_BLOCKS,
    WEIGHT_AND_BIAS("norm", "post_layernorm"),
    {.ours = "projection.weight", .theirs = "visual_projection.weight", .at_root = true},
    END,
};
const struct layout layout_clip_vision = {.name = "clip vision", .rows = clip_vision_rows, HF_IMAGE_PLACES};

static const struct layout_row clip_text_rows[] = {
    TENSOR("word", "embeddings.token_embedding.weight"),
    TENSOR("position", "embeddings.position_embedding.weight"),
    HF_BLOCKS,
    WEIGHT_AND_BIAS("norm", "final_layer_norm"),
    {.ours = "projection.weight", .theirs = "text_projection.weight", .at_root = true},
    END,
};
const struct layout layout_clip_text = {.name = "clip text", .rows = clip_text_rows, HF_TEXT_PLACES};

/* transformers' SiglipModel */
static const struct layout_row siglip_vision_rows[] = {
    TENSOR("position", "embeddings.position_embedding.weight"),
    WEIGHT_AND_BIAS("patch", "embeddings.patch_embedding"),
    HF_BLOCKS,
    WEIGHT_AND_BIAS("norm", "post_layernorm"),
    {.ours = "pool.probe", .theirs = "head.probe", .leading_ones = 1},
    PIECE("pool.query.weight", "head.attention.in_proj_weight", 0, 1, 3),
    PIECE("pool.key_value.weight", "head.attention.in_proj_weight", 1, 2, 3),
    PIECE("pool.query.bias", "head.attention.in_proj_bias", 0, 1, 3),
    PIECE("pool.key_value.bias", "head.attention.in_proj_bias", 1, 2, 3),
    WEIGHT_AND_BIAS("pool.out", "head.attention.out_proj"),
    WEIGHT_AND_BIAS("pool.norm", "head.layernorm"),
    WEIGHT_AND_BIAS("pool.fc1", "head.mlp.fc1"),
    WEIGHT_AND_BIAS("pool.fc2", "head.mlp.fc2"),
    END,
};
const struct layout layout_siglip_vision = {.name = "siglip vision", .rows = siglip_vision_rows, HF_IMAGE_PLACES};

static const struct layout_row siglip_text_rows[] = {
    TENSOR("word", "embeddings.token_embedding.weight"),
    TENSOR("position", "embeddings.position_embedding.weight"),
    HF_BLOCKS,
    WEIGHT_AND_BIAS("norm", "final_layer_norm"),
    WEIGHT_AND_BIAS("projection", "head"),
    END,
};
const struct layout layout_siglip_text = {.name = "siglip text", .rows = siglip_text_rows, HF_TEXT_PLACES};

/* open_clip's CLIP, and OpenAI's own; the text tower of a CustomTextCLIP stands below "text." */
#define OPEN_CLIP_BLOCKS                                                                                               \
    WEIGHT_AND_BIAS("%d.norm1", "transformer.resblocks.%d.ln_1"),                                                      \
        TENSOR("%d.qkv.weight", "transformer.resblocks.%d.attn.in_proj_weight"),                                       \
        TENSOR("%d.qkv.bias", "transformer.resblocks.%d.attn.in_proj_bias"),                                           \
        WEIGHT_AND_BIAS("%d.out", "transformer.resblocks.%d.attn.out_proj"),                                           \
        WEIGHT_AND_BIAS("%d.norm2", "transformer.resblocks.%d.ln_2"),                                                  \
        WEIGHT_AND_BIAS("%d.fc1", "transformer.resblocks.%d.mlp.c_fc"),                                                \
        WEIGHT_AND_BIAS("%d.fc2", "transformer.resblocks.%d.mlp.c_proj")

static const struct layout_row open_clip_visual_rows[] = {
    TENSOR("class_token", "class_embedding"),
    TENSOR("position", "positional_embedding"),
    TENSOR("patch.weight", "conv1.weight"),
    WEIGHT_AND_BIAS("norm_before", "ln_pre"),
    OPEN_CLIP_BLOCKS,
    WEIGHT_AND_BIAS("norm", "ln_post"),
    {.ours = "projection.weight", .theirs = "proj", .transposed = true},
    END,
};
const struct layout layout_open_clip_visual = {
    .name = "open_clip visual", .rows = open_clip_visual_rows, .prefixes = LIST("visual.")};

#define OPEN_CLIP_TEXT_ROWS                                                                                            \
    TENSOR("word", "token_embedding.weight"), TENSOR("position", "positional_embedding"), OPEN_CLIP_BLOCKS,            \
        WEIGHT_AND_BIAS("norm", "ln_final")

static const struct layout_row open_clip_text_rows[] = {
    OPEN_CLIP_TEXT_ROWS,
    {.ours = "projection.weight", .theirs = "text_projection", .transposed = true},
    END,
};
const struct layout layout_open_clip_text = {.name = "open_clip text",
                                             .rows = open_clip_text_rows,
                                             .prefixes = LIST(""),
                                             .spare =
                                                 LIST("attn_mask", "input_resolution", "context_length", "vocab_size")};
const struct layout layout_open_clip_custom_text = {.name = "open_clip custom text",
                                                    .rows = open_clip_text_rows,
                                                    .prefixes = LIST("text."),
                                                    .spare = LIST("attn_mask")};

static const struct layout_row open_clip_siglip_text_rows[] = {
    OPEN_CLIP_TEXT_ROWS,
    WEIGHT_AND_BIAS("projection", "text_projection"),
    END,
};
const struct layout layout_open_clip_siglip_text = {.name = "open_clip siglip text",
                                                    .rows = open_clip_siglip_text_rows,
                                                    .prefixes = LIST("text."),
                                                    .spare = LIST("attn_mask")};

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

/* SigLIP's of transformers are lists of one number. */
static const struct layout_row scales_rows[] = {
    {.ours = "logit_scale", .theirs = "logit_scale", .leading_ones = LAYOUT_SCALAR},
    {.ours = "logit_bias", .theirs = "logit_bias", .leading_ones = LAYOUT_SCALAR},
    END,
};
const struct layout layout_scales = {.name = "logit scale", .rows = scales_rows};

static const struct layout_row siglip_scales_rows[] = {
    TENSOR("logit_scale", "logit_scale"),
    TENSOR("logit_bias", "logit_bias"),
    END,
};
const struct layout layout_siglip_scales = {.name = "siglip logit scale", .rows = siglip_scales_rows};
