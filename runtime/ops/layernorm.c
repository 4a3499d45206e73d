/* Layer norm over the last dimension. */
#include "runtime/launch.h"
#include "runtime/ops/ops.h"

enum { GROUPS_PER_UNIT = 4 }; /* in the backward pass: enough to balance, few enough to keep their sums small */

/* [slices, width] to sum a parameter's gradient in, or NULL when it needs none. */
static struct tensor *new_partial(struct device *dev, const struct tensor *grad, int slices, int width)
{
    return grad ? tensor_new(dev, DTYPE_F32, 2, (int[]){slices, width}) : NULL;
}

static void finish_partial(struct tensor *grad, struct tensor *partial, bool accumulate)
{
    if (grad)
        column_sum(grad, partial, accumulate);
    tensor_free(partial);
}

static void layernorm_backward(struct tape *tape, const struct node *node)
{
    const struct tensor *x = node->saved[0], *stats = node->saved[1], *weight = node->saved[2];
    struct device *dev = x->dev;
    int rows = tensor_rows(x), width = tensor_width(x);
    int most = GROUPS_PER_UNIT * device_info(dev)->units;
    int slice = (rows + most - 1) / most, slices = (rows + slice - 1) / slice;

    int add_x = 0, add_weight = 0, add_bias = 0;
    struct tensor *dx = tape_grad(tape, node->in[0], &add_x);
    struct tensor *dweight = tape_grad(tape, node->in[1], &add_weight);
    struct tensor *dbias = tape_grad(tape, node->in[2], &add_bias);
    struct tensor *weight_partial = new_partial(dev, dweight, slices, width);
    struct tensor *bias_partial = new_partial(dev, dbias, slices, width);
    LAUNCH_AS(x, "layernorm.cl", "layernorm_backward", range_rows(dev, (size_t)slices), ARG_BUFFER(dx),
              ARG_BUFFER(weight_partial), ARG_BUFFER(bias_partial), ARG_BUFFER(node->out->grad), ARG_BUFFER(x),
              ARG_BUFFER(stats), ARG_BUFFER(weight), ARG_INT(rows), ARG_INT(width), ARG_INT(slice), ARG_INT(add_x));
    finish_partial(dweight, weight_partial, add_weight);
    finish_partial(dbias, bias_partial, add_bias);
}

static void launch_forward(struct tensor *y, struct tensor *stats, const struct tensor *x, const struct tensor *weight,
                           const struct tensor *bias, float eps)
{
    LAUNCH_AS(x, "layernorm.cl", "layernorm_forward", range_rows(x->dev, (size_t)tensor_rows(x)), ARG_BUFFER(y),
              ARG_BUFFER(stats), ARG_BUFFER(x), ARG_BUFFER(weight), ARG_BUFFER(bias), ARG_INT(tensor_width(x)),
              ARG_FLOAT(eps));
}

static void layernorm_restore(const struct node *node)
{
    launch_forward(node->out, node->saved[1], node->saved[0], node->saved[2], node->in[2], node->real[0]);
}
static const struct op layernorm_op = {
    .name = "layernorm", .backward = layernorm_backward, .restore = layernorm_restore};

struct tensor *op_layernorm(struct tape *tape, struct tensor *x, struct tensor *weight, struct tensor *bias, float eps)
{
    int rows = tensor_rows(x), width = tensor_width(x);
    tensor_expect_real(x, "layernorm: x");
    EXPECT(weight, "layernorm: weight", DTYPE_F32, width);
    EXPECT(bias, "layernorm: bias", DTYPE_F32, width);
    struct tensor *y = tape_like(tape, x);
    struct tensor *stats = TAPE_TENSOR(tape, DTYPE_F32, rows, 2); /* mean and reciprocal deviation of each row */
    launch_forward(y, stats, x, weight, bias, eps);
    tape_push(tape,
              (struct node){
                  .op = &layernorm_op, .in = {x, weight, bias}, .out = y, .saved = {x, stats, weight}, .real = {eps}});
    return y;
}
