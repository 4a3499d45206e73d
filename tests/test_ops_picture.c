/* What convolutional towers are made of: op_pixels, op_convolution, op_batch_norm, op_max_pool, op_average_pool,
 * op_mean_token. Pictures have their channels last. */
#include "tests/op_check.h"

#include <math.h>
#include <stdlib.h>

static const float mean[3] = {0.48145466f, 0.4578275f, 0.40821073f}, std[3] = {0.26862954f, 0.26130258f, 0.27577711f};

/* ---- pixels ---- */

static struct tensor *run_pixels(struct tape *tape, struct tensor *const *in, const struct op_case *c)
{
    (void)c;
    return op_pixels(tape, in[0], mean, std);
}

static void pixels_reference(double *y, double *const *in, const struct op_case *c)
{
    int count = c->in[0].dim[0] * c->in[0].dim[1] * c->in[0].dim[2] * 3;
    for (int i = 0; i < count; i++)
        y[i] = (in[0][i] / 255 - (double)mean[i % 3]) / (double)std[i % 3];
}

/* ---- windows: integer is side, stride, padding ---- */

struct window {
    int batch, height, width, channels, out_height, out_width, side, stride, padding;
};

static struct window window_of(const struct op_case *c)
{
    const int *dim = c->in[0].dim, *integer = c->integer;
    struct window w = {dim[0], dim[1], dim[2], dim[3], 0, 0, integer[0], integer[1], integer[2]};
    w.out_height = (w.height + 2 * w.padding - w.side) / w.stride + 1;
    w.out_width = (w.width + 2 * w.padding - w.side) / w.stride + 1;
    return w;
}

/* Where number `tap` of the window of an output row is in x, but for the channel; -1 outside of the picture. */
static int pixel_of(const struct window *w, int row, int tap)
{
    int picture = row / (w->out_height * w->out_width), at = row % (w->out_height * w->out_width);
    int y = at / w->out_width * w->stride - w->padding + tap / w->side;
    int x = at % w->out_width * w->stride - w->padding + tap % w->side;
    return y < 0 || x < 0 || y >= w->height || x >= w->width ? -1 : (picture * w->height + y) * w->width + x;
}

/* in: x [batch, height, width, in], weight [out, side, side, in] */
static struct tensor *run_convolution(struct tape *tape, struct tensor *const *in, const struct op_case *c)
{
    return op_convolution(tape, in[0], in[1], c->integer[1], c->integer[2]);
}

static void convolution_reference(double *y, double *const *in, const struct op_case *c)
{
    struct window w = window_of(c);
    int rows = w.batch * w.out_height * w.out_width, out = c->in[1].dim[0], taps = w.side * w.side;
    for (int i = 0; i < rows * out; i++) {
        y[i] = 0;
        for (int tap = 0; tap < taps; tap++) {
            int pixel = pixel_of(&w, i / out, tap);
            for (int k = 0; pixel >= 0 && k < w.channels; k++)
                y[i] += in[0][pixel * w.channels + k] * in[1][(i % out * taps + tap) * w.channels + k];
        }
    }
}

static struct tensor *run_max_pool(struct tape *tape, struct tensor *const *in, const struct op_case *c)
{
    return op_max_pool(tape, in[0], c->integer[0], c->integer[1], c->integer[2]);
}

static void max_pool_reference(double *y, double *const *in, const struct op_case *c)
{
    struct window w = window_of(c);
    for (int i = 0; i < w.batch * w.out_height * w.out_width * w.channels; i++) {
        y[i] = -INFINITY;
        for (int tap = 0; tap < w.side * w.side; tap++) {
            int pixel = pixel_of(&w, i / w.channels, tap);
            if (pixel >= 0)
                y[i] = fmax(y[i], in[0][pixel * w.channels + i % w.channels]);
        }
    }
}

static struct tensor *run_average_pool(struct tape *tape, struct tensor *const *in, const struct op_case *c)
{
    return op_average_pool(tape, in[0], c->integer[0]);
}

static void average_pool_reference(double *y, double *const *in, const struct op_case *c)
{
    struct window w = window_of(c);
    for (int i = 0; i < w.batch * w.out_height * w.out_width * w.channels; i++) {
        y[i] = 0;
        for (int tap = 0; tap < w.side * w.side; tap++)
            y[i] += in[0][pixel_of(&w, i / w.channels, tap) * w.channels + i % w.channels] / (w.side * w.side);
    }
}

