/* Dual encoders from folders and back: clip_create, clip_open, clip_save. */
#include "models/clip_files.h"

#include "models/files/clip_config.h"
#include "models/files/config_image.h"
#include "runtime/util/file.h"
#include "runtime/util/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A model is known by its names, shapes and the first bytes of each tensor: to read all of it would take longer than
 * everything else at start. */
static void add_fingerprint(struct clip *clip, const struct safetensors *file)
{
    for (int i = 0; i < safetensors_count(file); i++) {
        const struct stored_tensor *tensor = safetensors_at(file, i);
        size_t bytes = 2 * (size_t)tensor->count; /* no dtype that is loaded is shorter */
        if (tensor->dtype > STORED_BF16)
            continue;
        hash_add_text(&clip->fingerprint, tensor->name);
        hash_add(&clip->fingerprint, &tensor->count, sizeof tensor->count);
        hash_add(&clip->fingerprint, tensor->data, bytes < 1024 ? bytes : 1024);
    }
}

/* ---- declaring and loading: the same for new pairs and saved models ---- */

static int declare_image(struct clip *clip, struct tower_source *source, const char *path, struct error *err)
{
    struct image_config config;
    if (config_read_image(&config, source, clip->vision_config, path, err) != 0)
        return -1;
    config.side = clip->preprocess.crop;
    if (image_tower_check_side(&config, path, err) != 0)
        return -1;
    clip_declare_image(clip, &config);
    clip->image_layout = source->saved_layout;
    return 0;
}

static int declare_text(struct clip *clip, struct tower_source *source, int max_tokens, const char *path,
                        struct error *err)
{
    struct text_config config;
    if (config_read_text(&config, source, clip->text_config, path, err) != 0)
        return -1;
    int ids = clip->tokenizer ? tokenizer_vocabulary_size(clip->tokenizer) : config.vocabulary;
    int limit = clip->tokenizer ? tokenizer_max_length(clip->tokenizer) : config.positions;
    if (ids > config.vocabulary)
        return error_set(err, EXIT_BAD_DATA, "%s: a vocabulary of %d, but the tokenizer beside it gives ids up to %d",
                         path, config.vocabulary, ids - 1);
    limit = limit < config.positions ? limit : config.positions;
    clip->max_tokens = max_tokens > 0 && max_tokens < limit ? max_tokens : limit;
    clip_declare_text(clip, &config);
    clip->text_layout = source->saved_layout;
    return 0;
}

/* CLIP's towers end in their projections, which take the heads' place in a file: it is both or none. */
static int declare_heads(struct clip *clip, enum head_kind kind, int embed_dim, float dropout, const char *path,
                         struct error *err)
{
    bool bare = kind == HEAD_NONE;
    int image = clip->image.projection, text = clip->text.config.projection;
    if ((image > 0) != bare || (text > 0) != bare || (bare && (image != embed_dim || text != embed_dim)))
        return error_set(err, EXIT_BAD_DATA, "%s: CLIP's two towers go together, and have no other heads", path);
    clip_declare_heads(clip, kind, embed_dim, dropout);
    return 0;
}

static int load_towers(struct clip *clip, const struct tower_source *image, const struct tower_source *text,
                       struct error *err)
{
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

/* ---- clip_create ---- */

static int read_config(json_t **config, const char *folder, struct error *err)
{
    char *path = path_join(folder, "config.json");
    int result = json_read(config, path, err);
    free(path);
    return result;
}

static int create_image(struct clip *clip, struct tower_source *source, struct safetensors **file,
                        const struct clip_recipe *recipe, struct error *err)
{
    const char *folder = recipe->image_folder;
    if (recipe->tiny) {
        clip->vision_config = clip_tiny_vision_config(&clip->preprocess);
        return declare_image(clip, source, "tiny", err);
    }
    if (!folder)
        return 0;
    if (read_config(&clip->vision_config, folder, err) != 0 || preprocess_read(&clip->preprocess, folder, err) != 0 ||
        safetensors_open_folder(file, folder, err) != 0)
        return -1;
    source->file = *file;
    add_fingerprint(clip, *file);
    return declare_image(clip, source, folder, err);
}

static int create_text(struct clip *clip, struct tower_source *source, struct safetensors **file,
                       const struct clip_recipe *recipe, struct error *err)
{
    const char *folder = recipe->text_folder;
    if (!folder)
        return 0;
    if (tokenizer_open(&clip->tokenizer, folder, err) != 0)
        return -1;
    clip->tokenizer_folder = mem_format("%s", folder);
    if (recipe->tiny) {
        clip->text_config = clip_tiny_text_config(tokenizer_vocabulary_size(clip->tokenizer));
        return declare_text(clip, source, recipe->max_tokens, "tiny", err);
    }
    if (read_config(&clip->text_config, folder, err) != 0 || config_add_pooling(clip->text_config, folder, err) != 0 ||
        safetensors_open_folder(file, folder, err) != 0)
        return -1;
    source->file = *file;
    add_fingerprint(clip, *file);
    return declare_text(clip, source, recipe->max_tokens, folder, err);
}

int clip_create(struct clip **out, struct device *dev, const struct clip_recipe *recipe, unsigned trained,
                struct error *err)
{
    struct clip *clip = clip_new(dev);
    struct safetensors *image_file = NULL, *text_file = NULL;
    struct tower_source image = {0}, text = {0};
    int result = -1;
    if (create_image(clip, &image, &image_file, recipe, err) != 0 ||
        create_text(clip, &text, &text_file, recipe, err) != 0)
        goto done;
    if (clip->has_image && clip->has_text &&
        declare_heads(clip, recipe->head, recipe->embed_dim, recipe->head_dropout, recipe->text_folder, err) != 0)
        goto done;
    clip->raw_scale = recipe->raw_scale;
    clip->unnormalised = recipe->unnormalised;

