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
 * model.safetensors, preprocessor_config.json and the tokenizer's files. It needs nothing else. CLIPModel's folders and
 * open_clip's are read too; without heads of its own, a model is saved as CLIPModel.
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

struct clip {
    struct device *dev;
    struct arena *arena;
    struct image_tower image;
    struct text_tower text;
    struct head image_head, text_head;
    struct tensor *logit_scale; // [1], the logarithm unless raw_scale
    int embed_dim;
    bool has_image, has_text, has_heads; /* a bare tower has only itself */
    bool raw_scale;                      /* the seed project's fault: the scale is used without exp */
    bool unnormalised;                   /* and so are the embeddings, in the loss */

    struct preprocess preprocess;
    struct tokenizer *tokenizer; /* NULL: texts come as ids */
    int max_tokens;
    struct hash fingerprint; /* of the weights as they were read */

    json_t *vision_config, *text_config; /* as the towers' folders have them, plus what pooling was found there */
    const struct layout *image_layout, *text_layout; /* that it is saved in */
    char *tokenizer_folder;                          /* where its files stand, to be copied when the model is saved */
};

/* What a new dual encoder is made of. A missing folder leaves that side out (and the heads). */
struct clip_recipe {
    const char *image_folder, *text_folder; /* pretrained towers */
    enum head_kind head;
    int embed_dim;
    float head_dropout;
    int max_tokens; /* 0: what the tokenizer was made for */
    bool raw_scale, unnormalised;
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
void clip_close(struct clip *clip); /* NULL is fine */

/* Writes the folder so that a half-written one is never taken for a model: model.safetensors comes last. */
int clip_save(const struct clip *clip, const char *folder, struct error *err) MUST_CHECK;

/* The towers' own outputs. pictures [n, side, side, 3] u8 -> [n, image.features];
 * ids packed on the host [sum of lengths], lengths [n] -> [n, text.features] */
struct tensor *clip_image_features(struct tape *tape, const struct clip *clip, struct tensor *pictures);
struct tensor *clip_text_features(struct tape *tape, const struct clip *clip, const int *ids, const int *lengths,
                                  int n);

/* Features [n, features] through the head -> [n, embed_dim], L2-normalised. */
struct tensor *clip_embed_images(struct tape *tape, const struct clip *clip, struct tensor *features);
struct tensor *clip_embed_texts(struct tape *tape, const struct clip *clip, struct tensor *features);

/* The contrastive loss [1] of n pairs of features. */
struct tensor *clip_loss(struct tape *tape, const struct clip *clip, struct tensor *image_features,
                         struct tensor *text_features);

#endif
