/* New dual encoders, from pretrained towers or from nothing: clip_create. */
#include "models/clip_files.h"

#include "models/files/hub.h"
#include "runtime/util/file.h"
#include "runtime/util/json.h"

#include <stdlib.h>
#include <string.h>

static int read_config(json_t **config, const char *folder, struct error *err)
{
    char *path = path_join(folder, "config.json");
    int result = json_read(config, path, err);
    free(path);
    return result;
}

static int create_image(struct clip *clip, struct tower_source *source, const struct clip_recipe *recipe,
                        struct error *err)
{
    if (recipe->tiny) {
        clip->vision_config = clip_tiny_vision_config(&clip->preprocess);
        return clip_configure_image(clip, source, "tiny", err);
    }
    char *folder;
    if (!recipe->image_folder)
        return 0;
    if (hub_folder(&folder, recipe->image_folder, err) != 0)
        return -1;
    int result = -1;
    if (read_config(&clip->vision_config, folder, err) == 0 && preprocess_read(&clip->preprocess, folder, err) == 0 &&
        safetensors_open_folder(&source->file, folder, err) == 0) {
        clip_add_fingerprint(clip, source->file);
        json_object_update_missing_new(clip->vision_config, json_pack("{s:s}", "oclip_pooling", "first"));
        result = clip_configure_image(clip, source, folder, err);
    }
    free(folder);
    return result;
}

static int create_text(struct clip *clip, struct tower_source *source, const struct clip_recipe *recipe,
                       struct error *err)
{
    if (!recipe->text_folder)
        return 0;
    if (hub_folder(&clip->folder, recipe->text_folder, err) != 0 ||
        tokenizer_open(&clip->tokenizer, clip->folder, err) != 0)
        return -1;
    if (recipe->tiny) {
        clip->text_config = clip_tiny_text_config(tokenizer_vocabulary_size(clip->tokenizer));
        return clip_configure_text(clip, source, recipe->max_tokens, "tiny", err);
    }
    if (read_config(&clip->text_config, clip->folder, err) != 0 ||
        config_add_pooling(clip->text_config, clip->folder, err) != 0 ||
        safetensors_open_folder(&source->file, clip->folder, err) != 0)
        return -1;
    clip_add_fingerprint(clip, source->file);
    return clip_configure_text(clip, source, recipe->max_tokens, clip->folder, err);
}

/* A tower's file may hold more than the tower (a classifier behind it, another tower), but nothing else among its own
 * tensors: that would be a tower of another kind. */
static int check_left(const struct tower_source *source, struct error *err)
{
    const struct stored_tensor *left;
    for (int i = 0; source->file && (left = safetensors_next_left(source->file, &i));)
        if (strncmp(left->name, source->prefix, strlen(source->prefix)) == 0 &&
            !layout_spares(source->layout, source->prefix, left->name))
            return error_set(err, EXIT_BAD_DATA, "%s: tensor %s has no place in a tower of the %s layout", left->file,
                             left->name, source->layout->name);
    return 0;
}

static int load(struct clip *clip, const struct clip_recipe *recipe, const struct tower_source *image,
                const struct tower_source *text, struct error *err)
{
    unsigned random_groups = 1u << GROUP_HEAD | 1u << GROUP_SCALE;
    if (recipe->tiny)
        random_groups |= 1u << GROUP_IMAGE | 1u << GROUP_TEXT;
    if (arena_allocate(clip->arena, clip->dev, clip->training.groups, err) != 0)
        return -1;
    arena_initialise(clip->arena, random_groups, recipe->seed);
    if (clip_load_towers(clip, image, text, err) != 0 || check_left(image, err) != 0)
        return -1;
    return check_left(text, err);
}

int clip_create_to_train(struct clip **out, struct device *dev, const struct clip_recipe *recipe,
                         const struct clip_training *training, struct error *err)
{
    struct clip *clip = clip_new(dev, training);
    struct tower_source image = {0}, text = {0};
    int result = -1;
    if (create_image(clip, &image, recipe, err) != 0 || create_text(clip, &text, recipe, err) != 0)
        goto done;
    if (clip->has_image && clip->has_text &&
        clip_configure_heads(clip, recipe->head, recipe->embed_dim, recipe->head_dropout, recipe->sigmoid_loss,
                             recipe->text_folder, err) != 0)
        goto done;
    clip->raw_scale = recipe->raw_scale;
    clip->unnormalised = recipe->unnormalised;
    result = load(clip, recipe, &image, &text, err);
done:
    safetensors_close(image.file);
    safetensors_close(text.file);
    if (result != 0)
        clip_close(clip);
    else
        *out = clip;
    return result;
}

int clip_create(struct clip **out, struct device *dev, const struct clip_recipe *recipe, unsigned trained,
                struct error *err)
{
    return clip_create_to_train(out, dev, recipe, &(struct clip_training){.groups = trained}, err);
}
