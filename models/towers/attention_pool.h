/* Attention pooling: a learned query looks at all tokens, then an MLP with a residual (SigLIP's head, Zhai et al. 2023;
 * timm's AttentionPoolLatent).
 *
 *     struct attention_pool pool;
 *     attention_pool_declare(&pool, arena, GROUP_IMAGE, &config, "image.pool");
 *     y = attention_pool_forward(tape, &pool, x, &segments);    // [segments.total, width] -> [segments.count, width]
 *
 * h = out(softmax(query(probe) K^T / sqrt(head_dim)) V);  y = h + fc2(activation(fc1(norm(h))))
 */
#ifndef OCLIP_ATTENTION_POOL_H
#define OCLIP_ATTENTION_POOL_H

#include "models/towers/transformer.h"

struct attention_pool {
    int heads;
    enum activation activation;
    struct tensor *probe; // [1, width]
    struct linear query, key_value, out, fc1, fc2;
    struct norm norm;
};

/* Of `blocks`: width, heads, mlp_width, activation and norm_eps. */
void attention_pool_declare(struct attention_pool *pool, struct arena *arena, int place,
                            const struct transformer_config *blocks, const char *prefix);
struct tensor *attention_pool_forward(struct tape *tape, const struct attention_pool *pool, struct tensor *x,
                                      const struct segments *segments);

#endif
