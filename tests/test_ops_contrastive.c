/* op_contrastive. */
#include "tests/op_check.h"

#include <math.h>
#include <stdlib.h>

/* in: image [batch, width], text [batch, width], logit_scale [1]; integer[0]: raw_scale */
static struct tensor *run(struct tape *tape, struct tensor *const *in, const struct op_case *c)
{
    return op_contrastive(tape, in[0], in[1], in[2], c->integer[0] != 0);
}

/* log of the sum of exp over n logits, each `stride` from the last, less the right one's logit */
static double cross_entropy(const double *logits, int right, int n, int stride)
{
    double top = -INFINITY, sum = 0;
    for (int i = 0; i < n; i++)
        top = fmax(top, logits[i * stride]);
    for (int i = 0; i < n; i++)
        sum += exp(logits[i * stride] - top);
    return log(sum) + (top - logits[right * stride]);
}

static void reference(double *y, double *const *in, const struct op_case *c)
{
    int batch = c->in[0].dim[0], width = c->in[0].dim[1];
    double scale = c->integer[0] ? in[2][0] : exp(fmin(in[2][0], log(100)));
    double *logits = mem_new((size_t)batch * (size_t)batch, sizeof *logits);
    for (int i = 0; i < batch; i++)
        for (int j = 0; j < batch; j++) {
            for (int w = 0; w < width; w++)
                logits[i * batch + j] += in[0][i * width + w] * in[1][j * width + w];
            logits[i * batch + j] *= scale;
        }
    y[0] = 0;
    for (int i = 0; i < batch; i++)
        y[0] +=
            (cross_entropy(logits + i * batch, i, batch, 1) + cross_entropy(logits + i, i, batch, batch)) / (2 * batch);
    free(logits);
}

/* `size` is about 1 / sqrt(width), so that the rows are nearly of length 1, as in training; `scale` near logit_scale */
#define CONTRASTIVE(batch, width, size, scale, raw, tolerance)                                                         \
    {                                                                                                                  \
        "contrastive " #batch "x" #width " scale " #scale " raw " #raw, run, reference,                                \
            {{2, {batch, width}, true, FILL_NORMAL, size, 0},                                                          \
             {2, {batch, width}, true, FILL_NORMAL, size, 0},                                                          \
             {1, {1}, true, FILL_NORMAL, 0.01, scale}},                                                                \
            {raw}, {0}, tolerance                                                                                      \
    }

static const struct op_case cases[] = {
    CONTRASTIVE(1, 1, 1, 2.66, 0, 0),          CONTRASTIVE(1, 64, 0.12, 2.66, 1, 0),
    CONTRASTIVE(2, 3, 0.6, 2.66, 0, 0),        CONTRASTIVE(3, 7, 0.4, 2.66, 1, 0),
    CONTRASTIVE(7, 17, 0.25, 2.66, 0, 0),      CONTRASTIVE(8, 8, 0.35, 2.66, 0, 0),
    CONTRASTIVE(17, 100, 0.1, 4.5, 0, 2e-5),   CONTRASTIVE(31, 24, 0.2, -1.0, 1, 0), /* a raw scale may be negative */
    CONTRASTIVE(67, 32, 0.18, 2.66, 0, 0),     CONTRASTIVE(256, 32, 0.18, 2.66, 0, 2e-5),
    CONTRASTIVE(257, 17, 0.25, 2.66, 1, 2e-5), CONTRASTIVE(13, 16, 0.25, 5.5, 0, 2e-5), /* the clamp at log 100 holds */
    CONTRASTIVE(13, 16, 1, 200.0, 1, 2e-5),                                             /* logits in the thousands */
    CONTRASTIVE(13, 16, 0.25, -2.0, 0, 2e-5),
};

OP_TESTS(cases)
