/* op_sigmoid_loss against its formula. */
#include "tests/op_check.h"

#include <math.h>

/* in: image [batch, width], text [batch, width], logit_scale [1], logit_bias [1] */
static struct tensor *run(struct tape *tape, struct tensor *const *in, const struct op_case *c)
{
    (void)c;
    return op_sigmoid_loss(tape, in[0], in[1], in[2], in[3]);
}

static void reference(double *y, double *const *in, const struct op_case *c)
{
    int batch = c->in[0].dim[0], width = c->in[0].dim[1];
    y[0] = 0;
    for (int i = 0; i < batch; i++)
        for (int j = 0; j < batch; j++) {
            double logit = 0;
            for (int w = 0; w < width; w++)
                logit += in[0][i * width + w] * in[1][j * width + w];
            logit = (i == j ? 1 : -1) * (exp(in[2][0]) * logit + in[3][0]);
            y[0] += (fmax(-logit, 0) + log1p(exp(-fabs(logit)))) / batch;
        }
}

/* `size` is about 1 / sqrt(width): rows nearly of length 1. */
#define SIGMOID(batch, width, size, scale, bias, tolerance)                                                            \
    {                                                                                                                  \
        "sigmoid_loss " #batch "x" #width " scale " #scale " bias " #bias, run, reference,                             \
            {{2, {batch, width}, true, FILL_NORMAL, size, 0},                                                          \
             {2, {batch, width}, true, FILL_NORMAL, size, 0},                                                          \
             {1, {1}, true, FILL_NORMAL, 0.01, scale},                                                                 \
             {1, {1}, true, FILL_NORMAL, 0.01, bias}},                                                                 \
            {0}, {0}, tolerance                                                                                        \
    }

static const struct op_case cases[] = {
    SIGMOID(1, 1, 1, 1.0, 0.5, 0),           SIGMOID(2, 3, 0.6, 2.3, -10.0, 2e-5),    /* as training begins */
    SIGMOID(7, 17, 0.25, 2.3, -1.0, 2e-5),   SIGMOID(17, 100, 0.1, 4.7, -16.0, 2e-5), /* as it ends */
    SIGMOID(67, 32, 0.18, 2.3, -10.0, 2e-5), SIGMOID(1025, 4, 0.5, 2.3, -3.0, 2e-5),  /* more than a strip */
};

OP_TESTS(cases)
