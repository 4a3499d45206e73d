/* Updates of low rank (struct lora of models/towers/module.h): merged into the weights they belong to, and by
 * themselves, as a folder that peft loads upon the model they were trained from.
 *
 *     arena_download(numbers, arena, param);
 *     lora_merge(numbers, arena, param);                                       // W + scale * B A
 *
 *     struct tensor_list list = {0};
 *     lora_collect(&list, arena, param, "text_model.encoder.layers.0.self_attn.v_proj.weight", 2, 3);   // of q, k, v
 *     if (lora_write("model/lora", &list, &lora, NULL, json_null(), &err) != 0) return -1;
 *
 * The folder has adapter_config.json and adapter_model.safetensors, with "base_model.model.MODULE.lora_A.weight"
 * [rank, in] and "...lora_B.weight" [out, rank]. A module with a part of the rows of ours has all of A and its rows of
 * B.
 */
#ifndef OCLIP_LORA_H
#define OCLIP_LORA_H

#include "models/files/layout.h"
#include "models/towers/module.h"
#include "runtime/util/json.h"

#define LORA_PREFIX "base_model.model." /* of all names of tensors */

/* Adds to the weight [out, in] the update that it has; does nothing where there is none. */
void lora_merge(float *weight, const struct arena *arena, const struct param *param);

/* Adds to the list what updates part `part` of `parts` of the weight's rows, which others call `theirs`; does nothing
 * where there is none. */
void lora_collect(struct tensor_list *list, const struct arena *arena, const struct param *weight, const char *theirs,
                  int part, int parts);

/* base: the model they are updates of, or NULL where no folder has it; saved: names of modules that the list has whole,
 * or null; takes the reference. */
int lora_write(const char *folder, const struct tensor_list *list, const struct lora *lora, const char *base,
               json_t *saved, struct error *err) MUST_CHECK;

#endif
