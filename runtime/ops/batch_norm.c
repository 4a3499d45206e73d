/* Batch norm over the rows of each column, with the residual and the ReLU that stand behind it in a ResNet. */
#include "runtime/launch.h"
#include "runtime/ops/ops.h"

enum { STRIP = 1024 }; /* columns of a work-group that sums, as in cl/batch_norm.cl */

/* Rows are summed in slices, of about the square root: then slices and their sums take equally long. */
struct slices {
    int rows, count; /* of one slice; of slices */
    struct launch_range range;
};

static struct slices slices_of(const struct tensor *x)
{
    int rows = tensor_rows(x), slice = 1;
    while ((long)slice * slice < rows)
        slice++;
    struct slices slices = {.rows = slice, .count = (rows + slice - 1) / slice};
    slices.range = range_rows(x->dev, (size_t)(tensor_width(x) + STRIP - 1) / STRIP);
    slices.range.groups[1] = (size_t)slices.count;
    return slices;
}

/* One item for each vector of a row. */
static struct launch_range range_columns(const struct device *dev, int width)
{
    size_t vector = (size_t)device_vector_width(dev);
    return range_items(dev, ((size_t)width + vector - 1) / vector, 1, 1);
}

/* ---- forward ---- */

static void batch_statistics(struct tensor *stats, const struct tensor *x, const struct batch_norm *norm,
                             float momentum)
{
    struct device *dev = x->dev;
    int rows = tensor_rows(x), width = tensor_width(x);
    struct slices slices = slices_of(x);
    struct tensor *partial = tensor_new(dev, DTYPE_F32, 3, (int[]){slices.count, 2, width});
    LAUNCH(dev, "batch_norm.cl", "batch_norm_slices", slices.range, ARG_BUFFER(partial), ARG_BUFFER(x), ARG_INT(rows),
           ARG_INT(width), ARG_INT(slices.rows));
    LAUNCH(dev, "batch_norm.cl", "batch_norm_join", range_columns(dev, width), ARG_BUFFER(stats),
           ARG_BUFFER(norm->running_mean), ARG_BUFFER(norm->running_variance), ARG_BUFFER(partial), ARG_INT(rows),
           ARG_INT(width), ARG_INT(slices.rows), ARG_FLOAT(norm->eps), ARG_FLOAT(momentum));
    tensor_free(partial);
}

static void running_statistics(struct tensor *stats, const struct batch_norm *norm)
{
    int width = tensor_width(stats);
    LAUNCH(stats->dev, "batch_norm.cl", "batch_norm_running", range_columns(stats->dev, width), ARG_BUFFER(stats),
           ARG_BUFFER(norm->running_mean), ARG_BUFFER(norm->running_variance), ARG_INT(width), ARG_FLOAT(norm->eps));
}

/* saved: x, stats, weight, bias, residual; integer: relu, training */
static void batch_norm_restore(const struct node *node)
{
    struct tensor *const *saved = node->saved, *x = saved[0];
    int rows = tensor_rows(x), width = tensor_width(x);
    LAUNCH(x->dev, "batch_norm.cl", "batch_norm_forward", range_row_blocks(x->dev, (size_t)rows, width),
           ARG_BUFFER(node->out), ARG_BUFFER(x), ARG_BUFFER(saved[1]), ARG_BUFFER(saved[2]), ARG_BUFFER(saved[3]),
           ARG_BUFFER(saved[4]), ARG_INT(rows), ARG_INT(width), ARG_INT(node->integer[0]));
}

/* ---- backward ---- */

/* sums [2, width] of the gradient before the activation, and of it times the normalised numbers */
static struct tensor *gradient_sums(const struct node *node)
{
    struct tensor *const *saved = node->saved, *x = saved[0];
    struct device *dev = x->dev;
    int rows = tensor_rows(x), width = tensor_width(x);
    struct slices slices = slices_of(x);
    struct tensor *partial = tensor_new(dev, DTYPE_F32, 2, (int[]){slices.count, 2 * width});
    struct tensor *sums = tensor_new(dev, DTYPE_F32, 1, (int[]){2 * width});
    LAUNCH(dev, "batch_norm.cl", "batch_norm_sums", slices.range, ARG_BUFFER(partial), ARG_BUFFER(node->out->grad),
           ARG_BUFFER(x), ARG_BUFFER(saved[1]), ARG_BUFFER(saved[2]), ARG_BUFFER(saved[3]), ARG_BUFFER(saved[4]),
           ARG_INT(rows), ARG_INT(width), ARG_INT(slices.rows), ARG_INT(node->integer[0]));
    column_sum(sums, partial, false);
    tensor_free(partial);
    return sums;
}

