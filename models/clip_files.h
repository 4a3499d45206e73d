/* What the files that make, open and save dual encoders share (clip_*.c, tiny.c, presets.c); the face of all is
 * models/clip.h. */
#ifndef OCLIP_CLIP_FILES_H
#define OCLIP_CLIP_FILES_H

#include "models/clip.h"
#include "models/files/config.h"

struct clip *clip_new(struct device *dev, const struct clip_training *training); /* without anything in it */

/* Of a tower, by its group; rank 0 where it is not trained so. */
struct lora clip_lora(const struct clip *clip, int group);

/* The pictures' side, mean and deviation are those of clip->preprocess. */
void clip_declare_image(struct clip *clip, const struct image_config *config);
void clip_declare_text(struct clip *clip, const struct text_config *config);

/* Declares both heads, the logit scale and, for SigLIP's loss, its bias, behind the towers. */
void clip_declare_heads(struct clip *clip, enum head_kind kind, int embed_dim, float dropout, bool sigmoid_loss);

/* What clip->vision_config and text_config say, declared in the arena; fills the sources. `path` is for messages.
 * max_tokens 0: what the tokenizer was made for. */
int clip_configure_image(struct clip *clip, struct tower_source *source, const char *path,
                         struct error *err) MUST_CHECK;
int clip_configure_text(struct clip *clip, struct tower_source *source, int max_tokens, const char *path,
                        struct error *err) MUST_CHECK;
/* Refuses heads that do not fit what the towers end in. */
int clip_configure_heads(struct clip *clip, enum head_kind kind, int embed_dim, float dropout, bool sigmoid_loss,
                         const char *path, struct error *err) MUST_CHECK;

/* Loads the towers' weights from their sources, those that have a file; LoRA's updates start at zero. */
int clip_load_towers(struct clip *clip, const struct tower_source *image, const struct tower_source *text,
                     struct error *err) MUST_CHECK;

/* A model is known by its names, shapes and the first bytes of each tensor. */
void clip_add_fingerprint(struct clip *clip, const struct safetensors *file);

extern const struct layout *const clip_head_layouts[HEAD_KINDS];

/* The towers of the tiny pair (models/tiny.c): config.json as transformers would write it; caller drops them. */
json_t *clip_tiny_vision_config(struct preprocess *preprocess);
json_t *clip_tiny_text_config(int vocabulary);

#endif
