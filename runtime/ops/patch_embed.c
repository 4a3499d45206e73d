#include "runtime/gemm/gemm.h"
#include "runtime/launch.h"
#include "runtime/ops/ops.h"

#include <stdio.h>

/* A temporary, several times as large as the pictures: rebuilt in the backward pass rather than kept.
 * images [batch, side, side, 3] u8, scale_shift [2, 3] -> [batch * (side / patch)^2, 3 * patch * patch] */
static struct tensor *patch_rows(const struct tensor *images, const struct tensor *scale_shift, int patch,
                                 enum dtype dtype)
{
    struct device *dev = images->dev;
    int batch = images->dim[0], side = images->dim[1], grid = side / patch;
    struct tensor *patches = tensor_new(dev, dtype, 2, (int[]){batch * grid * grid, 3 * patch * patch});
    struct launch_range range = {{(size_t)grid, (size_t)grid, (size_t)batch}, (size_t)device_group_size(dev)};
    char options[64];
    snprintf(options, sizeof options, "-DPATCH=%d %s", patch, dtype_options(dtype));
    LAUNCH_WITH(dev, "patch_embed.cl", "patch_rows", options, range, ARG_BUFFER(patches), ARG_BUFFER(images),
                ARG_BUFFER(scale_shift), ARG_INT(side));
    return patches;
}

static void patch_embed_backward(struct tape *tape, const struct node *node)
{
    const struct tensor *dy = node->out->grad;
    int accumulate;
    struct tensor *dweight = tape_grad(tape, node->in[0], &accumulate);
    if (dweight) {
        struct tensor *patches = patch_rows(node->saved[0], node->saved[1], dweight->dim[3], dy->dtype);
        gemm(&(struct gemm){.m = tensor_width(dy),
                            .n = tensor_width(patches),
                            .k = tensor_rows(dy),
                            .a = dy,
                            .a_transposed = true,
                            .b = patches,
                            .c = dweight,
                            .accumulate = accumulate});
        tensor_free(patches);
    }
    struct tensor *dbias = tape_grad(tape, node->in[1], &accumulate);
    if (dbias)
        column_sum(dbias, dy, accumulate);
}
static const struct op patch_embed_op = {.name = "patch_embed", .backward = patch_embed_backward};

struct tensor *op_patch_embed(struct tape *tape, struct tensor *images, struct tensor *weight, struct tensor *bias,
                              const float *mean, const float *std)
{
    EXPECT(images, "patch_embed: images", DTYPE_U8, -1, -1, -1, 3);
    EXPECT(weight, "patch_embed: weight", DTYPE_F32, -1, 3, -1, -1);
    int side = images->dim[1], width = weight->dim[0], patch = weight->dim[3];
    CHECK(images->dim[2] == side && weight->dim[2] == patch && side % patch == 0, "patch_embed: images %s, weight %s",
          tensor_shape(images).text, tensor_shape(weight).text);
    if (bias)
        EXPECT(bias, "patch_embed: bias", DTYPE_F32, width);

    float numbers[2][3];
    for (int channel = 0; channel < 3; channel++) {
        numbers[0][channel] = 1 / (255 * std[channel]);
        numbers[1][channel] = -mean[channel] / std[channel];
    }
    struct tensor *scale_shift = tape_upload(tape, DTYPE_F32, 2, (int[]){2, 3}, numbers);
    struct tensor *patches = patch_rows(images, scale_shift, patch, tape_dtype(tape));
    struct tensor *y = TAPE_TENSOR(tape, patches->dtype, tensor_rows(patches), width);
    gemm(&(struct gemm){.m = tensor_rows(patches),
                        .n = width,
                        .k = tensor_width(patches),
                        .a = patches,
                        .b = weight,
                        .b_transposed = true,
                        .c = y,
                        .bias = bias});
    tensor_free(patches);
    tape_push(tape,
              (struct node){.op = &patch_embed_op, .in = {weight, bias}, .out = y, .saved = {images, scale_shift}});
    return y;
}