/* to (+)= half of sums */
static void take_half(struct tensor *to, struct tensor *sums, int half, bool accumulate)
{
    if (to)
        LAUNCH(to->dev, "batch_norm.cl", "batch_norm_half", range_columns(to->dev, tensor_width(to)), ARG_BUFFER(to),
               ARG_BUFFER(sums), ARG_INT(half), ARG_INT(tensor_width(to)), ARG_INT(accumulate));
}

static void batch_norm_backward(struct tape *tape, const struct node *node)
{
    struct tensor *const *saved = node->saved, *x = saved[0], *dy = node->out->grad;
    int rows = tensor_rows(x), width = tensor_width(x), relu = node->integer[0], training = node->integer[1];
    int add_x = 0, add_weight = 0, add_bias = 0, add_residual = 0;
    struct tensor *dx = tape_grad(tape, node->in[0], &add_x);
    struct tensor *dweight = tape_grad(tape, node->in[1], &add_weight);
    struct tensor *dbias = tape_grad(tape, node->in[2], &add_bias);
    struct tensor *dresidual = tape_grad(tape, node->in[3], &add_residual);
    struct tensor *sums = (dx && training) || dweight || dbias ? gradient_sums(node) : NULL;
    take_half(dbias, sums, 0, add_bias);
    take_half(dweight, sums, 1, add_weight);
    if (dx || dresidual)
        LAUNCH(x->dev, "batch_norm.cl", "batch_norm_backward", range_row_blocks(x->dev, (size_t)rows, width),
               ARG_BUFFER(dx), ARG_BUFFER(dresidual), ARG_BUFFER(dy), ARG_BUFFER(x), ARG_BUFFER(saved[1]),
               ARG_BUFFER(saved[2]), ARG_BUFFER(saved[3]), ARG_BUFFER(saved[4]), ARG_BUFFER(training ? sums : NULL),
               ARG_INT(rows), ARG_INT(width), ARG_INT(relu), ARG_INT(add_x), ARG_INT(add_residual));
    tensor_free(sums);
}
static const struct op batch_norm_op = {
    .name = "batch_norm", .backward = batch_norm_backward, .restore = batch_norm_restore};

struct tensor *op_batch_norm(struct tape *tape, struct tensor *x, const struct batch_norm *norm,
                             struct tensor *residual, bool relu, bool training)
{
    int width = tensor_width(x);
    CHECK(x->dtype == DTYPE_F32, "batch_norm of %s, which are no floats", tensor_shape(x).text);
    EXPECT(norm->weight, "batch_norm: weight", DTYPE_F32, width);
    EXPECT(norm->bias, "batch_norm: bias", DTYPE_F32, width);
    EXPECT(norm->running_mean, "batch_norm: running mean", DTYPE_F32, width);
    EXPECT(norm->running_variance, "batch_norm: running variance", DTYPE_F32, width);
    if (residual)
        tensor_expect(residual, "batch_norm: residual", DTYPE_F32, x->ndim, x->dim);
    struct tensor *stats = TAPE_TENSOR(tape, DTYPE_F32, 2, width); /* mean and reciprocal deviation of each column */
    if (training)
        batch_statistics(stats, x, norm, tape_rerunning(tape) ? 0 : norm->momentum);
    else
        running_statistics(stats, norm);
    struct node node = {.op = &batch_norm_op,
                        .in = {x, norm->weight, norm->bias, residual},
                        .out = tape_like(tape, x),
                        .saved = {x, stats, norm->weight, norm->bias, residual},
                        .integer = {relu, training}};
    batch_norm_restore(&node);
    tape_push(tape, node);
    return node.out;
}