    unsigned random_groups = 1u << GROUP_HEAD | 1u << GROUP_SCALE;
    if (recipe->tiny)
        random_groups |= 1u << GROUP_IMAGE | 1u << GROUP_TEXT;
    if (arena_allocate(clip->arena, dev, trained, err) != 0)
        goto done;
    arena_initialise(clip->arena, random_groups, recipe->seed);
    result = load_towers(clip, &image, &text, err);
done:
    safetensors_close(image_file);
    safetensors_close(text_file);
    if (result != 0)
        clip_close(clip);
    else
        *out = clip;
    return result;
}

/* ---- clip_open ---- */

/* How a model with these heads is stored. What it is called is for transformers. */
static const struct saved_kind {
    const struct layout *head;
    const char *model_type, *architecture;
} saved_kinds[HEAD_KINDS] = {
    [HEAD_MLP] = {&layout_head_mlp, "vision-text-dual-encoder", "VisionTextDualEncoderModel"},
    [HEAD_LINEAR] = {&layout_head_linear, "vision-text-dual-encoder", "VisionTextDualEncoderModel"},
    [HEAD_NONE] = {&layout_head_none, "clip", "CLIPModel"},
};

static int read_head_kind(enum head_kind *kind, const json_t *config, const char *path, struct error *err)
{
    bool whole_clip = strcmp(json_text_or(config, "model_type", ""), saved_kinds[HEAD_NONE].model_type) == 0;
    const char *name = json_text_or(config, "oclip_head", head_names[whole_clip ? HEAD_NONE : HEAD_LINEAR]);
    for (*kind = 0; *kind < HEAD_KINDS; (*kind)++)
        if (strcmp(name, head_names[*kind]) == 0)
            return 0;
    return error_set(err, EXIT_BAD_DATA, "%s: oclip_head \"%s\" is not one of mlp, linear, none", path, name);
}

/* Everything config.json says, declared in the arena. */
static int declare_saved(struct clip *clip, struct tower_source *image, struct tower_source *text, const json_t *config,
                         const char *path, struct error *err)
{
    enum head_kind kind;
    int embed_dim;
    clip->vision_config = json_incref(json_object_get(config, "vision_config"));
    clip->text_config = json_incref(json_object_get(config, "text_config"));
    if (read_head_kind(&kind, config, path, err) != 0 ||
        json_need_int(&embed_dim, config, "projection_dim", 1, 65536, path, err) != 0 ||
        declare_image(clip, image, path, err) != 0 ||
        declare_text(clip, text, json_int_or(config, "oclip_max_tokens", 0), path, err) != 0)
        return -1;
    float dropout = (float)json_real_or(config, "oclip_head_dropout", 0.1);
    if (declare_heads(clip, kind, embed_dim, dropout, path, err) != 0)
        return -1;
    clip->raw_scale = json_bool_or(config, "oclip_raw_scale", false);
    clip->unnormalised = json_bool_or(config, "oclip_unnormalised", false);
    return 0;
}

static int load_heads(struct clip *clip, const struct safetensors *file, struct error *err)
{
    const struct layout *layout = saved_kinds[clip->image_head.kind].head;
    if (layout_load(clip->arena, layout, "image_head", 1, file, "visual_projection.", err) != 0 ||
        layout_load(clip->arena, layout, "text_head", 1, file, "text_projection.", err) != 0)
        return -1;
    return layout_load(clip->arena, &layout_logit_scale, "", 1, file, "", err);
}

static int open_towers(struct clip *clip, const char *folder, const json_t *config, unsigned trained, struct error *err)
{
    struct safetensors *file;
    if (safetensors_open_folder(&file, folder, err) != 0)
        return -1;
    add_fingerprint(clip, file);
    struct tower_source image = {.file = file, .prefix = "vision_model."},
                        text = {.file = file, .prefix = "text_model."};
    char *path = path_join(folder, "config.json");
    int result = -1;
    if (declare_saved(clip, &image, &text, config, path, err) == 0 &&
        arena_allocate(clip->arena, clip->dev, trained, err) == 0 && load_towers(clip, &image, &text, err) == 0)
        result = load_heads(clip, file, err);
    free(path);
    safetensors_close(file);
    return result;
}

static int open_folder(struct clip *clip, const char *folder, unsigned trained, bool with_tokenizer, struct error *err)
{
    json_t *config;
    if (clip_config_read(&config, folder, err) != 0)
        return -1;
    int result = preprocess_read(&clip->preprocess, folder, err);
    if (result == 0 && with_tokenizer) {
        result = tokenizer_open(&clip->tokenizer, folder, err);
        clip->tokenizer_folder = mem_format("%s", folder);
    }
    if (result == 0)
        result = open_towers(clip, folder, config, trained, err);
    json_decref(config);
    return result;
}

static int open_either(struct clip **out, struct device *dev, const char *folder, unsigned trained, bool with_tokenizer,
                       struct error *err)
{
    struct clip *clip = clip_new(dev);
    if (open_folder(clip, folder, trained, with_tokenizer, err) != 0) {
        clip_close(clip);
        return -1;
    }
    *out = clip;
    return 0;
}

int clip_open(struct clip **out, struct device *dev, const char *folder, unsigned trained, struct error *err)
{
    return open_either(out, dev, folder, trained, true, err);
}

int clip_open_towers(struct clip **out, struct device *dev, const char *folder, unsigned trained, struct error *err)
{
    return open_either(out, dev, folder, trained, false, err);
}

/* ---- clip_save ---- */

static int save_config(const struct clip *clip, const char *folder, struct error *err)
{
    enum head_kind kind = clip->image_head.kind;
    json_t *config =
        json_pack("{s:s, s:[s], s:i, s:O, s:O, s:s, s:f, s:i, s:b, s:b}", "model_type", saved_kinds[kind].model_type,
                  "architectures", saved_kinds[kind].architecture, "projection_dim", clip->embed_dim, "vision_config",
                  clip->vision_config, "text_config", clip->text_config, "oclip_head", head_names[kind],
                  "oclip_head_dropout", (double)clip->image_head.dropout, "oclip_max_tokens", clip->max_tokens,
                  "oclip_raw_scale", clip->raw_scale, "oclip_unnormalised", clip->unnormalised);
    CHECK(config, "cannot make the config of a model");
    char *path = path_join(folder, "config.json");
    int result = json_write(config, path, err);
    json_decref(config);
    free(path);
    return result;
}

static int save_weights(const struct clip *clip, const char *folder, struct error *err)
{
    struct tensor_list list = {0};
    const struct arena *arena = clip->arena;
    const struct layout *head = saved_kinds[clip->image_head.kind].head;
    layout_collect(&list, arena, clip->image_layout, "image", clip->image.layers, "vision_model.");
    layout_collect(&list, arena, clip->text_layout, "text", clip->text.config.blocks.layers, "text_model.");
    layout_collect(&list, arena, head, "image_head", 1, "visual_projection.");
    layout_collect(&list, arena, head, "text_head", 1, "text_projection.");
    layout_collect(&list, arena, &layout_logit_scale, "", 1, "");

    char *path = path_join(folder, "model.safetensors");
    int result = device_finish(clip->dev, err); /* numbers of a failed device are never written */
    if (result == 0)
        result = safetensors_write(path, list.items, list.count, NULL, err);
    tensor_list_free(&list);
    free(path);
    return result;
}

int clip_save(const struct clip *clip, const char *folder, struct error *err)
{
    CHECK(clip->has_heads && clip->vision_config && clip->text_config, "only a dual encoder from folders is saved");
    if (file_make_folders(folder, err) != 0 || save_config(clip, folder, err) != 0 ||
        preprocess_write(&clip->preprocess, folder, err) != 0)
        return -1;
    if (clip->tokenizer && strcmp(folder, clip->tokenizer_folder) != 0 &&
        tokenizer_copy_files(folder, clip->tokenizer_folder, err) != 0)
        return -1;
    return save_weights(clip, folder, err);
}
