/* The largest number of each window of a picture. */
#include "runtime/launch.h"
#include "runtime/ops/ops.h"
#include "runtime/ops/window.h"

static void max_pool_backward(struct tape *tape, const struct node *node)
{
    const struct tensor *x = node->in[0], *y = node->out, *winner = node->saved[0];
    int accumulate, pixels = tensor_rows(x), channels = tensor_width(x);
    struct tensor *dx = tape_grad(tape, node->in[0], &accumulate);
    const int *window = node->integer; /* side, stride, padding */
    LAUNCH_WITH(x->dev, "max_pool.cl", "max_pool_backward", window_options(window[0], window[1], window[2]).text,
                range_row_blocks(x->dev, (size_t)pixels, channels), ARG_BUFFER(dx), ARG_BUFFER(y->grad),
                ARG_BUFFER(winner), ARG_INT(pixels), ARG_INT(x->dim[1]), ARG_INT(x->dim[2]), ARG_INT(channels),
                ARG_INT(y->dim[1]), ARG_INT(y->dim[2]), ARG_INT(accumulate));
}
static const struct op max_pool_op = {.name = "max_pool", .backward = max_pool_backward};

struct tensor *op_max_pool(struct tape *tape, struct tensor *x, int side, int stride, int padding)
{
    EXPECT(x, "max_pool: x", DTYPE_F32, -1, -1, -1, -1);
    int height = x->dim[1] + 2 * padding, width = x->dim[2] + 2 * padding, channels = x->dim[3];
    CHECK(stride > 0 && padding >= 0 && padding < side && side <= height && side <= width,
          "max_pool: x %s, side %d, stride %d, padding %d", tensor_shape(x).text, side, stride, padding);
    struct tensor *y =
        TAPE_TENSOR(tape, DTYPE_F32, x->dim[0], (height - side) / stride + 1, (width - side) / stride + 1, channels);
    struct tensor *winner = tape_recording(tape) && x->needs_grad ? tape_like(tape, y) : NULL;
    int rows = tensor_rows(y);
    LAUNCH_WITH(x->dev, "max_pool.cl", "max_pool_forward", window_options(side, stride, padding).text,
                range_row_blocks(x->dev, (size_t)rows, channels), ARG_BUFFER(y), ARG_BUFFER(winner), ARG_BUFFER(x),
                ARG_INT(rows), ARG_INT(x->dim[1]), ARG_INT(x->dim[2]), ARG_INT(channels), ARG_INT(y->dim[1]),
                ARG_INT(y->dim[2]));
    tape_push(
        tape,
        (struct node){.op = &max_pool_op, .in = {x}, .out = y, .saved = {winner}, .integer = {side, stride, padding}});
    return y;
}