/* ---- batch norm ---- */

static const float eps = 1e-3f, momentum = 0.1f;

/* in: x [rows, width], weight, bias, running mean, running deviation [width], residual [rows, width] if present;
 * integer: relu, training */
static struct tensor *run_batch_norm(struct tape *tape, struct tensor *const *in, const struct op_case *c)
{
    struct batch_norm norm = {.weight = in[1],
                              .bias = in[2],
                              .running_mean = in[3],
                              .running_variance = in[4],
                              .eps = eps,
                              .momentum = momentum};
    return op_batch_norm(tape, in[0], &norm, in[5], c->integer[0], c->integer[1]);
}

/* The mean and the variance of column w. */
static void statistics(double *average, double *variance, const double *x, int rows, int width, int w)
{
    *average = *variance = 0;
    for (int r = 0; r < rows; r++)
        *average += x[r * width + w] / rows;
    for (int r = 0; r < rows; r++)
        *variance += (x[r * width + w] - *average) * (x[r * width + w] - *average) / rows;
}

static void batch_norm_reference(double *y, double *const *in, const struct op_case *c)
{
    int rows = c->in[0].dim[0], width = c->in[0].dim[1];
    for (int w = 0; w < width; w++) {
        double average = in[3][w], variance = in[4][w];
        if (c->integer[1])
            statistics(&average, &variance, in[0], rows, width, w);
        for (int r = 0; r < rows; r++) {
            int i = r * width + w;
            y[i] = (in[0][i] - average) / sqrt(variance + (double)eps) * in[1][w] + in[2][w] +
                   (c->in[5].ndim ? in[5][i] : 0);
            if (c->integer[0] && y[i] < 0)
                y[i] = 0;
        }
    }
}

/* ---- the mean token: in: patches [batch * (tokens - 1), width], position [tokens, width] ---- */

static struct tensor *run_mean_token(struct tape *tape, struct tensor *const *in, const struct op_case *c)
{
    (void)c;
    return op_mean_token(tape, in[0], in[1]);
}

static void mean_token_reference(double *y, double *const *in, const struct op_case *c)
{
    int tokens = c->in[1].dim[0], width = c->in[1].dim[1], batch = c->in[0].dim[0] / (tokens - 1);
    for (int i = 0; i < batch * tokens * width; i++) {
        int w = i % width, token = i / width % tokens, picture = i / width / tokens;
        const double *patches = in[0] + picture * (tokens - 1) * width;
        y[i] = in[1][token * width + w];
        for (int t = 0; t < tokens - 1 && token == 0; t++)
            y[i] += patches[t * width + w] / (tokens - 1);
        if (token > 0)
            y[i] += patches[(token - 1) * width + w];
    }
}

/* ---- cases ---- */

#define NORMAL4(grad, a, b, c, d)                                                                                      \
    {                                                                                                                  \
        4, {a, b, c, d}, grad, FILL_NORMAL, 0, 0                                                                       \
    }
#define PIXELS(batch, side)                                                                                            \
    {                                                                                                                  \
        "pixels " #batch "x" #side, run_pixels, pixels_reference, {{4, {batch, side, side, 3}, false, FILL_U8, 0, 0}}, \
            {0}, {0}, 0                                                                                                \
    }
#define CONVOLUTION(batch, height, width, in, out, side, stride, padding, x_grad, weight_grad)                         \
    {                                                                                                                  \
        "convolution " #batch "x" #height "x" #width "x" #in " to " #out " side " #side " stride " #stride             \
        " padding " #padding,                                                                                          \
            run_convolution, convolution_reference,                                                                    \
            {NORMAL4(x_grad, batch, height, width, in), NORMAL4(weight_grad, out, side, side, in)},                    \
            {side, stride, padding}, {0}, 0                                                                            \
    }
#define MAX_POOL(batch, height, width, channels, side, stride, padding)                                                \
    {                                                                                                                  \
        "max_pool " #batch "x" #height "x" #width "x" #channels " side " #side " stride " #stride                      \
        " padding " #padding,                                                                                          \
            run_max_pool, max_pool_reference, {NORMAL4(true, batch, height, width, channels)},                         \
            {side, stride, padding}, {0}, 0                                                                            \
    }
