/* A stack of transformer blocks (Vaswani et al. 2017), with the norms before the branches (ViT, DINOv2, CLIP) or
 * behind them (BERT).
 *
 *     struct transformer t;
 *     transformer_declare(&t, arena, GROUP_IMAGE, &config, "image");    // parameters image.0.qkv.weight, ...
 *     y = transformer_forward(tape, &t, x, &segments, NULL);            // [total, width] -> [total, width]
 *
 * Before: x += scale1 * out(attention(norm1(x)));  x += scale2 * fc2(activation(fc1(norm2(x))))
 * Behind: x = norm1(x + out(attention(x)));        x = norm2(x + fc2(activation(fc1(x))))
 *
 * In its group (arena.h) block i is layer i + 1. Towers put what stands before the blocks in layer 0, and what stands
 * behind them in the last block's.
 */
#ifndef OCLIP_TRANSFORMER_H
#define OCLIP_TRANSFORMER_H

#include "models/towers/module.h"

struct transformer_config {
    int layers, width, heads, mlp_width;
    enum activation activation;
    float norm_eps;
    bool norm_first;
    bool layer_scale; /* Touvron et al. 2021 */
    bool causal;
    float dropout;      /* on each branch's output, in training */
    struct lora lora;   /* rank 0: none */
    bool checkpointing; /* keep only what goes into each block, and run the block again in the backward pass */
};

struct transformer_block {
    struct norm norm1, norm2;
    struct linear qkv, out, fc1, fc2;
    struct tensor *scale1, *scale2; // [width] or NULL
};

struct transformer {
    struct transformer_config config;
    struct transformer_block *blocks; // [config.layers]
};

void transformer_declare(struct transformer *transformer, struct arena *arena, int group,
                         const struct transformer_config *config, const char *prefix);
void transformer_free(struct transformer *transformer);

/* Rows that the last block is asked for, when the rest of its output would not be used: NULL for all. Computing only
 * those is exact, and saves two thirds of a block. */
struct wanted_rows {
    const int *rows; // [count], distinct, on the host
    int count;
};

/* x [segments->total, width] -> the same, or [wanted->count, width] */
struct tensor *transformer_forward(struct tape *tape, const struct transformer *transformer, struct tensor *x,
                                   const struct segments *segments, const struct wanted_rows *wanted);

#endif
