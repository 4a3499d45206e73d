/* The same numbers stored another way. */
#include "runtime/launch.h"
#include "runtime/ops/ops.h"

static void cast_numbers(struct tensor *y, const struct tensor *x)
{
    size_t count = tensor_count(x);
    bool widens = y->dtype == DTYPE_F32;
    const struct tensor *narrow = widens ? x : y;
    CHECK(tensor_count(y) == count && (widens || x->dtype == DTYPE_F32), "cast of %s to %s, between two of 16 bits",
          tensor_shape(x).text, tensor_shape(y).text);
    LAUNCH_AS(narrow, "cast.cl", widens ? "widen_numbers" : "narrow_numbers", range_chunks(x->dev, count),
              ARG_BUFFER(y), ARG_BUFFER(x), ARG_INT((int)count));
}

struct tensor *cast_copy(const struct tensor *x, enum dtype dtype)
{
    struct tensor *y = tensor_new(x->dev, dtype, x->ndim, x->dim);
    cast_numbers(y, x);
    return y;
}

static void cast_backward(struct tape *tape, const struct node *node)
{
    struct tensor *dx = cast_copy(node->out->grad, node->in[0]->dtype);
    tape_grad_alias(tape, node->in[0], dx);
    tensor_free(dx);
}
static const struct op cast_op = {.name = "cast", .backward = cast_backward};

struct tensor *op_cast(struct tape *tape, struct tensor *x, enum dtype dtype)
{
    if (tensor_expect_real(x, "cast: x") == dtype)
        return x;
    struct tensor *y = tape_tensor(tape, dtype, x->ndim, x->dim);
    cast_numbers(y, x);
    tape_push(tape, (struct node){.op = &cast_op, .in = {x}, .out = y});
    return y;
}
