/* What making a dual encoder and opening one have in common: from configs to parameters, from files to weights. */
#include "models/clip_files.h"

#include "models/files/config_image.h"

#include <stdlib.h>

const struct layout *const clip_head_layouts[HEAD_KINDS] = {
    [HEAD_MLP] = &layout_head_mlp, [HEAD_LINEAR] = &layout_head_linear, [HEAD_NONE] = &layout_head_none};

/* To read all of a file would take longer than everything else at start. */
void clip_add_fingerprint(struct clip *clip, const struct safetensors *file)
{
    for (int i = 0; i < safetensors_count(file); i++) {
        const struct stored_tensor *tensor = safetensors_at(file, i);
        size_t bytes = (size_t)(tensor->count * stored_dtypes[tensor->dtype].size);
        if (tensor->dtype > STORED_BF16)
            continue;
        hash_add_text(&clip->fingerprint, tensor->name);
        hash_add(&clip->fingerprint, &tensor->count, sizeof tensor->count);
        hash_add(&clip->fingerprint, tensor->data, bytes < 1024 ? bytes : 1024);
    }
}

/* The same weights under another config are another model. */
static void add_config(struct clip *clip, const json_t *config)
{
    char *text = json_dumps(config, JSON_COMPACT | JSON_SORT_KEYS);
    if (text)
        hash_add_text(&clip->fingerprint, text);
    free(text);
}

int clip_configure_image(struct clip *clip, struct tower_source *source, const char *path, struct error *err)
{
    struct image_config config;
    if (config_read_image(&config, source, clip->vision_config, path, err) != 0)
        return -1;
    config.side = clip->preprocess.crop;
    if (image_tower_check_side(&config, path, err) != 0)
        return -1;
    if (config.kind != &image_vit && clip_lora(clip, GROUP_IMAGE).rank > 0)
        return error_set(err, EXIT_USAGE, "%s: only transformers take LoRA; lock this image tower, or train all of it",
                         path);
    add_config(clip, clip->vision_config);
    clip_declare_image(clip, &config);
    clip->image_layout = source->saved_layout;
    clip->stored.image = source->layout;
    return 0;
}

int clip_configure_text(struct clip *clip, struct tower_source *source, int max_tokens, const char *path,
                        struct error *err)
{
    struct text_config config;
    if (config_read_text(&config, source, clip->text_config, path, err) != 0)
        return -1;
    int ids = clip->tokenizer ? tokenizer_vocabulary_size(clip->tokenizer) : config.vocabulary;
    int limit = clip->tokenizer ? tokenizer_max_length(clip->tokenizer) : config.positions;
    if (ids > config.vocabulary)
        return error_set(
            err, EXIT_BAD_DATA,
            "%s: a vocabulary of %d, but the tokenizer beside it gives ids up to %d; copy this model's own", path,
            config.vocabulary, ids - 1);
    limit = limit < config.positions ? limit : config.positions;
    clip->max_tokens = max_tokens > 0 && max_tokens < limit ? max_tokens : limit;
    add_config(clip, clip->text_config);
    clip_declare_text(clip, &config);
    clip->text_layout = source->saved_layout;
    clip->stored.text = source->layout;
    return 0;
}

int clip_configure_heads(struct clip *clip, enum head_kind kind, int embed_dim, float dropout, bool sigmoid_loss,
                         const char *path, struct error *err)
{
    bool projected = clip->image.projection > 0 || clip->text.config.projection > 0;
    if (projected && kind != HEAD_NONE)
        return error_set(err, EXIT_BAD_DATA, "%s: towers that end in a projection have no other heads", path);
    if (kind == HEAD_NONE && (clip->image.features != embed_dim || clip->text.features != embed_dim))
        return error_set(err, EXIT_BAD_DATA,
                         "%s: the towers give %d and %d numbers, and no heads make %d of them; CLIP's two towers go "
                         "together",
                         path, clip->image.features, clip->text.features, embed_dim);
    clip_declare_heads(clip, kind, embed_dim, dropout, sigmoid_loss);
    return 0;
}

int clip_load_towers(struct clip *clip, const struct tower_source *image, const struct tower_source *text,
                     struct error *err)
{
    arena_initialise(clip->arena, 1u << (GROUP_LORA + GROUP_IMAGE) | 1u << (GROUP_LORA + GROUP_TEXT),
                     clip->training.lora.seed);
    if (clip->has_image && image->file &&
        layout_load(clip->arena, image->layout, "image", clip->image.layers, image->file, image->prefix, err) != 0)
        return -1;
    if (clip->has_text && text->file &&
        layout_load(clip->arena, text->layout, "text", clip->text.config.blocks.layers, text->file, text->prefix,
                    err) != 0)
        return -1;
    if (clip->has_image)
        image_tower_prepare(&clip->image, clip->dev);
    return 0;
}
