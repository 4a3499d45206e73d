#include "models/towers/attention_pool.h"

#include <stdio.h>

void attention_pool_declare(struct attention_pool *pool, struct arena *arena, int place,
                            const struct transformer_config *blocks, const char *prefix)
{
    const struct param_init init = init_normal(0.02f);
    int width = blocks->width;
    char name[128];
#define NAME(part) (snprintf(name, sizeof name, "%s.%s", prefix, part), name)
#define LINEAR(part, in, out) linear_declare(arena, place, in, out, true, init, NAME(part))
    *pool = (struct attention_pool){.heads = blocks->heads, .activation = blocks->activation};
    pool->probe = arena_add(arena, place, init, 2, (int[]){1, width}, "%s.probe", prefix);
    pool->query = LINEAR("query", width, width);
    pool->key_value = LINEAR("key_value", width, 2 * width);
    pool->out = LINEAR("out", width, width);
    pool->norm = norm_declare(arena, place, width, blocks->norm_eps, NAME("norm"));
    pool->fc1 = LINEAR("fc1", width, blocks->mlp_width);
    pool->fc2 = LINEAR("fc2", blocks->mlp_width, width);
#undef LINEAR
#undef NAME
}

struct tensor *attention_pool_forward(struct tape *tape, const struct attention_pool *pool, struct tensor *x,
                                      const struct segments *segments)
{
    int scope = tape_scope(tape);
    struct tensor *query = linear_forward(tape, &pool->query, pool->probe, ACTIVATION_NONE);
    struct tensor *key_value = linear_forward(tape, &pool->key_value, x, ACTIVATION_NONE);
    struct tensor *h = op_attention_pool(tape, query, key_value, segments, pool->heads);
    h = linear_forward(tape, &pool->out, h, ACTIVATION_NONE);
    struct tensor *branch = norm_forward(tape, &pool->norm, h);
    branch = linear_forward(tape, &pool->fc1, branch, pool->activation);
    branch = linear_forward(tape, &pool->fc2, branch, ACTIVATION_NONE);
    return tape_leave(tape, scope, op_residual(tape, h, branch, NULL));
}
