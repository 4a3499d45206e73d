/* What clip.c shares with clip_files.c, tiny.c and presets.c; the face of all is models/clip.h. */
#ifndef OCLIP_CLIP_FILES_H
#define OCLIP_CLIP_FILES_H

#include "models/clip.h"

struct clip *clip_new(struct device *dev); /* without anything in it */

/* The pictures' side, mean and deviation are those of clip->preprocess. */
void clip_declare_image(struct clip *clip, const struct image_config *config);
void clip_declare_text(struct clip *clip, const struct text_config *config);

/* Declares both heads and the logit scale, behind the towers. */
void clip_declare_heads(struct clip *clip, enum head_kind kind, int embed_dim, float dropout);

/* The towers of the tiny pair (models/tiny.c): config.json as transformers would write it; caller drops them. */
json_t *clip_tiny_vision_config(struct preprocess *preprocess);
json_t *clip_tiny_text_config(int vocabulary);

#endif
