#include "models/towers/vit.h"

#include "models/towers/positions.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Tokens before the patches. */
static int first_patch(const struct vit_config *config)
{
    return config->patches_only ? 0 : 1;
}

/* The norms around the blocks, and what the tokens go through at the end. */
static void declare_ends(struct vit *vit, struct arena *arena, const char *prefix)
{
    const struct param_init init = init_normal(0.02f);
    const struct vit_config *config = &vit->config;
    int width = config->blocks.width, last = arena_place(GROUP_IMAGE, config->blocks.layers);
    char name[128];
#define NAME(part) (snprintf(name, sizeof name, "%s.%s", prefix, part), name)
#define NORM(part) norm_declare(arena, last, width, config->blocks.norm_eps, NAME(part))
    if (config->norm_after_pooling)
        vit->pooled_norm = NORM("pooled_norm");
    else
        vit->norm = NORM("norm");
    if (config->pooling == VIT_POOLER)
        vit->pooler = linear_declare(arena, last, width, width, true, init, NAME("pooler"));
    if (config->pooling == VIT_ATTENTION)
        attention_pool_declare(&vit->pool, arena, last, &config->blocks, NAME("pool"));
    vit->features = width;
    if (config->classes) {
        vit->classifier = linear_declare(arena, last, width, config->classes, true, init, NAME("classifier"));
        vit->features = config->classes;
    }
    if (config->projection) {
        vit->projection = linear_declare(arena, last, vit->features, config->projection, false,
                                         init_normal(1 / sqrtf((float)width)), NAME("projection"));
        vit->features = config->projection;
    }
#undef NORM
#undef NAME
}

void vit_declare(struct vit *vit, struct arena *arena, const struct vit_config *config, const char *prefix)
{
    const struct param_init init = init_normal(0.02f);
    int width = config->blocks.width, positions = first_patch(config) + config->position_side * config->position_side;
#define ADD(init, ndim, part, ...)                                                                                     \
    arena_add(arena, GROUP_IMAGE, init, ndim, (int[]){__VA_ARGS__}, "%s.%s", prefix, part)
    *vit = (struct vit){
        .config = *config,
        .patch_weight = ADD(init, 4, "patch.weight", width, 3, config->patch, config->patch),
        .patch_bias = config->patch_bias ? ADD(init_constant(0), 1, "patch.bias", width) : NULL,
        .class_token = config->patches_only ? NULL : ADD(init, 1, "class_token", width),
        .position = ADD(init, 2, "position", positions, width),
    };
#undef ADD
    char name[128];
    snprintf(name, sizeof name, "%s.norm_before", prefix);
    transformer_declare(&vit->blocks, arena, GROUP_IMAGE, &config->blocks, prefix);
    if (config->norm_before)
        vit->norm_before = norm_declare(arena, GROUP_IMAGE, width, config->blocks.norm_eps, name);
    declare_ends(vit, arena, prefix);
}

void vit_prepare(struct vit *vit, struct device *dev)
{
    int from = vit->config.position_side, to = vit->config.image_side / vit->config.patch,
        first = first_patch(&vit->config);
    if (from == to)
        return;
    float *matrix = positions_resize_matrix(from, to, first); // [first + to^2, first + from^2]
    vit->position_resize = tensor_new(dev, DTYPE_F32, 2, (int[]){first + to * to, first + from * from});
    tensor_upload(vit->position_resize, matrix);
    free(matrix);
}

void vit_free(struct vit *vit)
{
    transformer_free(&vit->blocks);
    tensor_free(vit->position_resize);
    vit->position_resize = NULL;
}

/* images [batch, side, side, 3] u8 -> [batch * tokens, width] */
static struct tensor *embed(struct tape *tape, const struct vit *vit, struct tensor *images)
{
    int scope = tape_scope(tape);
    struct tensor *x =
        op_patch_embed(tape, images, vit->patch_weight, vit->patch_bias, vit->config.mean, vit->config.std);
    struct tensor *position =
        vit->position_resize ? op_product(tape, vit->position_resize, vit->position) : vit->position;
    x = op_image_tokens(tape, x, vit->class_token, position);
    if (vit->norm_before.weight)
        x = norm_forward(tape, &vit->norm_before, x);
    return tape_leave(tape, scope, x);
}

/* The rows of the last block that pooling looks at: the class tokens, or the patches. */
static int *pooled_rows(const struct vit *vit, int batch, int tokens, int *count)
{
    bool class_token = vit->config.pooling == VIT_CLASS_TOKEN || vit->config.pooling == VIT_POOLER;
    int first = class_token ? 0 : first_patch(&vit->config), each = class_token ? 1 : tokens - first;
    int *rows = mem_new((size_t)batch * (size_t)each, sizeof *rows); // [batch * each]
    *count = batch * each;
    for (int i = 0; i < *count; i++)
        rows[i] = i / each * tokens + first + i % each;
    return rows;
}

/* x [batch * rows, width], the rows that pooling looks at, behind the last norm if that stands before -> [batch, width]
 */
static struct tensor *pool(struct tape *tape, const struct vit *vit, struct tensor *x, int batch)
{
    if (vit->config.pooling == VIT_CLASS_TOKEN)
        return x;
    if (vit->config.pooling == VIT_POOLER)
        return linear_forward(tape, &vit->pooler, x, ACTIVATION_TANH);
    struct segments segments = segments_uniform(tape, batch, tensor_rows(x) / batch);
    return vit->config.pooling == VIT_MEAN ? op_pool_mean(tape, x, &segments)
                                           : attention_pool_forward(tape, &vit->pool, x, &segments);
}

struct tensor *vit_forward(struct tape *tape, const struct vit *vit, struct tensor *images)
{
    int batch = images->dim[0], side = vit->config.image_side / vit->config.patch,
        tokens = first_patch(&vit->config) + side * side, count;
    struct segments segments = segments_uniform(tape, batch, tokens);
    int *rows = pooled_rows(vit, batch, tokens, &count);

    int scope = tape_scope(tape);
    struct tensor *x = embed(tape, vit, images);
    x = transformer_forward(tape, &vit->blocks, x, &segments,
                            count < batch * tokens ? &(struct wanted_rows){rows, count} : NULL);
    if (vit->norm.weight)
        x = norm_forward(tape, &vit->norm, x);
    x = pool(tape, vit, x, batch);
    if (vit->pooled_norm.weight)
        x = norm_forward(tape, &vit->pooled_norm, x);
    if (vit->classifier.weight)
        x = linear_forward(tape, &vit->classifier, x, ACTIVATION_NONE);
    if (vit->projection.weight)
        x = linear_forward(tape, &vit->projection, x, ACTIVATION_NONE);
    free(rows);
    return tape_leave(tape, scope, x);
}
