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

enum { IMAGE, TEXT, ALL_IMAGE, ALL_TEXT, SCALE, BIAS, PHOTOS }; /* among the saved tensors */

static struct pair_sides sides_of(const struct node *node)
{
    return (struct pair_sides){node->saved[IMAGE], node->saved[TEXT], node->saved[ALL_IMAGE], node->saved[ALL_TEXT],
                               node->integer[0]};
}

static void sigmoid_loss_backward(struct tape *tape, const struct node *node)
{
    struct device *dev = tape_device(tape);
    struct tensor *logit_scale = node->saved[SCALE];
    const struct tensor *dloss = node->out->grad;
    int batch = node->saved[ALL_IMAGE]->dim[0], add_image, add_text;
    struct tensor *dimage = tape_grad(tape, node->saved[IMAGE], &add_image);
    struct tensor *dtext = tape_grad(tape, node->saved[TEXT], &add_text);
    struct tensor *scale_parts = tensor_zeros(dev, DTYPE_F32, 1, &batch); /* from each row; other ranks' stay so */
    struct tensor *bias_parts = tensor_zeros(dev, DTYPE_F32, 1, &batch);
    struct pair_sides sides = sides_of(node);
    struct pair_blocks block = pair_blocks_begin(&sides, true);
    while (pair_blocks_next(&block)) {
        LAUNCH(dev, "sigmoid_loss.cl", "sigmoid_loss_backward", range_rows(dev, (size_t)block.rows),
               ARG_BUFFER(block.similarities), ARG_BUFFER(block.own_images ? scale_parts : NULL),
               ARG_BUFFER(bias_parts), ARG_BUFFER(logit_scale), ARG_BUFFER(node->saved[BIAS]), ARG_BUFFER(dloss),
               ARG_BUFFER(node->saved[PHOTOS]), ARG_INT(block.row), ARG_INT(block.column), ARG_INT(block.columns),
               ARG_INT(batch));
        pair_blocks_backward(&block, dimage, dtext, add_image, add_text);
    }
    number_gradient(tape, logit_scale, scale_parts, dloss, logit_scale);
    number_gradient(tape, node->in[3], bias_parts, dloss, NULL);
    tensor_free(scale_parts);
    tensor_free(bias_parts);
}
static const struct op sigmoid_loss_op = {.name = "sigmoid_loss", .backward = sigmoid_loss_backward};

static void forward(struct tensor *loss, const struct node *node, const struct slice *slice)
{
    struct device *dev = loss->dev;
    struct tensor *row_losses = tensor_new(dev, DTYPE_F32, 1, &slice->batch);
    struct pair_sides sides = sides_of(node);
    struct pair_blocks block = pair_blocks_begin(&sides, false);
    while (pair_blocks_next(&block))
        LAUNCH(dev, "sigmoid_loss.cl", "sigmoid_loss_rows", range_rows(dev, (size_t)block.rows), ARG_BUFFER(row_losses),
               ARG_BUFFER(block.similarities), ARG_BUFFER(node->saved[SCALE]), ARG_BUFFER(node->saved[BIAS]),
               ARG_BUFFER(node->saved[PHOTOS]), ARG_INT(block.row), ARG_INT(block.column), ARG_INT(block.columns));
    slice_share_columns(slice, row_losses);
    LAUNCH(dev, "sigmoid_loss.cl", "sigmoid_loss_sum", range_rows(dev, 1), ARG_BUFFER(loss), ARG_BUFFER(row_losses),
           ARG_MEMORY(NULL), ARG_MEMORY(NULL), ARG_INT(slice->batch), ARG_INT(false));
    tensor_free(row_losses);
}

struct tensor *op_sigmoid_loss(struct tape *tape, struct tensor *image, struct tensor *text, struct tensor *logit_scale,
                               struct tensor *logit_bias, const struct slice *part, const int *photos)
{
    EXPECT(image, "sigmoid_loss: image", DTYPE_F32, part ? part->count : -1, -1);
    EXPECT(text, "sigmoid_loss: text", DTYPE_F32, image->dim[0], image->dim[1]);
    EXPECT(logit_scale, "sigmoid_loss: logit scale", DTYPE_F32, 1);
    EXPECT(logit_bias, "sigmoid_loss: logit bias", DTYPE_F32, 1);
    struct slice slice = part ? *part : slice_whole(image->dim[0]);
    struct tensor *loss = TAPE_TENSOR(tape, DTYPE_F32, 1);
    struct node node = {.op = &sigmoid_loss_op,
                        .in = {image, text, logit_scale, logit_bias},
                        .out = loss,
                        .saved = {[IMAGE] = image,
                                  [TEXT] = text,
                                  [ALL_IMAGE] = slice_all_rows(tape, &slice, image),
                                  [ALL_TEXT] = slice_all_rows(tape, &slice, text),
                                  [SCALE] = logit_scale,
                                  [BIAS] = logit_bias,
                                  [PHOTOS] = pair_photos(tape, photos, slice.batch)},
                        .integer = {slice.first}};
    forward(loss, &node, &slice);
    tape_push(tape, node);
    return loss;
}
