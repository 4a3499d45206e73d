/* SigLIP's loss: every pair of an image and a text is a yes or no of its own, so strips of rows can be done one after
 * another and nothing of them is kept. */
#include "runtime/gemm/gemm.h"
#include "runtime/launch.h"
#include "runtime/ops/ops.h"

enum { STRIP = 1024 }; /* images at a time: a multiple of 256, so that a strip begins where a buffer may be viewed */

/* Rows first to first + rows of x [batch, width], in the same memory. */
static struct tensor view_rows(const struct tensor *x, int first, int rows)
{
    size_t row = (size_t)tensor_width(x) * sizeof(float);
    struct tensor view = *x;
    view.dim[0] = rows;
    view.buffer = buffer_view(x->buffer, (size_t)first * row, (size_t)rows * row);
    view.grad = NULL;
    view.packed = NULL;
    view.constant = false;
    return view;
}

static int rows_from(int first, int batch)
{
    return batch - first < STRIP ? batch - first : STRIP;
}

/* strip [rows, batch] = image rows first to first + rows times all texts */
static void similarities(struct tensor *strip, const struct tensor *image, struct tensor *text, int first)
{
    struct tensor rows = view_rows(image, first, strip->dim[0]);
    gemm(&(struct gemm){.m = strip->dim[0],
                        .n = text->dim[0],
                        .k = text->dim[1],
                        .a = &rows,
                        .b = text,
                        .b_transposed = true,
                        .c = strip});
    buffer_drop(rows.buffer);
}

/* The gradients of one strip's rows of images, and its share of the texts'.  dstrip [rows, batch] */
static void strip_gradients(struct tensor *dimage, struct tensor *dtext, const struct tensor *dstrip,
                            struct tensor *image, struct tensor *text, int first, bool add_image, bool add_text)
{
    int rows = dstrip->dim[0], batch = text->dim[0], width = text->dim[1];
    if (dimage) {
        struct tensor c = view_rows(dimage, first, rows);
        gemm(&(struct gemm){
            .m = rows, .n = width, .k = batch, .a = dstrip, .b = text, .c = &c, .accumulate = add_image});
        buffer_drop(c.buffer);
    }
    if (dtext) {
        struct tensor b = view_rows(image, first, rows);
        gemm(&(struct gemm){.m = batch,
                            .n = width,
                            .k = rows,
                            .a = dstrip,
                            .a_transposed = true,
                            .b = &b,
                            .c = dtext,
                            .accumulate = add_text});
        buffer_drop(b.buffer);
    }
}

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

/* saved: image, text, logit_scale, logit_bias */
static void sigmoid_loss_backward(struct tape *tape, const struct node *node)
{
    struct device *dev = tape_device(tape);
    struct tensor *image = node->saved[0], *text = node->saved[1], *logit_scale = node->saved[2];
    const struct tensor *dloss = node->out->grad;
    int batch = image->dim[0], add_image, add_text;
    struct tensor *dimage = tape_grad(tape, image, &add_image), *dtext = tape_grad(tape, text, &add_text);
    struct tensor *scale_parts = tensor_new(dev, DTYPE_F32, 1, &batch),
                  *bias_parts = tensor_new(dev, DTYPE_F32, 1, &batch);
    for (int first = 0; first < batch; first += STRIP) {
        int rows = rows_from(first, batch);
        struct tensor *strip = tensor_new(dev, DTYPE_F32, 2, (int[]){rows, batch});
        similarities(strip, image, text, first);
        LAUNCH(dev, "sigmoid_loss.cl", "sigmoid_loss_backward", range_rows(dev, (size_t)rows), ARG_BUFFER(strip),
               ARG_BUFFER(scale_parts), ARG_BUFFER(bias_parts), ARG_BUFFER(logit_scale), ARG_BUFFER(node->saved[3]),
               ARG_BUFFER(dloss), ARG_INT(first), ARG_INT(batch));
        strip_gradients(dimage, dtext, strip, image, text, first, add_image, add_text || first > 0);
        tensor_free(strip);
    }
    number_gradient(tape, logit_scale, scale_parts, dloss, logit_scale);
    number_gradient(tape, node->in[3], bias_parts, dloss, NULL);
    tensor_free(scale_parts);
    tensor_free(bias_parts);
}
static const struct op sigmoid_loss_op = {.name = "sigmoid_loss", .backward = sigmoid_loss_backward};

struct tensor *op_sigmoid_loss(struct tape *tape, struct tensor *image, struct tensor *text, struct tensor *logit_scale,
                               struct tensor *logit_bias)
{
    EXPECT(image, "sigmoid_loss: image", DTYPE_F32, -1, -1);
    int batch = image->dim[0];
    EXPECT(text, "sigmoid_loss: text", DTYPE_F32, batch, image->dim[1]);
    EXPECT(logit_scale, "sigmoid_loss: logit scale", DTYPE_F32, 1);
    EXPECT(logit_bias, "sigmoid_loss: logit bias", DTYPE_F32, 1);
    struct device *dev = tape_device(tape);
    struct tensor *loss = TAPE_TENSOR(tape, DTYPE_F32, 1);
    struct tensor *row_losses = tensor_new(dev, DTYPE_F32, 1, &batch);
    for (int first = 0; first < batch; first += STRIP) {
        struct tensor *strip = tensor_new(dev, DTYPE_F32, 2, (int[]){rows_from(first, batch), batch});
        similarities(strip, image, text, first);
        LAUNCH(dev, "sigmoid_loss.cl", "sigmoid_loss_rows", range_rows(dev, (size_t)strip->dim[0]),
               ARG_BUFFER(row_losses), ARG_BUFFER(strip), ARG_BUFFER(logit_scale), ARG_BUFFER(logit_bias),
               ARG_INT(first), ARG_INT(batch));
        tensor_free(strip);
    }
    LAUNCH(dev, "sigmoid_loss.cl", "sigmoid_loss_sum", range_rows(dev, 1), ARG_BUFFER(loss), ARG_BUFFER(row_losses),
           ARG_MEMORY(NULL), ARG_MEMORY(NULL), ARG_INT(batch), ARG_INT(false));
    tensor_free(row_losses);
    tape_push(tape, (struct node){.op = &sigmoid_loss_op,
                                  .in = {image, text, logit_scale, logit_bias},
                                  .out = loss,
                                  .saved = {image, text, logit_scale, logit_bias}});
    return loss;
}
