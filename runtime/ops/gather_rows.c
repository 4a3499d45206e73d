/* Chosen rows of a matrix: class tokens, end-of-text tokens. */
#include "runtime/launch.h"
#include "runtime/ops/ops.h"

#include <stdlib.h>

static void gather_rows_backward(struct tape *tape, const struct node *node)
{
    const struct tensor *dy = node->out->grad, *rows = node->saved[0];
    int accumulate;
    struct tensor *dx = tape_grad(tape, node->in[0], &accumulate);
    if (!accumulate)
        buffer_zero(dx->buffer, 0, tensor_bytes(dx));
    LAUNCH_AS(dy, "gather_rows.cl", "gather_rows_backward", range_rows(dy->dev, (size_t)tensor_rows(dy)),
              ARG_BUFFER(dx), ARG_BUFFER(dy), ARG_BUFFER(rows), ARG_INT(tensor_width(dy)), ARG_INT(accumulate));
}
static const struct op gather_rows_op = {.name = "gather_rows", .backward = gather_rows_backward};

static void check_rows(const int *rows, int count, int n)
{
    char *chosen = mem_new((size_t)n, 1); // [n]
    for (int i = 0; i < count; i++) {
        CHECK(rows[i] >= 0 && rows[i] < n && !chosen[rows[i]],
              "gather_rows: row %d of %d is out of range or twice there", rows[i], n);
        chosen[rows[i]] = 1;
    }
    free(chosen);
}

struct tensor *op_gather_rows(struct tape *tape, struct tensor *x, const int *rows, int count)
{
    EXPECT_REAL(x, "gather_rows: x", -1, -1);
    check_rows(rows, count, x->dim[0]);
    int width = tensor_width(x);
    struct tensor *numbers = tape_upload(tape, DTYPE_I32, 1, &count, rows);
    struct tensor *y = TAPE_TENSOR(tape, x->dtype, count, width);
    LAUNCH_AS(x, "gather_rows.cl", "gather_rows_forward", range_rows(x->dev, (size_t)count), ARG_BUFFER(y),
              ARG_BUFFER(x), ARG_BUFFER(numbers), ARG_INT(width));
    tape_push(tape, (struct node){.op = &gather_rows_op, .in = {x}, .out = y, .saved = {numbers}});
    return y;
}
