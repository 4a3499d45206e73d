/* Pooling of packed segments. */
#include "runtime/launch.h"
#include "runtime/ops/ops.h"

static void pool_mean_backward(struct tape *tape, const struct node *node)
{
    const struct tensor *dy = node->out->grad, *starts = node->saved[0];
    int accumulate;
    struct tensor *dx = tape_grad(tape, node->in[0], &accumulate);
    LAUNCH_AS(dy, "pool.cl", "pool_mean_backward", range_rows(dy->dev, (size_t)tensor_rows(dy)), ARG_BUFFER(dx),
              ARG_BUFFER(dy), ARG_BUFFER(starts), ARG_INT(tensor_width(dy)), ARG_INT(accumulate));
}
static const struct op pool_mean_op = {.name = "pool_mean", .backward = pool_mean_backward};

struct tensor *op_pool_mean(struct tape *tape, struct tensor *x, const struct segments *segments)
{
    EXPECT_REAL(x, "pool_mean: x", segments->total, -1);
    int width = tensor_width(x);
    struct tensor *y = TAPE_TENSOR(tape, x->dtype, segments->count, width);
    LAUNCH_AS(x, "pool.cl", "pool_mean_forward", range_rows(x->dev, (size_t)segments->count), ARG_BUFFER(y),
              ARG_BUFFER(x), ARG_BUFFER(segments->starts), ARG_INT(width));
    tape_push(tape, (struct node){.op = &pool_mean_op, .in = {x}, .out = y, .saved = {segments->starts}});
    return y;
}
