#include "models/towers/resnet.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

const struct resnet_kind resnet_basic = {.stem_units = 1, .stem_side = 7, .units = 2, .sides = {3, 3}, .strided = 0};
const struct resnet_kind resnet_bottleneck = {
    .stem_units = 1, .stem_side = 7, .units = 3, .sides = {1, 3, 1}, .strided = 1};
const struct resnet_kind resnet_clip = {
    .stem_units = 3, .stem_side = 3, .units = 3, .sides = {1, 3, 1}, .strided = 2, .modified = true};

/* ---- declaring ---- */

/* A unit that halves its pictures does so by striding, CLIP's by averaging first. Weights start as torchvision's do (He
 * et al. 2015). `number` is that of the names conv1 and bn1; the shortcut's is 0. */
static struct resnet_unit declare_unit(struct arena *arena, int place, int in, int out, int side, const char *prefix,
                                       int number)
{
    const int width[] = {out};
    const struct param_init init = init_normal(sqrtf(2.0f / (float)(out * side * side)));
#define ADD(init, ndim, dim, part) arena_add(arena, place, init, ndim, dim, "%s." part, prefix, number)
    return (struct resnet_unit){
        .weight = ADD(init, 4, ((int[]){out, side, side, in}), "conv%d.weight"),
        .norm = {.weight = ADD(init_constant(1), 1, width, "bn%d.weight"),
                 .bias = ADD(init_constant(0), 1, width, "bn%d.bias"),
                 .running_mean = ADD(init_state(0), 1, width, "bn%d.running_mean"),
                 .running_variance = ADD(init_state(1), 1, width, "bn%d.running_var"),
                 .eps = 1e-5f,
                 .momentum = 0.1f},
        .average = 1,
        .stride = 1,
        .padding = side / 2,
    };
#undef ADD
}

static void halve(struct resnet_unit *unit, const struct resnet_kind *kind)
{
    *(kind->modified ? &unit->average : &unit->stride) = 2;
}

static struct resnet_block declare_block(struct arena *arena, int place, const struct resnet_kind *kind, int in,
                                         int width, int out, bool halves, const char *prefix)
{
    struct resnet_block block = {0};
    for (int i = 0, from = in; i < kind->units; i++) {
        int to = i == kind->units - 1 ? out : width;
        block.units[i] = declare_unit(arena, place, from, to, kind->sides[i], prefix, i + 1);
        from = to;
    }
    if (halves || in != out)
        block.shortcut = declare_unit(arena, place, in, out, 1, prefix, 0);
    if (halves) {
        halve(&block.units[kind->strided], kind);
        halve(&block.shortcut, kind);
    }
    return block;
}

static void declare_stem(struct resnet *resnet, struct arena *arena, const char *prefix)
{
    const struct resnet_kind *kind = resnet->config.kind;
    for (int i = 0, in = 3; i < kind->stem_units; i++) {
        int out = i == kind->stem_units - 1 ? resnet->config.stem : resnet->config.stem / 2;
        resnet->stem[i] = declare_unit(arena, GROUP_IMAGE, in, out, kind->stem_side, prefix, i + 1);
        in = out;
    }
    resnet->stem[0].stride = 2;
}

static void declare_blocks(struct resnet *resnet, struct arena *arena, const char *prefix)
{
    const struct resnet_config *config = &resnet->config;
    for (int s = 0; s < RESNET_STAGES; s++)
        resnet->block_count += config->stages[s].layers;
    resnet->blocks = mem_new((size_t)resnet->block_count, sizeof *resnet->blocks);
    struct resnet_block *block = resnet->blocks;
    for (int s = 0, in = config->stem; s < RESNET_STAGES; s++)
        for (int i = 0; i < config->stages[s].layers; i++) {
            int place = arena_place(GROUP_IMAGE, s + 1);
            char name[128];
            snprintf(name, sizeof name, "%s.layer%d.%d", prefix, s + 1, i);
            *block++ = declare_block(arena, place, config->kind, in, config->stages[s].width, config->stages[s].out,
                                     s > 0 && i == 0, name);
            in = config->stages[s].out;
        }
}

static void declare_attention(struct resnet *resnet, struct arena *arena, int width, const char *prefix)
{
    const struct resnet_config *config = &resnet->config;
    const struct param_init init = init_normal(1 / sqrtf((float)width));
    int tokens = 1 + config->position_side * config->position_side, last = arena_place(GROUP_IMAGE, RESNET_STAGES);
    char qkv[128], out[128];
    snprintf(qkv, sizeof qkv, "%s.attention.qkv", prefix);
    snprintf(out, sizeof out, "%s.attention.out", prefix);
    resnet->position = arena_add(arena, last, init, 2, (int[]){tokens, width}, "%s.position", prefix);
    resnet->qkv = linear_declare(arena, last, width, 3 * width, true, init, qkv);
    resnet->out = linear_declare(arena, last, width, config->projection, true, init, out);
    resnet->features = config->projection;
}

/* What stands behind the mean. */
static void declare_ends(struct resnet *resnet, struct arena *arena, const char *prefix)
{
    const struct resnet_config *config = &resnet->config;
    int last = arena_place(GROUP_IMAGE, RESNET_STAGES);
    float limit = 1 / sqrtf((float)resnet->features);
    char classifier[128], projection[128];
    snprintf(classifier, sizeof classifier, "%s.classifier", prefix);
    snprintf(projection, sizeof projection, "%s.projection", prefix);
    if (config->classes) {
        resnet->classifier =
            linear_declare(arena, last, resnet->features, config->classes, true, init_uniform(limit), classifier);
        resnet->features = config->classes;
    }
    if (config->projection) {
        resnet->projection =
            linear_declare(arena, last, resnet->features, config->projection, false, init_normal(limit), projection);
        resnet->features = config->projection;
    }
}

