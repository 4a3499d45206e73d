#include "runtime/gemm/gemm.h"
#include "runtime/launch.h"
#include "runtime/ops/ops.h"

/* dx = dsimilarities other, or its transpose.  dsimilarities [batch, batch], other [batch, width] */
static void side_backward(struct tape *tape, struct tensor *x, const struct tensor *dsimilarities, struct tensor *other,
                          bool transposed)
{
    int accumulate, batch = other->dim[0];
    struct tensor *dx = tape_grad(tape, x, &accumulate);
    if (dx)
        gemm(&(struct gemm){.m = batch,
                            .n = other->dim[1],
                            .k = batch,
                            .a = dsimilarities,
                            .a_transposed = transposed,
                            .b = other,
                            .c = dx,
                            .accumulate = accumulate});
}

static void contrastive_backward(struct tape *tape, const struct node *node)
{
    struct device *dev = tape_device(tape);
    struct tensor *image = node->saved[0], *text = node->saved[1], *logit_scale = node->saved[2];
    struct tensor *similarities = node->saved[3], *lse = node->saved[4];
    int batch = image->dim[0], raw = node->integer[0], accumulate;

    struct tensor *scale_parts = tensor_new(dev, DTYPE_F32, 1, &batch);
    LAUNCH(dev, "contrastive.cl", "contrastive_backward", range_rows(dev, (size_t)batch), ARG_BUFFER(similarities),
           ARG_BUFFER(scale_parts), ARG_BUFFER(lse), ARG_BUFFER(logit_scale), ARG_BUFFER(node->out->grad),
           ARG_INT(batch), ARG_INT(raw));
    side_backward(tape, image, similarities, text, false);
    side_backward(tape, text, similarities, image, true);

    struct tensor *dlogit_scale = tape_grad(tape, logit_scale, &accumulate);
    if (dlogit_scale)
        LAUNCH(dev, "contrastive.cl", "contrastive_scale", range_rows(dev, 1), ARG_BUFFER(dlogit_scale),
               ARG_BUFFER(scale_parts), ARG_BUFFER(logit_scale), ARG_INT(batch), ARG_INT(raw), ARG_INT(accumulate));
    tensor_free(scale_parts);
}
static const struct op contrastive_op = {.name = "contrastive", .backward = contrastive_backward};

struct tensor *op_contrastive(struct tape *tape, struct tensor *image, struct tensor *text, struct tensor *logit_scale,
                              bool raw_scale)
{
    EXPECT(image, "contrastive: image", DTYPE_F32, -1, -1);
    int batch = image->dim[0], width = image->dim[1];
    EXPECT(text, "contrastive: text", DTYPE_F32, batch, width);
    EXPECT(logit_scale, "contrastive: logit scale", DTYPE_F32, 1);

    struct device *dev = tape_device(tape);
    struct tensor *similarities = TAPE_TENSOR(tape, DTYPE_F32, batch, batch);
    struct tensor *lse = TAPE_TENSOR(tape, DTYPE_F32, 2, batch);
    struct tensor *loss = TAPE_TENSOR(tape, DTYPE_F32, 1);
    gemm(&(struct gemm){
        .m = batch, .n = batch, .k = width, .a = image, .b = text, .b_transposed = true, .c = similarities});
    size_t strips = ((size_t)batch + (size_t)device_vector_width(dev) - 1) / (size_t)device_vector_width(dev);
    LAUNCH(dev, "contrastive.cl", "contrastive_rows", range_rows(dev, (size_t)batch), ARG_BUFFER(lse),
           ARG_BUFFER(similarities), ARG_BUFFER(logit_scale), ARG_INT(batch), ARG_INT(raw_scale));
    LAUNCH(dev, "contrastive.cl", "contrastive_columns", range_items(dev, strips, 1, 1), ARG_BUFFER(lse),
           ARG_BUFFER(similarities), ARG_BUFFER(logit_scale), ARG_INT(batch), ARG_INT(raw_scale));
    LAUNCH(dev, "contrastive.cl", "contrastive_loss", range_rows(dev, 1), ARG_BUFFER(loss), ARG_BUFFER(lse),
           ARG_BUFFER(similarities), ARG_BUFFER(logit_scale), ARG_INT(batch), ARG_INT(raw_scale));
    tape_push(tape, (struct node){.op = &contrastive_op,
                                  .in = {image, text, logit_scale},
                                  .out = loss,
                                  .saved = {image, text, logit_scale, similarities, lse},
                                  .integer = {raw_scale}});
    return loss;
}
