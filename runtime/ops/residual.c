/* y = x + scale * branch. */
#include "runtime/launch.h"
#include "runtime/ops/ops.h"

static void scale_gradient(struct tensor *dscale, const struct tensor *dy, const struct tensor *branch, bool accumulate)
{
    struct tensor *products = tensor_new(dy->dev, DTYPE_F32, dy->ndim, dy->dim);
    size_t count = tensor_count(dy);
    LAUNCH_AS(dy, "residual.cl", "residual_products", range_chunks(dy->dev, count), ARG_BUFFER(products),
              ARG_BUFFER(dy), ARG_BUFFER(branch), ARG_INT((int)count));
    column_sum(dscale, products, accumulate);
    tensor_free(products);
}

static void residual_backward(struct tape *tape, const struct node *node)
{
    struct tensor *dy = node->out->grad, *branch = node->in[1], *scale = node->in[2];
    tape_grad_alias(tape, node->in[0], dy);
    if (!scale) {
        tape_grad_alias(tape, branch, dy);
        return;
    }
    int accumulate;
    struct tensor *dbranch = tape_grad(tape, branch, &accumulate);
    if (dbranch)
        LAUNCH_AS(dy, "residual.cl", "residual_scale", range_rows(dy->dev, (size_t)tensor_rows(dy)),
                  ARG_BUFFER(dbranch), ARG_BUFFER(dy), ARG_BUFFER(scale), ARG_INT(tensor_width(dy)),
                  ARG_INT(accumulate));
    struct tensor *dscale = tape_grad(tape, scale, &accumulate);
    if (dscale)
        scale_gradient(dscale, dy, branch, accumulate);
}
static const struct op residual_op = {.name = "residual", .backward = residual_backward};

struct tensor *op_residual(struct tape *tape, struct tensor *x, struct tensor *branch, struct tensor *scale)
{
    struct device *dev = x->dev;
    size_t count = tensor_count(x);
    int rows = tensor_rows(x), width = tensor_width(x);
    CHECK(branch->dtype == tensor_expect_real(x, "residual: x") && tensor_count(branch) == count &&
              tensor_width(branch) == width,
          "residual: x %s, branch %s", tensor_shape(x).text, tensor_shape(branch).text);
    struct tensor *y = tape_like(tape, x);
    if (scale) {
        EXPECT(scale, "residual: scale", DTYPE_F32, width);
        LAUNCH_AS(x, "residual.cl", "residual_add_scaled", range_rows(dev, (size_t)rows), ARG_BUFFER(y), ARG_BUFFER(x),
                  ARG_BUFFER(branch), ARG_BUFFER(scale), ARG_INT(width));
    } else {
        LAUNCH_AS(x, "residual.cl", "residual_add", range_chunks(dev, count), ARG_BUFFER(y), ARG_BUFFER(x),
                  ARG_BUFFER(branch), ARG_INT((int)count));
    }
    bool learns_scale = scale && scale->needs_grad;
    tape_push(tape, (struct node){.op = &residual_op,
                                  .in = {x, branch, scale},
                                  .out = y,
                                  .saved = {learns_scale ? branch : NULL, scale}});
    return y;
}
