/* Zeroes numbers at random and scales up the rest (Srivastava et al. 2014). */
#include "runtime/launch.h"
#include "runtime/ops/ops.h"

#include <math.h>

/* y (+)= x under the mask that `seed` [2] and the probability give. */
static void launch(struct tensor *y, const struct tensor *x, const int *seed, float probability, bool accumulate)
{
    size_t count = tensor_count(x);
    uint32_t threshold = (uint32_t)ldexp((double)probability, 32);
    LAUNCH_AS(x, "dropout.cl", "dropout", range_chunks(x->dev, count), ARG_BUFFER(y), ARG_BUFFER(x),
              ARG_INT((int)count), ARG_INT(seed[0]), ARG_INT(seed[1]), ARG_INT((int)threshold),
              ARG_FLOAT(1 / (1 - probability)), ARG_INT(accumulate));
}

static void dropout_backward(struct tape *tape, const struct node *node)
{
    int accumulate;
    struct tensor *dx = tape_grad(tape, node->in[0], &accumulate);
    launch(dx, node->out->grad, node->integer, node->real[0], accumulate);
}
static const struct op dropout_op = {.name = "dropout", .backward = dropout_backward};

struct tensor *op_dropout(struct tape *tape, struct tensor *x, float probability)
{
    CHECK(probability >= 0 && probability < 1, "dropout with probability %g", (double)probability);
    tensor_expect_real(x, "dropout: x");
    if (!tape_training(tape) || probability == 0)
        return x;
    uint64_t seed = tape_next_seed(tape);
    struct tensor *y = tape_like(tape, x);
    struct node node = {.op = &dropout_op,
                        .in = {x},
                        .out = y,
                        .integer = {(int)(uint32_t)seed, (int)(uint32_t)(seed >> 32)},
                        .real = {probability}};
    launch(y, x, node.integer, probability, false);
    tape_push(tape, node);
    return y;
}
