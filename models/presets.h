/* Models by name, with random weights: to measure speed, and to train from nothing.
 *
 *     struct clip *clip;
 *     if (preset_open(&clip, dev, "ViT-B-32", 0, 1, &err) != 0) return error_report(&err);
 *     ... clip_image_features(tape, clip, pictures) ...
 *     clip_close(clip);
 *
 * They have the shapes of their namesakes, but neither a tokenizer nor files: texts are given as ids, and such a model
 * is not saved. Pictures are 224 pixels a side.
 */
#ifndef OCLIP_PRESETS_H
#define OCLIP_PRESETS_H

#include "models/clip.h"

/* `trained` is a bit mask of groups as in clip_create. The error of an unknown name lists them all. */
int preset_open(struct clip **out, struct device *dev, const char *name, unsigned trained, uint64_t seed,
                struct error *err) MUST_CHECK;

const char *preset_names(void); /* "ViT-B-32, ViT-B-16, ..." */

#endif
