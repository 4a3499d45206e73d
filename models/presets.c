#include "models/presets.h"

#include "models/clip_files.h"

#include <string.h>

enum { PICTURE_SIDE = 224 };

/* ---- towers ---- */

/* An MLP is four times as wide as its tower in all of them. */
#define SIZES(depth, size, head_count)                                                                                 \
    .layers = depth, .width = size, .heads = head_count, .mlp_width = 4 * size, .activation = ACTIVATION_GELU
#define CLIP_VISION(patch_size, dim, ...)                                                                              \
    {                                                                                                                  \
        .kind = &image_vit, .vit = {                                                                                   \
            .patch = patch_size,                                                                                       \
            .position_side = PICTURE_SIDE / patch_size,                                                                \
            .norm_before = true,                                                                                       \
            .projection = dim,                                                                                         \
            .blocks = {SIZES(__VA_ARGS__), .norm_eps = 1e-5f, .norm_first = true},                                     \
        }                                                                                                              \
    }
#define CLIP_TEXT(dim, ...)                                                                                            \
    {                                                                                                                  \
        .kind = &text_clip, .vocabulary = 49408, .positions = 77, .projection = dim,                                   \
        .blocks = {SIZES(__VA_ARGS__), .norm_eps = 1e-5f, .norm_first = true, .causal = true},                         \
    }
#define TIMM_VIT(patch_size, class_count, ...)                                                                         \
    {                                                                                                                  \
        .kind = &image_vit, .vit = {                                                                                   \
            .patch = patch_size,                                                                                       \
            .position_side = PICTURE_SIDE / patch_size,                                                                \
            .patch_bias = true,                                                                                        \
            .classes = class_count,                                                                                    \
            .blocks = {SIZES(__VA_ARGS__), .norm_eps = 1e-6f, .norm_first = true},                                     \
        }                                                                                                              \
    }
#define BERT(normalised, ...)                                                                                          \
    {                                                                                                                  \
        .kind = &text_bert, .vocabulary = 30522, .positions = 512, .types = 2, .pooling = POOLING_MEAN,                \
        .normalise = normalised, .blocks = {SIZES(__VA_ARGS__), .norm_eps = 1e-12f, .dropout = 0.1f},                  \
    }

static const struct image_config vit_b_32 = CLIP_VISION(32, 512, 12, 768, 12);
static const struct image_config vit_b_16 = CLIP_VISION(16, 512, 12, 768, 12);
static const struct image_config vit_l_14 = CLIP_VISION(14, 768, 24, 1024, 16);
static const struct image_config timm_s_16 = TIMM_VIT(16, 0, 12, 384, 6);
static const struct image_config timm_b_16_logits = TIMM_VIT(16, 1000, 12, 768, 12);
static const struct image_config dinov2_small = {
    .kind = &image_vit,
    .vit = {.patch = 14,
            .position_side = 37,
            .patch_bias = true,
            .blocks = {SIZES(12, 384, 6), .norm_eps = 1e-6f, .norm_first = true, .layer_scale = true}},
};
#define RESNET_50(resnet_kind, ...)                                                                                    \
    {                                                                                                                  \
        .kind = &image_resnet, .resnet = {                                                                             \
            .kind = resnet_kind,                                                                                       \
            .stem = 64,                                                                                                \
            .stages = {{3, 64, 256}, {4, 128, 512}, {6, 256, 1024}, {3, 512, 2048}},                                   \
            __VA_ARGS__                                                                                                \
        }                                                                                                              \
    }
static const struct image_config rn_50 =
    RESNET_50(&resnet_clip, .position_side = PICTURE_SIDE / RESNET_STRIDE, .heads = 32, .projection = 1024);
static const struct image_config resnet_50 = RESNET_50(&resnet_bottleneck, .classes = 0);
static const struct text_config clip_text_512 = CLIP_TEXT(512, 12, 512, 8);
static const struct text_config clip_text_1024 = CLIP_TEXT(1024, 12, 512, 8);
static const struct text_config clip_text_768 = CLIP_TEXT(768, 12, 768, 12);
static const struct text_config minilm = BERT(false, 6, 384, 12);
static const struct text_config bert_base = BERT(false, 12, 768, 12);
static const struct text_config bert_base_normalised = BERT(true, 12, 768, 12);

/* ---- pairs ---- */

/* CLIP's are open_clip's of the same names; ViT-S-16 and seed are timm's towers, BERT's, and MLP heads: seed has what
 * R4j4n/OpenAI-CLIP-in-PyTorch trains. */
static const struct preset {
    const char *name;
    const struct image_config *image; /* or NULL */
    const struct text_config *text;   /* or NULL */
    enum head_kind head;
    int embed_dim;
} presets[] = {
    {"ViT-B-32", &vit_b_32, &clip_text_512, HEAD_NONE, 512},
    {"ViT-B-16", &vit_b_16, &clip_text_512, HEAD_NONE, 512},
    {"ViT-L-14", &vit_l_14, &clip_text_768, HEAD_NONE, 768},
    {"RN50", &rn_50, &clip_text_1024, HEAD_NONE, 1024},
    {"ViT-S-16", &timm_s_16, &minilm, HEAD_MLP, 512},
    {"seed", &timm_b_16_logits, &bert_base_normalised, HEAD_MLP, 512},
    {"dinov2-small", &dinov2_small, NULL, HEAD_NONE, 0},
    {"resnet50", &resnet_50, NULL, HEAD_NONE, 0},
    {"MiniLM-L6", NULL, &minilm, HEAD_NONE, 0},
    {"bert-base", NULL, &bert_base, HEAD_NONE, 0},
};

const char *preset_names(void)
{
    return "ViT-B-32, ViT-B-16, ViT-L-14, RN50, ViT-S-16, seed, dinov2-small, resnet50, MiniLM-L6, bert-base";
}

static const struct preset *find(const char *name)
{
    for (size_t i = 0; i < sizeof presets / sizeof *presets; i++)
        if (strcmp(presets[i].name, name) == 0)
            return &presets[i];
    return NULL;
}

static void declare(struct clip *clip, const struct preset *preset)
{
    clip->preprocess = (struct preprocess){
        .resize = PICTURE_SIDE,
        .crop = PICTURE_SIDE,
        .mean = {0.48145466f, 0.4578275f, 0.40821073f}, /* CLIP's */
        .std = {0.26862954f, 0.26130258f, 0.27577711f},
        .filter = &resize_filters[RESIZE_BICUBIC],
    };
    if (preset->image)
        clip_declare_image(clip, preset->image);
    if (preset->text) {
        clip_declare_text(clip, preset->text);
        clip->max_tokens = preset->text->positions;
    }
    if (preset->image && preset->text)
        clip_declare_heads(clip, preset->head, preset->embed_dim, 0.1f, false);
}

int preset_open(struct clip **out, struct device *dev, const char *name, unsigned trained, uint64_t seed,
                struct error *err)
{
    const struct preset *preset = find(name);
    if (!preset)
        return error_set(err, EXIT_USAGE, "no preset is named \"%s\"; there are %s", name, preset_names());
    struct clip *clip = clip_new(dev, &(struct clip_training){.groups = trained});
    declare(clip, preset);
    if (arena_allocate(clip->arena, dev, trained, err) != 0) {
        clip_close(clip);
        return -1;
    }
    arena_initialise(clip->arena, ~0u, seed);
    if (clip->has_image)
        image_tower_prepare(&clip->image, dev);
    *out = clip;
    return 0;
}
