/* The mean of each square of a picture. */
#include "runtime/launch.h"
#include "runtime/ops/ops.h"

static void average_pool_backward(struct tape *tape, const struct node *node)
{
    const struct tensor *x = node->in[0], *y = node->out;
    int accumulate, pixels = tensor_rows(x), channels = tensor_width(x);
    struct tensor *dx = tape_grad(tape, node->in[0], &accumulate);
    LAUNCH(x->dev, "average_pool.cl", "average_pool_backward", range_row_blocks(x->dev, (size_t)pixels, channels),
           ARG_BUFFER(dx), ARG_BUFFER(y->grad), ARG_INT(pixels), ARG_INT(x->dim[1]), ARG_INT(x->dim[2]),
           ARG_INT(channels), ARG_INT(y->dim[1]), ARG_INT(y->dim[2]), ARG_INT(node->integer[0]), ARG_INT(accumulate));
}
static const struct op average_pool_op = {.name = "average_pool", .backward = average_pool_backward};

struct tensor *op_average_pool(struct tape *tape, struct tensor *x, int side)
{
    EXPECT(x, "average_pool: x", DTYPE_F32, -1, -1, -1, -1);
    CHECK(side > 0 && side <= x->dim[1] && side <= x->dim[2], "average_pool: x %s, side %d", tensor_shape(x).text,
          side);
    int channels = x->dim[3];
    struct tensor *y = TAPE_TENSOR(tape, DTYPE_F32, x->dim[0], x->dim[1] / side, x->dim[2] / side, channels);
    int rows = tensor_rows(y);
    LAUNCH(x->dev, "average_pool.cl", "average_pool_forward", range_row_blocks(x->dev, (size_t)rows, channels),
           ARG_BUFFER(y), ARG_BUFFER(x), ARG_INT(rows), ARG_INT(x->dim[1]), ARG_INT(x->dim[2]), ARG_INT(channels),
           ARG_INT(y->dim[1]), ARG_INT(y->dim[2]), ARG_INT(side));
    tape_push(tape, (struct node){.op = &average_pool_op, .in = {x}, .out = y, .integer = {side}});
    return y;
}
