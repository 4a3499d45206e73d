#include "models/towers/transformer.h"

#include <stdio.h>
#include <stdlib.h>

struct name {
    char text[128];
};

static struct name name_of(const char *prefix, int layer, const char *part)
{
    struct name name;
    snprintf(name.text, sizeof name.text, "%s.%d.%s", prefix, layer, part);
    return name;
}

static struct tensor *declare_scale(struct arena *arena, int place, int width, struct name name)
{
    return arena_add(arena, place, init_constant(1), 1, (int[]){width}, "%s", name.text);
}

static void declare_lora(struct transformer_block *block, struct arena *arena, int place, const struct lora *lora,
                         const char *prefix, int layer)
{
    struct linear *const linears[LORA_TARGETS] = {
        [LORA_QKV] = &block->qkv, [LORA_OUT] = &block->out, [LORA_FC1] = &block->fc1, [LORA_FC2] = &block->fc2};
    for (int i = 0; lora->rank > 0 && i < LORA_TARGETS; i++)
        if (lora->targets >> i & 1)
            linear_declare_lora(linears[i], arena, place, lora, name_of(prefix, layer, lora_targets[i]).text);
}

void transformer_declare(struct transformer *transformer, struct arena *arena, int group,
                         const struct transformer_config *config, const char *prefix)
{
    const struct param_init init = init_normal(0.02f);
    int width = config->width, mlp = config->mlp_width;
    transformer->config = *config;
    transformer->blocks = mem_new((size_t)config->layers, sizeof *transformer->blocks);
    for (int i = 0; i < config->layers; i++) {
#define NAME(part) name_of(prefix, i, part).text
        int place = arena_place(group, i + 1);
        transformer->blocks[i] = (struct transformer_block){
            .norm1 = norm_declare(arena, place, width, config->norm_eps, NAME("norm1")),
            .qkv = linear_declare(arena, place, width, 3 * width, true, init, NAME("qkv")),
            .out = linear_declare(arena, place, width, width, true, init, NAME("out")),
            .scale1 = config->layer_scale ? declare_scale(arena, place, width, name_of(prefix, i, "scale1")) : NULL,
            .norm2 = norm_declare(arena, place, width, config->norm_eps, NAME("norm2")),
            .fc1 = linear_declare(arena, place, width, mlp, true, init, NAME("fc1")),
            .fc2 = linear_declare(arena, place, mlp, width, true, init, NAME("fc2")),
            .scale2 = config->layer_scale ? declare_scale(arena, place, width, name_of(prefix, i, "scale2")) : NULL,
        };
#undef NAME
        declare_lora(&transformer->blocks[i], arena, GROUP_LORA + place, &config->lora, prefix, i);
    }
}

void transformer_free(struct transformer *transformer)
{
    free(transformer->blocks);
    transformer->blocks = NULL;
}

/* x + scale * dropout(branch), only the wanted rows of x when the branch has only those. */
static struct tensor *join(struct tape *tape, const struct transformer_config *config, struct tensor *x,
                           struct tensor *branch, struct tensor *scale)
{
    return op_residual(tape, x, op_dropout(tape, branch, config->dropout), scale);
}

static struct tensor *block_forward(struct tape *tape, const struct transformer_config *config,
                                    const struct transformer_block *block, struct tensor *x,
                                    const struct segments *segments, const struct wanted_rows *wanted)
{
    bool first = config->norm_first;
    struct tensor *h = first ? norm_forward(tape, &block->norm1, x) : x;
    h = linear_forward(tape, &block->qkv, h, ACTIVATION_NONE);
    h = op_attention(tape, h, segments, config->heads, config->causal);
    if (wanted) {
        h = op_gather_rows(tape, h, wanted->rows, wanted->count);
        x = op_gather_rows(tape, x, wanted->rows, wanted->count);
    }
    h = linear_forward(tape, &block->out, h, ACTIVATION_NONE);
    x = join(tape, config, x, h, block->scale1);
    if (!first)
        x = norm_forward(tape, &block->norm1, x);

    h = first ? norm_forward(tape, &block->norm2, x) : x;
    h = linear_forward(tape, &block->fc1, h, config->activation);
    h = linear_forward(tape, &block->fc2, h, ACTIVATION_NONE);
    x = join(tape, config, x, h, block->scale2);
    return first ? x : norm_forward(tape, &block->norm2, x);
}

/* A block by itself, for the backward pass to run again. */
struct block_call {
    const struct transformer_config *config;
    const struct transformer_block *block;
    struct segments segments;
};

static struct tensor *run_block(struct tape *tape, const void *context, struct tensor *x)
{
    const struct block_call *call = context;
    return block_forward(tape, call->config, call->block, x, &call->segments, NULL);
}

struct tensor *transformer_forward(struct tape *tape, const struct transformer *transformer, struct tensor *x,
                                   const struct segments *segments, const struct wanted_rows *wanted)
{
    const struct transformer_config *config = &transformer->config;
    int scope = tape_scope(tape);
    for (int i = 0; i < config->layers; i++) {
        const struct transformer_block *block = &transformer->blocks[i];
        bool last = i == config->layers - 1; /* run again at once, it would save nothing */
        bool trained = x->needs_grad || block->qkv.weight->needs_grad || config->lora.rank > 0;
        struct block_call call = {config, block, *segments};
        x = config->checkpointing && trained && !last
                ? tape_checkpoint(tape, run_block, &call, sizeof call, x, segments->starts)
                : block_forward(tape, config, block, x, segments, last ? wanted : NULL);
        tape_leave(tape, scope, x);
    }
    return x;
}
