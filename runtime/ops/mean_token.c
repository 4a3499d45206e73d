/* The mean of each picture's patches as a token before them. */
#include "runtime/launch.h"
#include "runtime/ops/ops.h"

/* The same memory as rows of a picture each, so that columns are summed over the batch. */
static struct tensor picture_rows(const struct tensor *tokens, int ndim, int batch)
{
    struct tensor rows = *tokens;
    rows.ndim = ndim;
    rows.dim[0] = batch;
    rows.dim[ndim - 1] = (int)(tensor_count(tokens) / (size_t)batch);
    return rows;
}

static void mean_token_backward(struct tape *tape, const struct node *node)
{
    struct tensor *position = node->in[1], *dy = node->out->grad;
    int tokens = position->dim[0], width = position->dim[1], batch = dy->dim[0] / tokens, accumulate;
    struct tensor *dpatches = tape_grad(tape, node->in[0], &accumulate);
    if (dpatches)
        LAUNCH_AS(dy, "mean_token.cl", "mean_token_backward", range_rows(dy->dev, (size_t)batch), ARG_BUFFER(dpatches),
                  ARG_BUFFER(dy), ARG_INT(tokens), ARG_INT(width), ARG_INT(accumulate));
    struct tensor *dposition = tape_grad(tape, position, &accumulate);
    if (dposition) {
        struct tensor sum = picture_rows(dposition, 1, 1), rows = picture_rows(dy, 2, batch);
        column_sum(&sum, &rows, accumulate);
    }
}
static const struct op mean_token_op = {.name = "mean_token", .backward = mean_token_backward};

struct tensor *op_mean_token(struct tape *tape, struct tensor *patches, struct tensor *position)
{
    EXPECT(position, "mean_token: position", DTYPE_F32, -1, -1);
    int tokens = position->dim[0], width = position->dim[1];
    EXPECT_REAL(patches, "mean_token: patches", -1, width);
    CHECK(tokens > 1 && patches->dim[0] % (tokens - 1) == 0, "mean_token: patches %s for positions %s",
          tensor_shape(patches).text, tensor_shape(position).text);
    int batch = patches->dim[0] / (tokens - 1);
    struct tensor *y = TAPE_TENSOR(tape, patches->dtype, batch * tokens, width);
    LAUNCH_AS(patches, "mean_token.cl", "mean_token_forward", range_rows(patches->dev, (size_t)batch), ARG_BUFFER(y),
              ARG_BUFFER(patches), ARG_BUFFER(position), ARG_INT(tokens), ARG_INT(width));
    tape_push(tape, (struct node){.op = &mean_token_op, .in = {patches, position}, .out = y});
    return y;
}
