/* y = activation(x), number by number. */
#include "runtime/launch.h"
#include "runtime/ops/ops.h"

static void activation_backward(struct tape *tape, const struct node *node)
{
    const struct tensor *x = node->saved[0];
    int accumulate;
    struct tensor *dx = tape_grad(tape, node->in[0], &accumulate);
    size_t count = tensor_count(x);
    LAUNCH_AS(x, "activation.cl", "activation_backward", range_chunks(x->dev, count), ARG_BUFFER(dx),
              ARG_BUFFER(node->out->grad), ARG_BUFFER(x), ARG_INT((int)count), ARG_INT(node->integer[0]),
              ARG_INT(accumulate));
}

static void launch_forward(struct tensor *y, const struct tensor *x, enum activation activation)
{
    size_t count = tensor_count(x);
    LAUNCH_AS(x, "activation.cl", "activation_forward", range_chunks(x->dev, count), ARG_BUFFER(y), ARG_BUFFER(x),
              ARG_INT((int)count), ARG_INT((int)activation));
}

static void activation_restore(const struct node *node)
{
    launch_forward(node->out, node->saved[0], (enum activation)node->integer[0]);
}
static const struct op activation_op = {
    .name = "activation", .backward = activation_backward, .restore = activation_restore};

struct tensor *op_activation(struct tape *tape, struct tensor *x, enum activation activation)
{
    tensor_expect_real(x, "activation: x");
    if (activation == ACTIVATION_NONE)
        return x;
    struct tensor *y = tape_like(tape, x);
    launch_forward(y, x, activation);
    tape_push(tape,
              (struct node){.op = &activation_op, .in = {x}, .out = y, .saved = {x}, .integer = {(int)activation}});
    return y;
}