#define AVERAGE_POOL(batch, height, width, channels, side)                                                             \
    {                                                                                                                  \
        "average_pool " #batch "x" #height "x" #width "x" #channels " side " #side, run_average_pool,                  \
            average_pool_reference, {NORMAL4(true, batch, height, width, channels)}, {side, side, 0}, {0}, 0           \
    }
#define BATCH_NORM(rows, width, x_grad, weight_grad, relu, training, ...)                                              \
    {                                                                                                                  \
        "batch_norm " #rows "x" #width " relu " #relu " training " #training, run_batch_norm, batch_norm_reference,    \
            {{2, {rows, width}, x_grad, FILL_NORMAL, 1.5, 0.7},                                                        \
             {1, {width}, weight_grad, FILL_NORMAL, 0.5, 1},                                                           \
             NORMAL1(weight_grad, width),                                                                              \
             NORMAL1(false, width),                                                                                    \
             {1, {width}, false, FILL_NORMAL, 0.1, 1},                                                                 \
             __VA_ARGS__},                                                                                             \
            {relu, training}, {0}, 0                                                                                   \
    }
#define MEAN_TOKEN(batch, tokens, width, patches_grad, position_grad)                                                  \
    {                                                                                                                  \
        "mean_token " #batch "x" #tokens "x" #width, run_mean_token, mean_token_reference,                             \
            {ACTIVATIONS(patches_grad, (batch) * ((tokens)-1), width), NORMAL2(position_grad, tokens, width)}, {0},    \
            {0}, 0                                                                                                     \
    }

static const struct op_case cases[] = {
    PIXELS(1, 1),
    PIXELS(3, 29),
    PIXELS(2, 64),

    CONVOLUTION(1, 1, 1, 1, 1, 1, 1, 0, true, true),
    CONVOLUTION(2, 5, 7, 3, 8, 1, 1, 0, true, true),
    CONVOLUTION(2, 5, 7, 17, 3, 1, 2, 0, true, true),
    CONVOLUTION(1, 4, 4, 1, 1, 3, 1, 1, true, true),
    CONVOLUTION(2, 7, 5, 3, 7, 3, 2, 1, true, true),
    CONVOLUTION(3, 6, 6, 8, 17, 3, 1, 1, true, true),
    CONVOLUTION(1, 13, 11, 3, 5, 7, 2, 3, false, true),
    CONVOLUTION(2, 5, 5, 7, 4, 5, 3, 2, true, true),
    CONVOLUTION(2, 9, 6, 33, 2, 2, 1, 0, true, true),
    CONVOLUTION(1, 3, 3, 2, 3, 3, 1, 4, true, true), /* windows that see nothing */
    CONVOLUTION(2, 8, 8, 20, 64, 3, 2, 1, true, false),
    CONVOLUTION(3, 31, 33, 17, 2, 11, 1, 5, true, true), /* more windows than are made at a time */

    MAX_POOL(1, 1, 1, 1, 1, 1, 0),
    MAX_POOL(2, 7, 5, 3, 3, 2, 1),
    MAX_POOL(3, 8, 8, 17, 3, 2, 1),
    MAX_POOL(1, 9, 6, 100, 2, 2, 0),
    MAX_POOL(2, 6, 11, 8, 5, 3, 2),
    MAX_POOL(1, 3, 4, 24, 3, 1, 1),

    AVERAGE_POOL(1, 1, 1, 1, 1),
    AVERAGE_POOL(2, 6, 4, 3, 2),
    AVERAGE_POOL(3, 7, 5, 17, 2),
    AVERAGE_POOL(2, 7, 7, 100, 7),
    AVERAGE_POOL(1, 11, 8, 8, 3),

    BATCH_NORM(3, 1, true, true, 0, 1),
    BATCH_NORM(5, 3, true, true, 0, 1),
    BATCH_NORM(61, 7, true, true, 1, 1, NORMAL2(true, 61, 7)),
    BATCH_NORM(100, 64, true, true, 1, 1),
    BATCH_NORM(37, 17, false, true, 1, 1, NORMAL2(false, 37, 17)),
    BATCH_NORM(37, 17, true, false, 1, 1, NORMAL2(true, 37, 17)),
    BATCH_NORM(200, 100, true, true, 0, 1, NORMAL2(true, 200, 100)),
    BATCH_NORM(7, 2100, true, true, 1, 1),
    BATCH_NORM(4000, 8, true, true, 0, 1),
    BATCH_NORM(1, 9, true, true, 1, 0, NORMAL2(true, 1, 9)),
    BATCH_NORM(53, 24, true, false, 1, 0, NORMAL2(true, 53, 24)),
    BATCH_NORM(53, 24, true, true, 0, 0),
    BATCH_NORM(53, 24, false, false, 1, 0, NORMAL2(true, 53, 24)),

    MEAN_TOKEN(1, 2, 1, true, true),
    MEAN_TOKEN(2, 5, 7, true, true),
    MEAN_TOKEN(3, 50, 64, true, true),
    MEAN_TOKEN(5, 10, 100, false, true),
    MEAN_TOKEN(2, 17, 17, true, false),
};

