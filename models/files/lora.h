/* Updates of low rank (struct lora of models/towers/module.h): merged into the weights they belong to, and by
 * themselves.
 *
 *     arena_download(numbers, arena, param);
 *     lora_merge(numbers, arena, param);                                       // W + scale * B A
 *     if (lora_write("model/lora.safetensors", arena, &err) != 0) return -1;
 *
 * The file names tensors as peft does, "base_model.model.image.0.qkv.lora_A.weight" [rank, in] and "...lora_B.weight"
 * [out, rank]; its metadata has "r" and "lora_alpha".
 */
#ifndef OCLIP_LORA_H
#define OCLIP_LORA_H

#include "runtime/arena.h"

/* Adds to the weight [out, in] the update that it has; does nothing where there is none. */
void lora_merge(float *weight, const struct arena *arena, const struct param *param);

/* Writes all updates of the arena; no file where there are none. */
int lora_write(const char *path, const struct arena *arena, struct error *err) MUST_CHECK;

#endif
