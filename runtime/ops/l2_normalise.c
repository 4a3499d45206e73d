/* Each row divided by its Euclidean norm. */
#include "runtime/launch.h"
#include "runtime/ops/ops.h"

static void l2_normalise_backward(struct tape *tape, const struct node *node)
{
    const struct tensor *y = node->saved[0], *inverse = node->saved[1];
    int accumulate;
    struct tensor *dx = tape_grad(tape, node->in[0], &accumulate);
    LAUNCH_AS(y, "l2_normalise.cl", "l2_normalise_backward", range_rows(y->dev, (size_t)tensor_rows(y)), ARG_BUFFER(dx),
              ARG_BUFFER(node->out->grad), ARG_BUFFER(y), ARG_BUFFER(inverse), ARG_INT(tensor_width(y)),
              ARG_INT(accumulate));
}
static const struct op l2_normalise_op = {.name = "l2_normalise", .backward = l2_normalise_backward};

struct tensor *op_l2_normalise(struct tape *tape, struct tensor *x)
{
    tensor_expect_real(x, "l2_normalise: x");
    int rows = tensor_rows(x);
    struct tensor *y = tape_like(tape, x), *inverse = TAPE_TENSOR(tape, DTYPE_F32, rows);
    LAUNCH_AS(x, "l2_normalise.cl", "l2_normalise_forward", range_rows(x->dev, (size_t)rows), ARG_BUFFER(y),
              ARG_BUFFER(inverse), ARG_BUFFER(x), ARG_INT(tensor_width(x)));
    tape_push(tape, (struct node){.op = &l2_normalise_op, .in = {x}, .out = y, .saved = {y, inverse}});
    return y;
}
