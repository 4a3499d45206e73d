/* SigLIP's loss: every pair of an image and a text is a yes or no of its own. */
#include "runtime/launch.h"
#include "runtime/ops/pair_blocks.h"

static void number_gradient(struct tape *tape, struct tensor *number, const struct tensor *parts,
                            const struct tensor *dloss, const struct tensor *logit_scale)
{
    int accumulate;
    struct tensor *grad = tape_grad(tape, number, &accumulate);
    if (grad)
        LAUNCH(grad->dev, "sigmoid_loss.cl", "sigmoid_loss_sum", range_rows(grad->dev, 1), ARG_BUFFER(grad),
               ARG_BUFFER(parts), ARG_BUFFER(dloss), ARG_BUFFER(logit_scale), ARG_INT(parts->dim[0]),
               ARG_INT(accumulate));
}

/* saved: image, text, logit_scale, logit_bias, photos */
static void sigmoid_loss_backward(struct tape *tape, const struct node *node)
{
    struct device *dev = tape_device(tape);
    struct tensor *image = node->saved[0], *text = node->saved[1], *logit_scale = node->saved[2];
    const struct tensor *dloss = node->out->grad;
    int batch = image->dim[0], add_image, add_text;
    struct tensor *dimage = tape_grad(tape, image, &add_image), *dtext = tape_grad(tape, text, &add_text);
    struct tensor *scale_parts = tensor_new(dev, DTYPE_F32, 1, &batch),
                  *bias_parts = tensor_new(dev, DTYPE_F32, 1, &batch);
    struct pair_blocks block = pair_blocks_begin(image, text);
    while (pair_blocks_next(&block)) {
        LAUNCH(dev, "sigmoid_loss.cl", "sigmoid_loss_backward", range_rows(dev, (size_t)block.rows),
               ARG_BUFFER(block.similarities), ARG_BUFFER(scale_parts), ARG_BUFFER(bias_parts), ARG_BUFFER(logit_scale),
               ARG_BUFFER(node->saved[3]), ARG_BUFFER(dloss), ARG_BUFFER(node->saved[4]), ARG_INT(block.row),
               ARG_INT(block.column), ARG_INT(block.columns), ARG_INT(batch));
        pair_blocks_backward(&block, dimage, dtext, add_image, add_text);
    }
    number_gradient(tape, logit_scale, scale_parts, dloss, logit_scale);
    number_gradient(tape, node->in[3], bias_parts, dloss, NULL);
    tensor_free(scale_parts);
    tensor_free(bias_parts);
}
static const struct op sigmoid_loss_op = {.name = "sigmoid_loss", .backward = sigmoid_loss_backward};

struct tensor *op_sigmoid_loss(struct tape *tape, struct tensor *image, struct tensor *text, struct tensor *logit_scale,
                               struct tensor *logit_bias, const int *photos)
{
    EXPECT(image, "sigmoid_loss: image", DTYPE_F32, -1, -1);
    int batch = image->dim[0];
    EXPECT(text, "sigmoid_loss: text", DTYPE_F32, batch, image->dim[1]);
    EXPECT(logit_scale, "sigmoid_loss: logit scale", DTYPE_F32, 1);
    EXPECT(logit_bias, "sigmoid_loss: logit bias", DTYPE_F32, 1);
    struct device *dev = tape_device(tape);
    struct tensor *loss = TAPE_TENSOR(tape, DTYPE_F32, 1), *photo = pair_photos(tape, photos, batch);
    struct tensor *row_losses = tensor_new(dev, DTYPE_F32, 1, &batch);
    struct pair_blocks block = pair_blocks_begin(image, text);
    while (pair_blocks_next(&block))
        LAUNCH(dev, "sigmoid_loss.cl", "sigmoid_loss_rows", range_rows(dev, (size_t)block.rows), ARG_BUFFER(row_losses),
               ARG_BUFFER(block.similarities), ARG_BUFFER(logit_scale), ARG_BUFFER(logit_bias), ARG_BUFFER(photo),
               ARG_INT(block.row), ARG_INT(block.column), ARG_INT(block.columns));
    LAUNCH(dev, "sigmoid_loss.cl", "sigmoid_loss_sum", range_rows(dev, 1), ARG_BUFFER(loss), ARG_BUFFER(row_losses),
           ARG_MEMORY(NULL), ARG_MEMORY(NULL), ARG_INT(batch), ARG_INT(false));
    tensor_free(row_losses);
    tape_push(tape, (struct node){.op = &sigmoid_loss_op,
                                  .in = {image, text, logit_scale, logit_bias},
                                  .out = loss,
                                  .saved = {image, text, logit_scale, logit_bias, photo}});
    return loss;
}
