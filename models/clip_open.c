/* Dual encoders from folders: clip_open. */
#include "models/clip_files.h"

#include "models/files/clip_config.h"
#include "models/files/hub.h"
#include "runtime/util/file.h"
#include "runtime/util/json.h"

#include <stdlib.h>
#include <string.h>

static int read_head_kind(enum head_kind *kind, const json_t *config, const char *path, struct error *err)
{
    const char *name = json_text_or(config, "oclip_head", head_names[HEAD_LINEAR]);
    for (*kind = 0; *kind < HEAD_KINDS; (*kind)++)
        if (strcmp(name, head_names[*kind]) == 0)
            return 0;
    return error_set(err, EXIT_BAD_DATA, "%s: oclip_head \"%s\" is not one of mlp, linear, none", path, name);
}

/* Everything the config says, declared in the arena. */
static int configure(struct clip *clip, struct tower_source *image, struct tower_source *text, const json_t *config,
                     const char *path, struct error *err)
{
    enum head_kind kind;
    int embed_dim;
    clip->vision_config = json_incref(json_object_get(config, "vision_config"));
    clip->text_config = json_incref(json_object_get(config, "text_config"));
    clip->open_clip = json_incref(json_object_get(config, "oclip_open_clip"));
    if (read_head_kind(&kind, config, path, err) != 0 ||
        json_need_int(&embed_dim, config, "projection_dim", 1, 65536, path, err) != 0 ||
        clip_configure_image(clip, image, path, err) != 0 ||
        clip_configure_text(clip, text, json_int_or(config, "oclip_max_tokens", 0), path, err) != 0)
        return -1;
    float dropout = (float)json_real_or(config, "oclip_head_dropout", 0.1);
    if (clip_configure_heads(clip, kind, embed_dim, dropout, json_bool_or(config, "oclip_logit_bias", false), path,
                             err) != 0)
        return -1;
    clip->raw_scale = json_bool_or(config, "oclip_raw_scale", false);
    clip->unnormalised = json_bool_or(config, "oclip_unnormalised", false);
    return 0;
}

static int load_heads(struct clip *clip, struct safetensors *file, struct error *err)
{
    const struct layout *layout = clip_head_layouts[clip->image_head.kind];
    if (layout_load(clip->arena, layout, "image_head", 1, file, "visual_projection.", err) != 0 ||
        layout_load(clip->arena, layout, "text_head", 1, file, "text_projection.", err) != 0)
        return -1;
    return layout_load(clip->arena, &layout_scales, "", 1, file, "", err);
}

/* What nothing has taken is kept where the layouts spare it, and an error where they do not know it. */
static int keep_spares(struct clip *clip, const struct safetensors *file, const struct tower_source *image,
                       const struct tower_source *text, struct error *err)
{
    const struct stored_tensor *left;
    for (int i = 0; (left = safetensors_next_left(file, &i));) {
        if (!layout_spares(image->layout, image->prefix, left->name) &&
            !layout_spares(text->layout, text->prefix, left->name))
            return error_set(err, EXIT_BAD_DATA,
                             "%s: tensor %s has no place in a model of %s and %s; is this the file its config says?",
                             left->file, left->name, image->layout->name, text->layout->name);
        if (left->dtype != STORED_UNKNOWN)
            tensor_list_add_copy(&clip->stored.spares, left);
    }
    return 0;
}

/* The dtype that all weights have, or F32. */
static enum stored_dtype common_dtype(const struct safetensors *file)
{
    enum stored_dtype common = STORED_UNKNOWN;
    for (int i = 0; i < safetensors_count(file); i++) {
        enum stored_dtype dtype = safetensors_at(file, i)->dtype;
        if (dtype > STORED_BF16)
            continue;
        if (common != STORED_UNKNOWN && common != dtype)
            return STORED_F32;
        common = dtype;
    }
    return common == STORED_UNKNOWN ? STORED_F32 : common;
}

static int load(struct clip *clip, const json_t *config, struct error *err)
{
    struct safetensors *file;
    if (safetensors_open_folder(&file, clip->folder, err) != 0)
        return -1;
    clip_add_fingerprint(clip, file);
    clip->stored.dtype = common_dtype(file);
    struct tower_source image = {.file = file}, text = {.file = file};
    int result = -1;
    if (configure(clip, &image, &text, config, clip->folder, err) == 0 &&
        arena_allocate(clip->arena, clip->dev, clip->training.groups, err) == 0 &&
        clip_load_towers(clip, &image, &text, err) == 0 && load_heads(clip, file, err) == 0)
        result = keep_spares(clip, file, &image, &text, err);
    safetensors_close(file);
    return result;
}

static int open_folder(struct clip *clip, const char *name, bool with_tokenizer, struct error *err)
{
    json_t *config;
    if (hub_folder(&clip->folder, name, err) != 0 || clip_config_read(&config, clip->folder, err) != 0)
        return -1;
    int result = preprocess_read(&clip->preprocess, clip->folder, err);
    if (result == 0 && with_tokenizer)
        result = tokenizer_open(&clip->tokenizer, clip->folder, err);
    if (result == 0)
        result = load(clip, config, err);
    json_decref(config);
    return result;
}

static int open_either(struct clip **out, struct device *dev, const char *folder, const struct clip_training *training,
                       bool with_tokenizer, struct error *err)
{
    struct clip *clip = clip_new(dev, training);
    if (open_folder(clip, folder, with_tokenizer, err) != 0) {
        clip_close(clip);
        return -1;
    }
    *out = clip;
    return 0;
}

int clip_open(struct clip **out, struct device *dev, const char *folder, unsigned trained, struct error *err)
{
    return open_either(out, dev, folder, &(struct clip_training){.groups = trained}, true, err);
}

int clip_open_towers(struct clip **out, struct device *dev, const char *folder, unsigned trained, struct error *err)
{
    return open_either(out, dev, folder, &(struct clip_training){.groups = trained}, false, err);
}

int clip_open_to_train(struct clip **out, struct device *dev, const char *folder, const struct clip_training *training,
                       struct error *err)
{
    return open_either(out, dev, folder, training, true, err);
}