/* ---- what no case can say ---- */

static struct tensor *tensor_of(struct device *dev, const float *numbers, int rows, int width)
{
    struct tensor *tensor = tensor_new(dev, DTYPE_F32, 2, (int[]){rows, width});
    tensor_upload(tensor, numbers);
    return tensor;
}

/* The running statistics move towards those of the rows, and stay where they are when these are not used. */
static void test_running(struct device *dev)
{
    enum { ROWS = 97, WIDTH = 11 };
    float x[ROWS * WIDTH], start[2][WIDTH], got[2][WIDTH];
    double exact[ROWS * WIDTH], want[2][WIDTH];
    uint64_t state = 3;
    for (int i = 0; i < ROWS * WIDTH; i++)
        exact[i] = (double)(x[i] = (float)(check_normal(&state) + 2));
    for (int w = 0; w < WIDTH; w++) {
        double average, variance;
        statistics(&average, &variance, exact, ROWS, WIDTH, w);
        start[0][w] = (float)check_normal(&state);
        start[1][w] = (float)check_uniform(&state);
        want[0][w] = 0.9 * (double)start[0][w] + 0.1 * average;
        want[1][w] = 0.9 * (double)start[1][w] + 0.1 * variance * ROWS / (ROWS - 1);
    }
    struct tensor *rows = tensor_of(dev, x, ROWS, WIDTH), *stats[4];
    for (int i = 0; i < 4; i++) {
        stats[i] = tensor_new(dev, DTYPE_F32, 1, (int[]){WIDTH});
        tensor_upload(stats[i], start[i % 2]);
    }
    struct batch_norm norm = {stats[2], stats[3], stats[0], stats[1], eps, momentum};
    struct tape *tape = tape_new(dev, false);
    op_batch_norm(tape, rows, &norm, NULL, false, true);
    op_batch_norm(tape, rows, &norm, NULL, false, false);
    tape_free(tape);
    for (int i = 0; i < 2; i++) {
        tensor_download(got[i], stats[i]);
        check_close(i ? "running variance" : "running mean", got[i], want[i], WIDTH, 1e-6);
    }
    for (int i = 0; i < 4; i++)
        tensor_free(stats[i]);
    tensor_free(rows);
}

/* Behind a ReLU zeros are equal often: only the first of a window gets the gradient. */
static void test_equals(struct device *dev)
{
    enum { SIDE = 4 };
    const double want[SIDE * SIDE] = {1, 0, 1, 0, 0, 0, 0, 0, 1, 0, 1};
    float got[SIDE * SIDE], ones[4] = {1, 1, 1, 1};
    struct tensor *x = tensor_new(dev, DTYPE_F32, 4, (int[]){1, SIDE, SIDE, 1});
    buffer_zero(x->buffer, 0, tensor_bytes(x));
    x->needs_grad = true;
    struct tape *tape = tape_new(dev, true);
    struct tensor *y = op_max_pool(tape, x, 2, 2, 0);
    struct tensor *dy = tape_upload(tape, DTYPE_F32, 4, y->dim, ones);
    tape_backward_from(tape, &y, &dy, 1);
    tensor_download(got, x->grad);
    check_close("max_pool of equals", got, want, SIDE * SIDE, 0);
    tape_free(tape);
    tensor_free(x);
}

int main(void)
{
    for_each_device(test_running);
    for_each_device(test_equals);
    return op_check_all(cases, (int)(sizeof cases / sizeof *cases));
}
