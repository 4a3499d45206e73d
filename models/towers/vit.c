#include "models/towers/vit.h"

#include "models/towers/positions.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* The norms around the blocks, and what the class token goes through at the end. */
static void declare_ends(struct vit *vit, struct arena *arena, const char *prefix)
{
    const struct vit_config *config = &vit->config;
    int width = config->blocks.width;
    float eps = config->blocks.norm_eps;
    char name[128];
#define NAME(part) (snprintf(name, sizeof name, "%s.%s", prefix, part), name)
    if (config->norm_before)
        vit->norm_before = norm_declare(arena, GROUP_IMAGE, width, eps, NAME("norm_before"));
    vit->norm = norm_declare(arena, GROUP_IMAGE, width, eps, NAME("norm"));
    vit->features = width;
    if (config->classes) {
        vit->classifier =
            linear_declare(arena, GROUP_IMAGE, width, config->classes, true, init_normal(0.02f), NAME("classifier"));
        vit->features = config->classes;
    }
    if (config->projection) {
        vit->projection = linear_declare(arena, GROUP_IMAGE, vit->features, config->projection, false,
                                         init_normal(1 / sqrtf((float)width)), NAME("projection"));
        vit->features = config->projection;
    }
#undef NAME
}

void vit_declare(struct vit *vit, struct arena *arena, const struct vit_config *config, const char *prefix)
{
    const struct param_init init = init_normal(0.02f);
    int width = config->blocks.width, positions = 1 + config->position_side * config->position_side;
#define ADD(init, ndim, part, ...)                                                                                     \
    arena_add(arena, GROUP_IMAGE, init, ndim, (int[]){__VA_ARGS__}, "%s.%s", prefix, part)
    *vit = (struct vit){
        .config = *config,
        .patch_weight = ADD(init, 4, "patch.weight", width, 3, config->patch, config->patch),
        .patch_bias = config->patch_bias ? ADD(init_constant(0), 1, "patch.bias", width) : NULL,
        .class_token = ADD(init, 1, "class_token", width),
        .position = ADD(init, 2, "position", positions, width),
    };
#undef ADD
    transformer_declare(&vit->blocks, arena, GROUP_IMAGE, &config->blocks, prefix);
    declare_ends(vit, arena, prefix);
}

void vit_prepare(struct vit *vit, struct device *dev)
{
    int from = vit->config.position_side, to = vit->config.image_side / vit->config.patch;
    if (from == to)
        return;
    float *matrix = positions_resize_matrix(from, to); // [1 + to^2, 1 + from^2]
    vit->position_resize = tensor_new(dev, DTYPE_F32, 2, (int[]){1 + to * to, 1 + from * from});
    tensor_upload(vit->position_resize, matrix);
    free(matrix);
}

void vit_free(struct vit *vit)
{
    transformer_free(&vit->blocks);
    tensor_free(vit->position_resize);
    vit->position_resize = NULL;
}

struct tensor *vit_forward(struct tape *tape, const struct vit *vit, struct tensor *images)
{
    int batch = images->dim[0], side = vit->config.image_side / vit->config.patch, tokens = 1 + side * side;
    struct segments segments = segments_uniform(tape, batch, tokens);
    int *class_rows = mem_new((size_t)batch, sizeof *class_rows); // [batch]
    for (int i = 0; i < batch; i++)
        class_rows[i] = i * tokens;

    int scope = tape_scope(tape);
    struct tensor *x =
        op_patch_embed(tape, images, vit->patch_weight, vit->patch_bias, vit->config.mean, vit->config.std);
    struct tensor *position =
        vit->position_resize ? op_product(tape, vit->position_resize, vit->position) : vit->position;
    x = op_image_tokens(tape, x, vit->class_token, position);
    if (vit->norm_before.weight)
        x = norm_forward(tape, &vit->norm_before, x);
    tape_leave(tape, scope, x);

    x = transformer_forward(tape, &vit->blocks, x, &segments, &(struct wanted_rows){class_rows, batch});
    x = norm_forward(tape, &vit->norm, x);
    if (vit->classifier.weight)
        x = linear_forward(tape, &vit->classifier, x, ACTIVATION_NONE);
    if (vit->projection.weight)
        x = linear_forward(tape, &vit->projection, x, ACTIVATION_NONE);
    free(class_rows);
    return tape_leave(tape, scope, x);
}
