/* op_sigmoid_loss against its formula. */
#include "tests/op_check.h"

#include <math.h>
#include <stdlib.h>

/* in: image [batch, width], text [batch, width], logit_scale [1], logit_bias [1]; integer[0]: how many pairs in a row
 * are of one photo, 0 without photos */
static struct tensor *run(struct tape *tape, struct tensor *const *in, const struct op_case *c)
{
    int batch = c->in[0].dim[0];
    int *photos = mem_new((size_t)batch, sizeof *photos);
    for (int i = 0; i < batch && c->integer[0]; i++)
        photos[i] = i / c->integer[0];
    struct tensor *loss = op_sigmoid_loss(tape, in[0], in[1], in[2], in[3], NULL, c->integer[0] ? photos : NULL);
    free(photos);
    return loss;
}

static void reference(double *y, double *const *in, const struct op_case *c)
{
    int batch = c->in[0].dim[0], width = c->in[0].dim[1], group = c->integer[0] ? c->integer[0] : 1;
    y[0] = 0;
    for (int i = 0; i < batch; i++)
        for (int j = 0; j < batch; j++) {
            double logit = 0;
            for (int w = 0; w < width; w++)
                logit += in[0][i * width + w] * in[1][j * width + w];
            logit = (i / group == j / group ? 1 : -1) * (exp(in[2][0]) * logit + in[3][0]);
            y[0] += (fmax(-logit, 0) + log1p(exp(-fabs(logit)))) / batch;
        }
}

/* `size` is about 1 / sqrt(width): rows nearly of length 1. */
#define SIGMOID(batch, width, size, scale, bias, group, tolerance)                                                     \
    {                                                                                                                  \
        "sigmoid_loss " #batch "x" #width " scale " #scale " bias " #bias, run, reference,                             \
            {{2, {batch, width}, true, FILL_NORMAL, size, 0},                                                          \
             {2, {batch, width}, true, FILL_NORMAL, size, 0},                                                          \
             {1, {1}, true, FILL_NORMAL, 0.01, scale},                                                                 \
             {1, {1}, true, FILL_NORMAL, 0.01, bias}},                                                                 \
            {group}, {0}, tolerance                                                                                    \
    }

static const struct op_case cases[] = {
    SIGMOID(1, 1, 1, 1.0, 0.5, 0, 0),           SIGMOID(2, 3, 0.6, 2.3, -10.0, 0, 2e-5),    /* as training begins */
    SIGMOID(7, 17, 0.25, 2.3, -1.0, 0, 2e-5),   SIGMOID(17, 100, 0.1, 4.7, -16.0, 0, 2e-5), /* as it ends */
    SIGMOID(67, 32, 0.18, 2.3, -10.0, 3, 2e-5), SIGMOID(1027, 4, 0.5, 2.3, -3.0, 2, 2e-5),  /* more than a block */
};

OP_TESTS(cases)
