/* Dual encoders from folders and back: clip_create, clip_open, clip_save. */
#include "models/clip_files.h"

#include "models/files/config.h"
#include "runtime/util/file.h"
#include "runtime/util/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct clip *clip_new(struct device *dev)
{
    struct clip *clip = mem_new(1, sizeof *clip);
    clip->dev = dev;
    clip->arena = arena_new();
    clip->fingerprint = hash_begin();
    return clip;
}

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
    struct vit_config config;
    if (config_read_vit(&config, source, clip->vision_config, path, err) != 0)
        return -1;
    config.image_side = clip->preprocess.crop;
    memcpy(config.mean, clip->preprocess.mean, sizeof config.mean);
    memcpy(config.std, clip->preprocess.std, sizeof config.std);
    if (config.image_side < config.patch || config.image_side % config.patch != 0)
        return error_set(err, EXIT_BAD_DATA, "%s: pictures of %d pixels are no whole number of patches of %d", path,
                         config.image_side, config.patch);
    vit_declare(&clip->image, clip->arena, &config, "image");
    clip->image_layout = source->layout;
    clip->has_image = true;
    return 0;
}

static int declare_text(struct clip *clip, struct tower_source *source, int max_tokens, const char *path,
                        struct error *err)
{
    struct bert_config config;
    if (config_read_bert(&config, source, clip->text_config, path, err) != 0)
        return -1;
    int ids = tokenizer_vocabulary_size(clip->tokenizer), limit = tokenizer_max_length(clip->tokenizer);
    if (ids > config.vocabulary)
        return error_set(err, EXIT_BAD_DATA, "%s: a vocabulary of %d, but the tokenizer beside it gives ids up to %d",
                         path, config.vocabulary, ids - 1);
    limit = limit < config.positions ? limit : config.positions;
    clip->max_tokens = max_tokens > 0 && max_tokens < limit ? max_tokens : limit;
    bert_declare(&clip->text, clip->arena, &config, "text");
    clip->text_layout = source->layout;
    clip->has_text = true;
    return 0;
}

static int load_towers(struct clip *clip, const struct tower_source *image, const struct tower_source *text,
                       struct error *err)
{
    if (clip->has_image && image->file &&
        layout_load(clip->arena, image->layout, "image", clip->image.config.blocks.layers, image->file, image->prefix,
                    err) != 0)
        return -1;
    if (clip->has_text && text->file &&
        layout_load(clip->arena, text->layout, "text", clip->text.config.blocks.layers, text->file, text->prefix,
                    err) != 0)
        return -1;
    if (clip->has_image)
        vit_prepare(&clip->image, clip->dev);
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
    if (clip->has_image && clip->has_text)
        clip_declare_heads(clip, recipe->head, recipe->embed_dim, recipe->head_dropout);
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

static const struct layout *head_layout(enum head_kind kind)
{
    return kind == HEAD_MLP ? &layout_head_mlp : &layout_head_linear;
}

static int read_head_kind(enum head_kind *kind, const json_t *config, const char *path, struct error *err)
{
    const char *name = json_text_or(config, "oclip_head", "linear");
    for (*kind = HEAD_MLP; *kind <= HEAD_LINEAR; (*kind)++)
        if (strcmp(name, head_names[*kind]) == 0)
            return 0;
    return error_set(err, EXIT_BAD_DATA, "%s: oclip_head \"%s\" is not one of mlp, linear", path, name);
}

/* Everything config.json says, declared in the arena. */
static int declare_saved(struct clip *clip, struct tower_source *image, struct tower_source *text, const json_t *config,
                         const char *path, struct error *err)
{
    enum head_kind kind;
    int embed_dim;
    clip->vision_config = json_incref(json_object_get(config, "vision_config"));
    clip->text_config = json_incref(json_object_get(config, "text_config"));
    if (!json_is_object(clip->vision_config) || !json_is_object(clip->text_config))
        return error_set(err, EXIT_BAD_DATA,
                         "%s: no vision_config and text_config; is this a model that trainer saved?", path);
    if (read_head_kind(&kind, config, path, err) != 0 ||
        json_need_int(&embed_dim, config, "projection_dim", 1, 65536, path, err) != 0 ||
        declare_image(clip, image, path, err) != 0 ||
        declare_text(clip, text, json_int_or(config, "oclip_max_tokens", 0), path, err) != 0)
        return -1;
    clip_declare_heads(clip, kind, embed_dim, (float)json_real_or(config, "oclip_head_dropout", 0.1));
    clip->raw_scale = json_bool_or(config, "oclip_raw_scale", false);
    clip->unnormalised = json_bool_or(config, "oclip_unnormalised", false);
    return 0;
}

static int load_heads(struct clip *clip, const struct safetensors *file, struct error *err)
{
    enum head_kind kind = clip->image_head.kind;
    if (layout_load(clip->arena, head_layout(kind), "image_head", 1, file, "visual_projection.", err) != 0 ||
        layout_load(clip->arena, head_layout(kind), "text_head", 1, file, "text_projection.", err) != 0)
        return -1;
    return layout_load(clip->arena, &layout_logit_scale, "", 1, file, "", err);
}

int clip_open(struct clip **out, struct device *dev, const char *folder, unsigned trained, struct error *err)
{
    struct clip *clip = clip_new(dev);
    struct safetensors *file = NULL;
    json_t *config = NULL;
    char *path = path_join(folder, "config.json");
    int result = -1;
    if (json_read(&config, path, err) != 0 || safetensors_open_folder(&file, folder, err) != 0 ||
        preprocess_read(&clip->preprocess, folder, err) != 0 || tokenizer_open(&clip->tokenizer, folder, err) != 0)
        goto done;
    clip->tokenizer_folder = mem_format("%s", folder);
    add_fingerprint(clip, file);
    struct tower_source image = {file, "vision_model.", NULL}, text = {file, "text_model.", NULL};
    if (declare_saved(clip, &image, &text, config, path, err) != 0 ||
        arena_allocate(clip->arena, dev, trained, err) != 0 || load_towers(clip, &image, &text, err) != 0)
        goto done;
    result = load_heads(clip, file, err);
done:
    safetensors_close(file);
    json_decref(config);
    free(path);
    if (result != 0)
        clip_close(clip);
    else
        *out = clip;
    return result;
}

/* ---- clip_save ---- */

static int save_config(const struct clip *clip, const char *folder, struct error *err)
{
    json_t *config = json_pack("{s:s, s:[s], s:i, s:O, s:O, s:s, s:f, s:i, s:b, s:b}", "model_type",
                               "vision-text-dual-encoder", "architectures", "VisionTextDualEncoderModel",
                               "projection_dim", clip->embed_dim, "vision_config", clip->vision_config, "text_config",
                               clip->text_config, "oclip_head", head_names[clip->image_head.kind], "oclip_head_dropout",
                               (double)clip->image_head.dropout, "oclip_max_tokens", clip->max_tokens,
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
    const struct layout *head = head_layout(clip->image_head.kind);
    layout_collect(&list, arena, clip->image_layout, "image", clip->image.config.blocks.layers, "vision_model.");
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
    CHECK(clip->has_heads, "only a dual encoder is saved");
    if (file_make_folders(folder, err) != 0 || save_config(clip, folder, err) != 0 ||
        preprocess_write(&clip->preprocess, folder, err) != 0)
        return -1;
    if (strcmp(folder, clip->tokenizer_folder) != 0 && tokenizer_copy_files(folder, clip->tokenizer_folder, err) != 0)
        return -1;
    return save_weights(clip, folder, err);
}
