/* What clip.c and clip_files.c share; the face of both is models/clip.h. */
#ifndef OCLIP_CLIP_FILES_H
#define OCLIP_CLIP_FILES_H

#include "models/clip.h"

/* Declares both heads and the logit scale, behind the towers. */
void clip_declare_heads(struct clip *clip, enum head_kind kind, int embed_dim, float dropout);

/* The towers of the tiny pair (models/tiny.c): config.json as transformers would write it; caller drops them. */
json_t *clip_tiny_vision_config(struct preprocess *preprocess);
json_t *clip_tiny_text_config(int vocabulary);

#endif
