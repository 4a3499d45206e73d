/* op_contrastive. */
#include "tests/op_check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* integer: raw scale, how many pairs in a row are of one photo (0: options NULL), width of the teacher;
 * real: smoothing, hardness, distillation.
 * in: image [batch, width], text [batch, width], logit_scale [1], the teacher's image and text [batch, its width] */
static const float teacher_scale = 7;

static struct tensor *run(struct tape *tape, struct tensor *const *in, const struct op_case *c)
{
    if (c->integer[1] == 0)
        return op_contrastive(tape, in[0], in[1], in[2], &(struct contrastive){.raw_scale = c->integer[0] != 0});
    int batch = c->in[0].dim[0];
    int *photos = mem_new((size_t)batch, sizeof *photos);
    for (int i = 0; i < batch; i++)
        photos[i] = 3 * (i / c->integer[1]);
    struct contrastive options = {.raw_scale = c->integer[0] != 0,
                                  .photos = photos,
                                  .smoothing = (float)c->real[0],
                                  .hardness = (float)c->real[1],
                                  .distillation = (float)c->real[2]};
    if (c->real[2] != 0) {
        options.teacher_image = in[3];
        options.teacher_text = in[4];
        options.teacher_scale = tape_upload(tape, DTYPE_F32, 1, (int[]){1}, &teacher_scale);
    }
    struct tensor *loss = op_contrastive(tape, in[0], in[1], in[2], &options);
    free(photos);
    return loss;
}

/* scale * image text^T, or its transpose.  [batch, batch]; caller frees */
static double *logits_of(const double *image, const double *text, int batch, int width, double scale)
{
    double *logits = mem_new((size_t)batch * (size_t)batch, sizeof *logits);
    for (int i = 0; i < batch; i++)
        for (int j = 0; j < batch; j++) {
            for (int w = 0; w < width; w++)
                logits[i * batch + j] += image[i * width + w] * text[j * width + w];
            logits[i * batch + j] *= scale;
        }
    return logits;
}

/* log of the sum of weight * exp(logit) over a row; weights NULL: 1 */
static double log_sum(const double *logits, const double *weights, int n)
{
    double top = -INFINITY, sum = 0;
    for (int i = 0; i < n; i++)
        top = fmax(top, logits[i]);
    for (int i = 0; i < n; i++)
        sum += (weights ? weights[i] : 1) * exp(logits[i] - top);
    return top + log(sum);
}

/* The weights of row i: 1 for right pairs, and wrong ones share their number by exp(hardness * logit). [batch] */
static void weigh(double *weights, const double *logits, int i, int batch, int group, double hardness)
{
    double sum = 0, wrong = 0;
    for (int j = 0; j < batch; j++) {
        weights[j] = j / group == i / group ? 1 : exp(hardness * logits[j]);
        sum += j / group == i / group ? 0 : weights[j];
        wrong += j / group != i / group;
    }
    for (int j = 0; j < batch; j++)
        weights[j] *= j / group == i / group ? 1 : wrong / sum;
}

/* The mean over rows of one side. `weights` [batch, batch]. teacher: its logits, or NULL */
static double side(const double *logits, const double *weights, const double *teacher, int batch,
                   const struct op_case *c)
{
    int group = c->integer[1] > 0 ? c->integer[1] : 1;
    double smoothing = c->real[0], loss = 0;
    for (int i = 0; i < batch; i++) {
        const double *row = logits + i * batch;
        int first = i / group * group, rights = (first + group < batch ? first + group : batch) - first;
        double lse = log_sum(row, weights + i * batch, batch), plain = log_sum(row, NULL, batch);
        double taught = teacher ? log_sum(teacher + i * batch, NULL, batch) : 0;
        for (int j = 0; j < batch; j++) {
            double target = (j / group == i / group ? (1 - smoothing) / rights : 0) + smoothing / batch;
            loss += target * (lse - row[j]) / batch;
            if (teacher)
                loss += c->real[2] * exp(teacher[i * batch + j] - taught) * (plain - row[j]) / batch;
        }
    }
    return loss;
}

