/* y = activation(x weight^T + bias), and a constant matrix times x. */
#include "runtime/gemm/gemm.h"

static void linear_backward(struct tape *tape, const struct node *node)
{
    struct tensor *x = node->in[0], *weight = node->in[1], *bias = node->in[2], *dy = node->out->grad;
    int rows = tensor_rows(dy), out = tensor_width(dy), in = tensor_width(weight), accumulate;

    struct tensor *dx = tape_grad(tape, x, &accumulate);
    if (dx)
        gemm(&(struct gemm){.m = rows, .n = in, .k = out, .a = dy, .b = weight, .c = dx, .accumulate = accumulate});
    struct tensor *dweight = tape_grad(tape, weight, &accumulate);
    if (dweight)
        gemm(&(struct gemm){.m = out,
                            .n = in,
                            .k = rows,
                            .a = dy,
                            .a_transposed = true,
                            .b = x,
                            .c = dweight,
                            .accumulate = accumulate});
    struct tensor *dbias = tape_grad(tape, bias, &accumulate);
    if (dbias)
        column_sum(dbias, dy, accumulate);
}
static const struct op linear_op = {.name = "linear", .backward = linear_backward};

struct tensor *op_linear(struct tape *tape, struct tensor *x, struct tensor *weight, struct tensor *bias,
                         enum activation activation)
{
    int rows = tensor_rows(x), in = tensor_width(x), out = weight->dim[0];
    EXPECT(weight, "linear: weight", DTYPE_F32, out, in);
    if (bias)
        EXPECT(bias, "linear: bias", DTYPE_F32, out);
    /* The backward pass of an activation needs what went into it, so it is a node of its own then. */
    bool needs_grad = x->needs_grad || weight->needs_grad || (bias && bias->needs_grad);
    bool fused = !tape_recording(tape) || !needs_grad;

    struct tensor *y = TAPE_TENSOR(tape, tensor_expect_real(x, "linear: x"), rows, out);
    gemm(&(struct gemm){.m = rows,
                        .n = out,
                        .k = in,
                        .a = x,
                        .b = weight,
                        .b_transposed = true,
                        .c = y,
                        .bias = bias,
                        .activation = fused ? activation : ACTIVATION_NONE});
    tape_push(tape, (struct node){.op = &linear_op,
                                  .in = {x, weight, bias},
                                  .out = y,
                                  .saved = {weight->needs_grad ? x : NULL, weight}});
    return fused ? y : op_activation(tape, y, activation);
}

static void product_backward(struct tape *tape, const struct node *node)
{
    int accumulate;
    struct tensor *matrix = node->saved[0], *x = node->in[0], *dx = tape_grad(tape, x, &accumulate);
    if (dx)
        gemm(&(struct gemm){.m = x->dim[0],
                            .n = x->dim[1],
                            .k = matrix->dim[0],
                            .a = matrix,
                            .a_transposed = true,
                            .b = node->out->grad,
                            .c = dx,
                            .accumulate = accumulate});
}
static const struct op product_op = {.name = "product", .backward = product_backward};

struct tensor *op_product(struct tape *tape, struct tensor *matrix, struct tensor *x)
{
    EXPECT(matrix, "product: matrix", DTYPE_F32, -1, -1);
    EXPECT(x, "product: x", DTYPE_F32, matrix->dim[1], -1);
    struct tensor *y = TAPE_TENSOR(tape, DTYPE_F32, matrix->dim[0], x->dim[1]);
    gemm(&(struct gemm){.m = matrix->dim[0], .n = x->dim[1], .k = x->dim[0], .a = matrix, .b = x, .c = y});
    tape_push(tape, (struct node){.op = &product_op, .in = {x}, .out = y, .saved = {matrix}});
    return y;
}
