/* op_linear and op_product, which is to say every layout of gemm(), against plain loops in double. */
#include "tests/op_check.h"

#include <math.h>

static double activate(double x, enum activation activation)
{
    return activation == ACTIVATION_GELU         ? 0.5 * x * (1 + erf(x / sqrt(2)))
           : activation == ACTIVATION_QUICK_GELU ? x / (1 + exp(-1.702 * x))
                                                 : x;
}

/* integer[0]: the activation; in: x [rows, k], weight [n, k], bias [n] if present */
static struct tensor *run_linear(struct tape *tape, struct tensor *const *in, const struct op_case *c)
{
    return op_linear(tape, in[0], in[1], in[2], (enum activation)c->integer[0]);
}

static void linear_reference(double *y, double *const *in, const struct op_case *c)
{
    int rows = c->in[0].dim[0], k = c->in[0].dim[1], n = c->in[1].dim[0];
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < n; j++) {
            double sum = c->in[2].ndim ? in[2][j] : 0;
            for (int p = 0; p < k; p++)
                sum += in[0][i * k + p] * in[1][j * k + p];
            y[i * n + j] = activate(sum, (enum activation)c->integer[0]);
        }
}

/* in: matrix [m, k], which gets no gradient, and x [k, n] */
static struct tensor *run_product(struct tape *tape, struct tensor *const *in, const struct op_case *c)
{
    (void)c;
    return op_product(tape, in[0], in[1]);
}

static void product_reference(double *y, double *const *in, const struct op_case *c)
{
    int m = c->in[0].dim[0], k = c->in[0].dim[1], n = c->in[1].dim[1];
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            y[i * n + j] = 0;
            for (int p = 0; p < k; p++)
                y[i * n + j] += in[0][i * k + p] * in[1][p * n + j];
        }
}

#define LINEAR(rows, k, n, activation)                                                                                 \
    {                                                                                                                  \
        "linear " #rows "x" #k "x" #n " " #activation, run_linear, linear_reference,                                   \
            {{2, {rows, k}, true, FILL_ACTIVATION, 0, 0}, {2, {n, k}, true, 0, 0, 0}, {1, {n}, true, 0, 0, 0}},        \
            {activation}, {0}, 0                                                                                       \
    }
#define PRODUCT(m, k, n)                                                                                               \
    {                                                                                                                  \
        "product " #m "x" #k "x" #n, run_product, product_reference,                                                   \
            {{2, {m, k}, false, 0, 0, 0}, {2, {k, n}, true, 0, 0, 0}}, {0}, {0}, 0                                     \
    }

static const struct op_case cases[] = {
    LINEAR(1, 1, 1, ACTIVATION_NONE),
    LINEAR(2, 3, 5, ACTIVATION_GELU),
    LINEAR(7, 17, 16, ACTIVATION_QUICK_GELU),
    LINEAR(6, 64, 33, ACTIVATION_NONE),
    LINEAR(13, 9, 49, ACTIVATION_GELU),
    LINEAR(101, 31, 97, ACTIVATION_NONE),
    LINEAR(96, 128, 48, ACTIVATION_GELU),
    LINEAR(197, 65, 130, ACTIVATION_NONE),
    {"linear without bias 5x8x7",
     run_linear,
     linear_reference,
     {{2, {5, 8}, true, FILL_ACTIVATION, 0, 0}, {2, {7, 8}, true, 0, 0, 0}},
     {ACTIVATION_NONE},
     {0},
     0},
    {"linear, frozen weight 5x8x7",
     run_linear,
     linear_reference,
     {{2, {5, 8}, true, FILL_ACTIVATION, 0, 0}, {2, {7, 8}, false, 0, 0, 0}, {1, {7}, false, 0, 0, 0}},
     {ACTIVATION_GELU},
     {0},
     0},
    PRODUCT(1, 1, 1),
    PRODUCT(3, 5, 7),
    PRODUCT(17, 37, 24),
    PRODUCT(64, 50, 100),
};

OP_TESTS(cases)
