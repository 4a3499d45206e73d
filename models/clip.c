#include "models/clip_files.h"

#include <stdlib.h>
#include <string.h>

/* exp() of the logit scale starts at 1 / 0.07 and is never above 100 (Radford et al. 2021). */
static const float initial_logit_scale = 2.6592600f, largest_logit_scale = 4.6051702f;

/* SigLIP's starts at 10, its bias at -10: nearly all pairs are wrong ones (Zhai et al. 2023, section 3.2). */
static const float initial_sigmoid_scale = 2.3025851f, initial_sigmoid_bias = -10;

struct tensor *clip_image_features(struct tape *tape, const struct clip *clip, struct tensor *pictures)
{
    CHECK(clip->has_image, "this model has no image tower");
    return op_cast(tape, image_tower_forward(tape, &clip->image, pictures), DTYPE_F32);
}

struct tensor *clip_text_features(struct tape *tape, const struct clip *clip, const int *ids, const int *lengths, int n)
{
    CHECK(clip->has_text, "this model has no text tower");
    return op_cast(tape, text_tower_forward(tape, &clip->text, ids, lengths, n), DTYPE_F32);
}

static struct tensor *embed(struct tape *tape, const struct clip *clip, const struct head *head,
                            struct tensor *features)
{
    CHECK(clip->has_heads, "a bare tower has no projection head");
    int scope = tape_scope(tape);
    return tape_leave(tape, scope, op_l2_normalise(tape, head_forward(tape, head, features)));
}

struct tensor *clip_embed_images(struct tape *tape, const struct clip *clip, struct tensor *features)
{
    return embed(tape, clip, &clip->image_head, features);
}

struct tensor *clip_embed_texts(struct tape *tape, const struct clip *clip, struct tensor *features)
{
    return embed(tape, clip, &clip->text_head, features);
}

struct tensor *clip_loss(struct tape *tape, const struct clip *clip, struct tensor *image_features,
                         struct tensor *text_features, const struct contrastive *options)
{
    struct contrastive how = options ? *options : (struct contrastive){0};
    how.raw_scale = clip->raw_scale;
    struct tensor *image = head_forward(tape, &clip->image_head, image_features);
    struct tensor *text = head_forward(tape, &clip->text_head, text_features);
    if (!clip->unnormalised) {
        image = op_l2_normalise(tape, image);
        text = op_l2_normalise(tape, text);
    }
    if (clip->sigmoid_loss)
        return op_sigmoid_loss(tape, image, text, clip->logit_scale, clip->logit_bias, how.slice, how.photos);
    return op_contrastive(tape, image, text, clip->logit_scale, &how);
}

void clip_limit_scale(const struct clip *clip)
{
    if (clip->logit_scale->needs_grad && !clip->raw_scale && !clip->sigmoid_loss)
        clamp_numbers(clip->logit_scale, 0, largest_logit_scale);
}

const char *clip_precision_note(const struct clip *clip)
{
    bool wide = clip->has_image && clip->image.kind->float32 && device_precision(clip->dev) != PRECISION_FP32;
    return wide ? "the image tower is a ResNet, which stores activations as float32 whatever --precision says" : NULL;
}

void clip_checkpoint_blocks(struct clip *clip, bool on)
{
    image_tower_checkpoint_blocks(&clip->image, on);
    clip->text.blocks.config.checkpointing = on;
}

struct clip *clip_new(struct device *dev, const struct clip_training *training)
{
    struct clip *clip = mem_new(1, sizeof *clip);
    clip->dev = dev;
    clip->arena = arena_new();
    clip->training = *training;
    memcpy(clip->arena->unlocked, training->unlocked, sizeof clip->arena->unlocked);
    clip->fingerprint = hash_begin();
    clip->stored.dtype = STORED_F32;
    return clip;
}

struct lora clip_lora(const struct clip *clip, int group)
{
    bool trained = clip->training.groups >> (GROUP_LORA + group) & 1;
    return trained ? clip->training.lora : (struct lora){0};
}

void clip_declare_image(struct clip *clip, const struct image_config *config)
{
    struct image_config image = *config;
    image.side = clip->preprocess.crop;
    memcpy(image.mean, clip->preprocess.mean, sizeof image.mean);
    memcpy(image.std, clip->preprocess.std, sizeof image.std);
    if (image.kind == &image_vit)
        image.vit.blocks.lora = clip_lora(clip, GROUP_IMAGE);
    image_tower_declare(&clip->image, clip->arena, &image, "image");
    clip->has_image = true;
}

void clip_declare_text(struct clip *clip, const struct text_config *config)
{
    struct text_config text = *config;
    text.blocks.lora = clip_lora(clip, GROUP_TEXT);
    text_tower_declare(&clip->text, clip->arena, &text, "text");
    clip->has_text = true;
}

void clip_declare_heads(struct clip *clip, enum head_kind kind, int embed_dim, float dropout, bool sigmoid_loss)
{
    const struct param_init scale = init_constant(sigmoid_loss ? initial_sigmoid_scale : initial_logit_scale);
    clip->embed_dim = embed_dim;
    head_declare(&clip->image_head, clip->arena, kind, clip->image.features, embed_dim, dropout, "image_head");
    head_declare(&clip->text_head, clip->arena, kind, clip->text.features, embed_dim, dropout, "text_head");
    clip->logit_scale = arena_add(clip->arena, GROUP_SCALE, scale, 1, (int[]){1}, "logit_scale");
    if (sigmoid_loss)
        clip->logit_bias =
            arena_add(clip->arena, GROUP_SCALE, init_constant(initial_sigmoid_bias), 1, (int[]){1}, "logit_bias");
    clip->sigmoid_loss = sigmoid_loss;
    clip->has_heads = true;
}

void clip_close(struct clip *clip)
{
    if (!clip)
        return;
    image_tower_free(&clip->image);
    text_tower_free(&clip->text);
    arena_free(clip->arena);
    tokenizer_close(clip->tokenizer);
    json_decref(clip->vision_config);
    json_decref(clip->text_config);
    json_decref(clip->open_clip);
    tensor_list_free(&clip->stored.spares);
    free(clip->folder);
    free(clip);
}
