/* The pieces towers are made of: parameters declared under a name, and their forward pass.
 *
 *     struct linear fc1 = linear_declare(arena, GROUP_IMAGE, 384, 1536, true, init_normal(0.02f), "fc1");
 *     ...
 *     struct tensor *h = linear_forward(tape, &fc1, x, ACTIVATION_GELU);      // [rows, 384] -> [rows, 1536]
 */
#ifndef OCLIP_MODULE_H
#define OCLIP_MODULE_H

#include "runtime/arena.h"
#include "runtime/ops/ops.h"

/* Parameter groups: each may be frozen, and has its learning rate. A `place` is a group or an arena_place(). */
enum { GROUP_IMAGE, GROUP_TEXT, GROUP_HEAD, GROUP_SCALE, GROUP_LORA /* + GROUP_IMAGE or GROUP_TEXT */ };

struct linear {
    struct tensor *weight; // [out, in]
    struct tensor *bias;   // [out] or NULL
    /* An update of the weight of low rank (LoRA, Hu et al. 2021), scale * B A; NULL where there is none. */
    struct tensor *lora_a, *lora_b; // [rank, in], [out, rank]
    struct tensor *lora_scale;      // [out], the same everywhere
};
struct linear linear_declare(struct arena *arena, int place, int in, int out, bool bias, struct param_init init,
                             const char *name);

enum { LORA_QKV, LORA_OUT, LORA_FC1, LORA_FC2, LORA_TARGETS };
extern const char *const lora_targets[LORA_TARGETS]; /* "qkv", ...: the matrices of a transformer's block */
struct lora {
    int rank;         /* 0: none */
    float alpha;      /* scale = alpha / rank */
    unsigned targets; /* a bit mask of 1u << LORA_QKV, ... */
    uint64_t seed;
};
/* The update starts at zero: B does, and A as torch.nn.Linear's weights. models/files/lora.h merges and saves it. */
void linear_declare_lora(struct linear *linear, struct arena *arena, int place, const struct lora *lora,
                         const char *name);

struct tensor *linear_forward(struct tape *tape, const struct linear *linear, struct tensor *x,
                              enum activation activation);

struct norm {
    struct tensor *weight, *bias; // [width]
    float eps;
};
struct norm norm_declare(struct arena *arena, int place, int width, float eps, const char *name);
struct tensor *norm_forward(struct tape *tape, const struct norm *norm, struct tensor *x);

/* "gelu", "quick_gelu", "gelu_pytorch_tanh", "relu" as Hugging Face's config.json spells them. */
const char *activation_name(enum activation activation); /* as transformers spell it */
int activation_of_name(enum activation *activation, const char *name, struct error *err) MUST_CHECK;

#endif