/* Gradients take the weights as given: they are those of the unmoved inputs, with which the harness begins. */
static void reference(double *y, double *const *in, const struct op_case *c)
{
    static const struct op_case *begun;
    static double *weights; // [2, batch, batch]
    int batch = c->in[0].dim[0], width = c->in[0].dim[1], group = c->integer[1] > 0 ? c->integer[1] : 1;
    size_t all = (size_t)batch * (size_t)batch;
    double scale = c->integer[0] ? in[2][0] : exp(in[2][0]);
    double *sides[] = {logits_of(in[0], in[1], batch, width, scale), logits_of(in[1], in[0], batch, width, scale)};
    double *teachers[] = {NULL, NULL};
    if (begun != c) {
        begun = c;
        free(weights);
        weights = mem_new(2 * all, sizeof *weights);
        for (int r = 0; r < 2 * batch; r++)
            weigh(weights + r * batch, sides[r / batch] + r % batch * batch, r % batch, batch, group, c->real[1]);
    }
    y[0] = 0;
    for (int s = 0; s < 2; s++) {
        if (c->real[2] != 0)
            teachers[s] = logits_of(in[3 + s], in[4 - s], batch, c->integer[2], (double)teacher_scale);
        y[0] += side(sides[s], weights + (size_t)s * all, teachers[s], batch, c) / 2;
        free(sides[s]);
        free(teachers[s]);
    }
}

/* `size` is about 1 / sqrt(width), so that the rows are nearly of length 1, as in training; `scale` near logit_scale */
#define PAIRS(batch, width, size, scale)                                                                               \
    {2, {batch, width}, true, FILL_NORMAL, size, 0}, {2, {batch, width}, true, FILL_NORMAL, size, 0},                  \
    {                                                                                                                  \
        1, {1}, true, FILL_NORMAL, 0.01, scale                                                                         \
    }
#define CONTRASTIVE(batch, width, size, scale, raw, tolerance)                                                         \
    {                                                                                                                  \
        "contrastive " #batch "x" #width " scale " #scale " raw " #raw, run, reference,                                \
            {PAIRS(batch, width, size, scale)}, {raw}, {0}, tolerance                                                  \
    }
#define WITH(batch, width, size, group, smoothing, hardness)                                                           \
    {                                                                                                                  \
        "contrastive " #batch "x" #width " groups of " #group " smoothing " #smoothing " hardness " #hardness, run,    \
            reference, {PAIRS(batch, width, size, 2.66)}, {0, group}, {smoothing, hardness}, 2e-5                      \
    }
#define TAUGHT(batch, width, size, group, smoothing, teacher, distillation)                                            \
    {                                                                                                                  \
        "contrastive " #batch "x" #width " taught by " #teacher " x " #distillation, run, reference,                   \
            {PAIRS(batch, width, size, 2.66),                                                                          \
             {2, {batch, teacher}, false, FILL_NORMAL, 0.3, 0},                                                        \
             {2, {batch, teacher}, false, FILL_NORMAL, 0.3, 0}},                                                       \
            {0, group, teacher}, {smoothing, 0, distillation}, 2e-5                                                    \
    }

static const struct op_case cases[] = {
    CONTRASTIVE(1, 1, 1, 2.66, 0, 0),
    CONTRASTIVE(1, 64, 0.12, 2.66, 1, 0),
    CONTRASTIVE(2, 3, 0.6, 2.66, 0, 0),
    CONTRASTIVE(3, 7, 0.4, 2.66, 1, 0),
    CONTRASTIVE(7, 17, 0.25, 2.66, 0, 0),
    CONTRASTIVE(8, 8, 0.35, 2.66, 0, 0),
    CONTRASTIVE(17, 100, 0.1, 4.5, 0, 2e-5),
    CONTRASTIVE(31, 24, 0.2, -1.0, 1, 0), /* a raw scale may be negative */
    CONTRASTIVE(67, 32, 0.18, 2.66, 0, 0),
    CONTRASTIVE(256, 32, 0.18, 2.66, 0, 2e-5),
    CONTRASTIVE(257, 17, 0.25, 2.66, 1, 2e-5),
    CONTRASTIVE(13, 16, 0.25, 5.5, 0, 2e-5),
    CONTRASTIVE(13, 16, 1, 200.0, 1, 2e-5),  /* logits in the thousands */
    CONTRASTIVE(13, 16, 0.25, -2.0, 0, 2e-5),

    WITH(12, 16, 0.25, 3, 0, 0),
    WITH(13, 7, 0.4, 2, 0.1, 0),
    WITH(5, 16, 0.25, 5, 0, 0.5), /* no wrong pair at all */
    WITH(17, 16, 0.25, 1, 0, 0.5),
    WITH(37, 8, 0.35, 4, 0.2, 0.25),
    WITH(1027, 4, 0.5, 5, 0.1, 0.1),
    TAUGHT(9, 16, 0.25, 1, 0, 8, 1.0),
    TAUGHT(37, 8, 0.35, 2, 0.1, 24, 0.5),
    TAUGHT(1027, 4, 0.5, 1, 0, 4, 2.0),
};

OP_TESTS(cases)