void resnet_declare(struct resnet *resnet, struct arena *arena, const struct resnet_config *config, const char *prefix)
{
    *resnet = (struct resnet){.config = *config, .features = config->stages[RESNET_STAGES - 1].out};
    declare_stem(resnet, arena, prefix);
    declare_blocks(resnet, arena, prefix);
    if (config->kind->modified)
        declare_attention(resnet, arena, resnet->features, prefix);
    else
        declare_ends(resnet, arena, prefix);
}

void resnet_free(struct resnet *resnet)
{
    free(resnet->blocks);
    resnet->blocks = NULL;
}

/* ---- forward ---- */

/* [batch, height, width, in] -> [batch, height', width', out] */
static struct tensor *unit_forward(struct tape *tape, const struct resnet_unit *unit, struct tensor *x,
                                   struct tensor *residual, bool relu)
{
    bool training = tape_training(tape) && unit->weight->needs_grad;
    if (unit->average > 1)
        x = op_average_pool(tape, x, unit->average);
    x = op_convolution(tape, x, unit->weight, unit->stride, unit->padding);
    return op_batch_norm(tape, x, &unit->norm, residual, relu, training);
}

static struct tensor *block_forward(struct tape *tape, const struct resnet_block *block, int units, struct tensor *x)
{
    struct tensor *h = x;
    for (int i = 0; i < units - 1; i++)
        h = unit_forward(tape, &block->units[i], h, NULL, true);
    if (block->shortcut.weight)
        x = unit_forward(tape, &block->shortcut, x, NULL, false);
    return unit_forward(tape, &block->units[units - 1], h, x, true);
}

static struct tensor *stem_forward(struct tape *tape, const struct resnet *resnet, struct tensor *images)
{
    const struct resnet_kind *kind = resnet->config.kind;
    struct tensor *x = op_pixels(tape, images, resnet->config.mean, resnet->config.std);
    for (int i = 0; i < kind->stem_units; i++)
        x = unit_forward(tape, &resnet->stem[i], x, NULL, true);
    return kind->modified ? op_average_pool(tape, x, 2) : op_max_pool(tape, x, 3, 2, 1);
}

/* The blocks of a stage by themselves, for the backward pass to run again. */
struct stage_call {
    const struct resnet_block *blocks; // [count]
    int count, units;
};

static struct tensor *stage_forward(struct tape *tape, const struct stage_call *call, int scope, struct tensor *x)
{
    for (int i = 0; i < call->count; i++)
        x = tape_leave(tape, scope, block_forward(tape, &call->blocks[i], call->units, x));
    return x;
}

static struct tensor *run_stage(struct tape *tape, const void *context, struct tensor *x)
{
    return stage_forward(tape, context, tape_scope(tape), x);
}

/* The scope is the caller's: what a stage is given is let go with the rest. */
static struct tensor *stages_forward(struct tape *tape, const struct resnet *resnet, int scope, struct tensor *x)
{
    const struct resnet_config *config = &resnet->config;
    struct stage_call call = {.blocks = resnet->blocks, .units = config->kind->units};
    for (int s = 0; s < RESNET_STAGES; s++, call.blocks += call.count) {
        call.count = config->stages[s].layers;
        bool last = s == RESNET_STAGES - 1; /* run again at once, it would save nothing */
        bool trained = x->needs_grad || call.blocks->units[0].weight->needs_grad;
        x = config->checkpointing && trained && !last ? tape_checkpoint(tape, run_stage, &call, sizeof call, x, NULL)
                                                      : stage_forward(tape, &call, scope, x);
        tape_leave(tape, scope, x);
    }
    return x;
}

/* x [batch * places, width] -> [batch, projection]. Only the mean's row is asked for. */
static struct tensor *attention_pool(struct tape *tape, const struct resnet *resnet, struct tensor *x, int batch)
{
    int tokens = resnet->position->dim[0];
    struct segments segments = segments_uniform(tape, batch, tokens);
    int *rows = mem_new((size_t)batch, sizeof *rows); // [batch]
    for (int i = 0; i < batch; i++)
        rows[i] = i * tokens;
    x = op_mean_token(tape, x, resnet->position);
    x = linear_forward(tape, &resnet->qkv, x, ACTIVATION_NONE);
    x = op_attention(tape, x, &segments, resnet->config.heads, false);
    x = op_gather_rows(tape, x, rows, batch);
    free(rows);
    return linear_forward(tape, &resnet->out, x, ACTIVATION_NONE);
}

/* x [batch * places, width] -> [batch, width] */
static struct tensor *mean_pool(struct tape *tape, struct tensor *x, int batch)
{
    struct segments segments = segments_uniform(tape, batch, x->dim[0] / batch);
    return op_pool_mean(tape, x, &segments);
}

struct tensor *resnet_forward(struct tape *tape, const struct resnet *resnet, struct tensor *images)
{
    const struct resnet_kind *kind = resnet->config.kind;
    int batch = images->dim[0], scope = tape_scope(tape);
    struct tensor *x = tape_leave(tape, scope, stem_forward(tape, resnet, images));
    x = stages_forward(tape, resnet, scope, x);
    x = tape_reshape(tape, x, 2, (int[]){tensor_rows(x), tensor_width(x)});
    x = kind->modified ? attention_pool(tape, resnet, x, batch) : mean_pool(tape, x, batch);
    if (resnet->classifier.weight)
        x = linear_forward(tape, &resnet->classifier, x, ACTIVATION_NONE);
    if (resnet->projection.weight)
        x = linear_forward(tape, &resnet->projection, x, ACTIVATION_NONE);
    return tape_leave(tape, scope, x);
}
