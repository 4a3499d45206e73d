/* The dual encoder: an image tower, a text tower, a projection head on each, and the logit scale.
 *
 *     struct clip *clip;
 *     if (clip_open(&clip, dev, "runs/first/model", 0, &err) != 0) return error_report(&err);
 *     struct tensor *image = clip_embed_images(tape, clip, clip_image_features(tape, clip, pictures));  // [n, dim]
 *     struct tensor *text = clip_embed_texts(tape, clip, clip_text_features(tape, clip, ids, lengths, n));
 *     clip_close(clip);
 *
 * What turns paths and texts into embeddings is in models/encoder.h.
 *
 * A saved model is a Hugging Face style folder: config.json (vision_config and text_config are the towers' own),
 * model.safetensors, preprocessor_config.json and the tokenizer's files. It needs nothing else. Read are transformers'
 * CLIPModel, SiglipModel and VisionTextDualEncoderModel, and open_clip's own folders; a model is saved as the first of
 * these that it is, a trained pair as VisionTextDualEncoderModel. Wherever a folder is named, "hf:org/name" looks it up
 * in Hugging Face's cache (models/files/hub.h).
 */
#ifndef OCLIP_CLIP_H
#define OCLIP_CLIP_H

#include "models/files/layout.h"
#include "models/images/preprocess.h"
#include "models/tokenizers/tokenizer.h"
#include "models/towers/head.h"
#include "models/towers/image_tower.h"
#include "models/towers/text_tower.h"
#include "runtime/util/hash.h"

/* What of a dual encoder is trained: by group (GROUP_HEAD, ...). */
struct clip_training {
    unsigned groups;            /* a bit mask, 0 for inference */
    struct lora lora;           /* of the blocks of towers whose GROUP_LORA + ... is trained */
    int unlocked[ARENA_GROUPS]; /* of a group in it, only so many last layers (see transformer.h); 0: all of it */
};

struct clip {
    struct device *dev;
    struct arena *arena;
    struct clip_training training;
    struct image_tower image;
    struct text_tower text;
    struct head image_head, text_head;
    struct tensor *logit_scale; // [1], the logarithm unless raw_scale
    struct tensor *logit_bias;  // [1], SigLIP's; NULL where there is none
    int embed_dim;
    bool has_image, has_text, has_heads; /* a bare tower has only itself */
    bool raw_scale;                      /* the seed project's fault: the scale is used without exp */
    bool unnormalised;                   /* and so are the embeddings, in the loss */
    bool sigmoid_loss;                   /* SigLIP's loss; needs logit_bias */

    struct preprocess preprocess;
    struct tokenizer *tokenizer; /* NULL: texts come as ids */
    int max_tokens;
    struct hash fingerprint; /* of the weights as they were read */

    char *folder;                        /* whose tokenizer files are copied when the model is saved; or NULL */
    json_t *vision_config, *text_config; /* as the towers' folders have them, and "oclip_" members (files/config.h) */
    json_t *open_clip;                   /* open_clip_config.json as it was read; NULL where there was none */
    const struct layout *image_layout, *text_layout; /* what Hugging Face calls the weights */
    struct {
        const struct layout *image, *text;
        enum stored_dtype dtype;   /* F32 where tensors differ */
        struct tensor_list spares; /* tensors that nothing here uses; saved again beside those that are */
    } stored;                      /* how the weights were read */
};

/* What a new dual encoder is made of. A missing folder leaves that side out (and the heads). */
struct clip_recipe {
    const char *image_folder, *text_folder; /* pretrained towers */
    enum head_kind head;
    int embed_dim;
    float head_dropout;
    int max_tokens; /* 0: what the tokenizer was made for */
    bool raw_scale, unnormalised, sigmoid_loss;
    bool tiny; /* a small pair with random weights; text_folder then needs only a tokenizer */
    uint64_t seed;
};

/* `trained` is a bit mask of groups (1u << GROUP_HEAD ...), 0 for inference. */
int clip_create(struct clip **out, struct device *dev, const struct clip_recipe *recipe, unsigned trained,
                struct error *err) MUST_CHECK;
int clip_open(struct clip **out, struct device *dev, const char *folder, unsigned trained,
              struct error *err) MUST_CHECK;
/* The same without a tokenizer: texts can be given as ids only. */
int clip_open_towers(struct clip **out, struct device *dev, const char *folder, unsigned trained,
                     struct error *err) MUST_CHECK;
/* The same where a mask is not enough. */
int clip_create_to_train(struct clip **out, struct device *dev, const struct clip_recipe *recipe,
                         const struct clip_training *training, struct error *err) MUST_CHECK;
int clip_open_to_train(struct clip **out, struct device *dev, const char *folder, const struct clip_training *training,
                       struct error *err) MUST_CHECK;
void clip_close(struct clip *clip); /* NULL is fine */

/* Writes the folder so that a half-written one is never taken for a model: the weights come last. `format`: "hf",
 * "open_clip", "dual-encoder", or NULL for the first of them that the model is; that it is none of what was asked for
 * is an error. clip_save writes float32 in the first format. */
int clip_save(const struct clip *clip, const char *folder, struct error *err) MUST_CHECK;
int clip_save_as(const struct clip *clip, const char *folder, const char *format, enum stored_dtype dtype,
                 struct error *err) MUST_CHECK;

/* The updates of low rank by themselves, as peft names them, with the trained heads; nothing where there are none.
 * `base`: the folder that the model was opened from, or NULL. */
int clip_save_lora(const struct clip *clip, const char *folder, const char *base, struct error *err) MUST_CHECK;

/* Training keeps less from here on, or as much as ever: the blocks of transformers and the stages of ResNets are run
 * again in the backward pass (tape_checkpoint). */
void clip_checkpoint_blocks(struct clip *clip, bool on);

/* A line for people where a tower stores activations as float32 whatever precision was asked for; else NULL. */
const char *clip_precision_note(const struct clip *clip);

/* The towers' own outputs, float32. pictures [n, side, side, 3] u8 -> [n, image.features];
 * ids packed on the host [sum of lengths], lengths [n] -> [n, text.features] */
struct tensor *clip_image_features(struct tape *tape, const struct clip *clip, struct tensor *pictures);
struct tensor *clip_text_features(struct tape *tape, const struct clip *clip, const int *ids, const int *lengths,
                                  int n);

/* Features [n, features] through the head -> [n, embed_dim], L2-normalised. */
struct tensor *clip_embed_images(struct tape *tape, const struct clip *clip, struct tensor *features);
struct tensor *clip_embed_texts(struct tape *tape, const struct clip *clip, struct tensor *features);

/* The loss [1] of n pairs of features: CLIP's with these options (NULL: none; raw_scale is the clip's own), or
 * SigLIP's where sigmoid_loss is set, which knows only `slice` and `photos` of them. */
struct tensor *clip_loss(struct tape *tape, const struct clip *clip, struct tensor *image_features,
                         struct tensor *text_features, const struct contrastive *options);

/* After each step of training: CLIP's logit scale stays between 1 and 100, as open_clip keeps it. A limit inside the
 * loss would leave a scale beyond it without a gradient, and there for good. SigLIP's has none: published ones are at
 * 117. */
void clip_limit_scale(const struct clip *clip);

#endif
