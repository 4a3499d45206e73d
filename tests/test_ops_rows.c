/* Ops that work on rows and on single numbers: layernorm, activation, residual, dropout, l2_normalise, pool_mean,
 * gather_rows, column_sum, segments. */
#include "tests/op_check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int width_of(const struct op_case *c, int input)
{
    return c->in[input].dim[c->in[input].ndim - 1];
}

static int count_of(const struct op_case *c, int input)
{
    int count = 1;
    for (int i = 0; i < c->in[input].ndim; i++)
        count *= c->in[input].dim[i];
    return count;
}

static int rows_of(const struct op_case *c, int input)
{
    return count_of(c, input) / width_of(c, input);
}

/* in: x [rows, width], weight [width], bias [width]; real: eps */
static struct tensor *run_layernorm(struct tape *tape, struct tensor *const *in, const struct op_case *c)
{
    return op_layernorm(tape, in[0], in[1], in[2], (float)c->real[0]);
}

static void layernorm_reference(double *y, double *const *in, const struct op_case *c)
{
    int width = width_of(c, 0);
    for (int r = 0; r < rows_of(c, 0); r++) {
        const double *x = in[0] + r * width;
        double mean = 0, variance = 0;
        for (int i = 0; i < width; i++)
            mean += x[i] / width;
        for (int i = 0; i < width; i++)
            variance += (x[i] - mean) * (x[i] - mean) / width;
        for (int i = 0; i < width; i++)
            y[r * width + i] = (x[i] - mean) / sqrt(variance + c->real[0]) * in[1][i] + in[2][i];
    }
}

static double normal_below(double x)
{
    return 0.5 * erfc(-x * sqrt(0.5));
}

/* integer: the activation */
static struct tensor *run_activation(struct tape *tape, struct tensor *const *in, const struct op_case *c)
{
    return op_activation(tape, in[0], (enum activation)c->integer[0]);
}

static void activation_reference(double *y, double *const *in, const struct op_case *c)
{
    for (int i = 0; i < count_of(c, 0); i++) {
        double x = in[0][i];
        y[i] = c->integer[0] == ACTIVATION_GELU         ? x * normal_below(x)
               : c->integer[0] == ACTIVATION_QUICK_GELU ? x / (1 + exp(-1.702 * x))
               : c->integer[0] == ACTIVATION_GELU_TANH
                   ? 0.5 * x * (1 + tanh(sqrt(2 / acos(-1)) * (x + 0.044715 * x * x * x)))
               : c->integer[0] == ACTIVATION_TANH ? tanh(x)
                                                  : fmax(x, 0);
    }
}

/* in: x [rows, width], branch [rows, width], scale [width] if present */
static struct tensor *run_residual(struct tape *tape, struct tensor *const *in, const struct op_case *c)
{
    (void)c;
    return op_residual(tape, in[0], in[1], in[2]);
}

static void residual_reference(double *y, double *const *in, const struct op_case *c)
{
    int width = width_of(c, 0);
    for (int i = 0; i < count_of(c, 0); i++)
        y[i] = in[0][i] + (c->in[2].ndim ? in[2][i % width] : 1) * in[1][i];
}

/* y = (sum + x) + layernorm(sum), sum = x + b: gradients that meet as aliases of one another must not change each
 * other. in: x [rows, width], b [rows, width], weight [width], bias [width] */
static struct tensor *run_shared(struct tape *tape, struct tensor *const *in, const struct op_case *c)
{
    (void)c;
    struct tensor *sum = op_residual(tape, in[0], in[1], NULL);
    struct tensor *twice = op_residual(tape, sum, in[0], NULL);
    struct tensor *normed = op_layernorm(tape, sum, in[2], in[3], 1e-5f);
    return op_residual(tape, twice, normed, NULL);
}

static void shared_reference(double *y, double *const *in, const struct op_case *c)
{
    int count = count_of(c, 0);
    double *sum = mem_new((size_t)count, sizeof *sum);
    for (int i = 0; i < count; i++)
        sum[i] = in[0][i] + in[1][i];
    struct op_case norm = *c;
    norm.real[0] = 1e-5;
    layernorm_reference(y, (double *[]){sum, in[2], in[3]}, &norm);
    for (int i = 0; i < count; i++)
        y[i] += sum[i] + in[0][i];
    free(sum);
}

static struct tensor *run_l2_normalise(struct tape *tape, struct tensor *const *in, const struct op_case *c)
{
    (void)c;
    return op_l2_normalise(tape, in[0]);
}

static void l2_normalise_reference(double *y, double *const *in, const struct op_case *c)
{
    int width = width_of(c, 0);
    for (int r = 0; r < rows_of(c, 0); r++) {
        double squares = 0;
        for (int i = 0; i < width; i++)
            squares += in[0][r * width + i] * in[0][r * width + i];
        for (int i = 0; i < width; i++)
            y[r * width + i] = in[0][r * width + i] / fmax(sqrt(squares), 1e-12);
    }
}

/* integer: up to 8 lengths, 0 after the last */
static int length_count(const struct op_case *c)
{
    int count = 0;
    while (count < 8 && c->integer[count] > 0)
        count++;
    return count;
}

static struct tensor *run_pool_mean(struct tape *tape, struct tensor *const *in, const struct op_case *c)
{
    struct segments segments = segments_of_lengths(tape, c->integer, length_count(c));
    return op_pool_mean(tape, in[0], &segments);
}

static void pool_mean_reference(double *y, double *const *in, const struct op_case *c)
{
    int width = width_of(c, 0);
    const double *x = in[0];
    for (int s = 0; s < length_count(c); s++, x += c->integer[s - 1] * width)
        for (int i = 0; i < width; i++) {
            double sum = 0;
            for (int row = 0; row < c->integer[s]; row++)
                sum += x[row * width + i];
            y[s * width + i] = sum / c->integer[s];
        }
}

/* integer: how many rows, then a step; row i is i * step modulo the number of rows of x */
static void chosen_rows(int *rows, const struct op_case *c)
{
    for (int i = 0; i < c->integer[0]; i++)
        rows[i] = i * c->integer[1] % c->in[0].dim[0];
}

static struct tensor *run_gather_rows(struct tape *tape, struct tensor *const *in, const struct op_case *c)
{
    int rows[64];
    chosen_rows(rows, c);
    return op_gather_rows(tape, in[0], rows, c->integer[0]);
}

static void gather_rows_reference(double *y, double *const *in, const struct op_case *c)
{
    int rows[64], width = width_of(c, 0);
    chosen_rows(rows, c);
    for (int i = 0; i < c->integer[0]; i++)
        memcpy(y + i * width, in[0] + rows[i] * width, (size_t)width * sizeof *y);
}

/* column_sum is no op of the tape: twice, so that its sum is added to as well. */
static struct tensor *run_column_sum(struct tape *tape, struct tensor *const *in, const struct op_case *c)
{
    struct tensor *out = TAPE_TENSOR(tape, DTYPE_F32, width_of(c, 0));
    column_sum(out, in[0], false);
    column_sum(out, in[0], true);
    return out;
}

static void column_sum_reference(double *y, double *const *in, const struct op_case *c)
{
    int width = width_of(c, 0);
    memset(y, 0, (size_t)width * sizeof *y);
    for (int i = 0; i < count_of(c, 0); i++)
        y[i % width] += 2 * in[0][i];
}

// clang-format off
#define MATRIX(rows, width, trained) {2, {rows, width}, trained, FILL_ACTIVATION, 0, 0}
#define VECTOR(width, trained) {1, {width}, trained, FILL_NORMAL, 0.5, 1}
#define LAYERNORM(rows, width) \
    {"layernorm " #rows "x" #width, run_layernorm, layernorm_reference, \
     .in = {MATRIX(rows, width, true), VECTOR(width, true), VECTOR(width, true)}, .real = {1e-5}}
#define ACTIVATION(name, which, rows, width) \
    {name " " #rows "x" #width, run_activation, activation_reference, \
     .in = {{2, {rows, width}, true, FILL_ACTIVATION, 2, 0}}, .integer = {which}}
#define RESIDUAL(rows, width) \
    {"residual " #rows "x" #width, run_residual, residual_reference, \
     .in = {MATRIX(rows, width, true), MATRIX(rows, width, true)}}
#define SCALED(rows, width) \
    {"residual, scaled, " #rows "x" #width, run_residual, residual_reference, \
     .in = {MATRIX(rows, width, true), MATRIX(rows, width, true), VECTOR(width, true)}}
#define NORMALISE(rows, width) \
    {"l2_normalise " #rows "x" #width, run_l2_normalise, l2_normalise_reference, .in = {MATRIX(rows, width, true)}}
#define POOL(rows, width, ...) \
    {"pool_mean " #rows "x" #width, run_pool_mean, pool_mean_reference, \
     .in = {MATRIX(rows, width, true)}, .integer = {__VA_ARGS__}}
#define GATHER(rows, width, count, step) \
    {"gather_rows " #count " of " #rows "x" #width, run_gather_rows, gather_rows_reference, \
     .in = {MATRIX(rows, width, true)}, .integer = {count, step}}
#define COLUMN_SUM(rows, width) \
    {"column_sum " #rows "x" #width, run_column_sum, column_sum_reference, .in = {MATRIX(rows, width, false)}}
// clang-format on

static const struct op_case cases[] = {
    LAYERNORM(2, 3),
    LAYERNORM(3, 7),
    LAYERNORM(5, 8),
    LAYERNORM(13, 17),
    LAYERNORM(1, 64),
    LAYERNORM(37, 100),
    LAYERNORM(130, 259),
    {"layernorm of three dimensions, far from zero", run_layernorm, layernorm_reference,
     .in = {{3, {2, 3, 40}, true, FILL_ACTIVATION, 1, 30}, VECTOR(40, true), VECTOR(40, true)}, .real = {1e-6},
     .tolerance = 2e-5},
    {"layernorm, frozen", run_layernorm, layernorm_reference,
     .in = {MATRIX(7, 19, true), VECTOR(19, false), VECTOR(19, false)}, .real = {1e-5}},
    {"layernorm of what needs no gradient", run_layernorm, layernorm_reference,
     .in = {MATRIX(7, 19, false), VECTOR(19, true), VECTOR(19, false)}, .real = {1e-5}},
    ACTIVATION("gelu", ACTIVATION_GELU, 1, 1),
    ACTIVATION("gelu", ACTIVATION_GELU, 3, 7),
    ACTIVATION("gelu", ACTIVATION_GELU, 61, 101),
    ACTIVATION("quick_gelu", ACTIVATION_QUICK_GELU, 1, 1),
    ACTIVATION("quick_gelu", ACTIVATION_QUICK_GELU, 5, 8),
    ACTIVATION("quick_gelu", ACTIVATION_QUICK_GELU, 61, 101),
    ACTIVATION("gelu_tanh", ACTIVATION_GELU_TANH, 3, 7),
    ACTIVATION("gelu_tanh", ACTIVATION_GELU_TANH, 61, 101),
    ACTIVATION("tanh", ACTIVATION_TANH, 3, 7),
    ACTIVATION("tanh", ACTIVATION_TANH, 61, 101),
    ACTIVATION("relu", ACTIVATION_RELU, 1, 1),
    ACTIVATION("relu", ACTIVATION_RELU, 5, 8),
    ACTIVATION("relu", ACTIVATION_RELU, 61, 101),
    RESIDUAL(1, 1),
    RESIDUAL(3, 7),
    RESIDUAL(64, 97),
    SCALED(1, 1),
    SCALED(3, 7),
    SCALED(13, 17),
    SCALED(131, 100),
    {"residual, scale frozen", run_residual, residual_reference,
     .in = {MATRIX(3, 8, true), MATRIX(3, 8, true), VECTOR(8, false)}},
    {"residual, branch frozen", run_residual, residual_reference,
     .in = {MATRIX(3, 8, true), MATRIX(3, 8, false), VECTOR(8, true)}},
    {"residual, x frozen", run_residual, residual_reference, .in = {MATRIX(3, 8, false), MATRIX(3, 8, true)}},
    {"residuals and layernorm of one tensor", run_shared, shared_reference,
     .in = {MATRIX(5, 11, true), MATRIX(5, 11, true), VECTOR(11, true), VECTOR(11, true)}},
    NORMALISE(1, 2),
    NORMALISE(3, 7),
    NORMALISE(5, 64),
    NORMALISE(17, 100),
    {"l2_normalise of zeros", run_l2_normalise, l2_normalise_reference, .in = {{2, {2, 9}, false, FILL_ZERO, 0, 0}}},
    POOL(1, 1, 1),
    POOL(8, 3, 2, 1, 5),
    POOL(16, 17, 7, 1, 8),
    POOL(23, 300, 11, 12),
    GATHER(1, 1, 1, 1),
    GATHER(5, 7, 3, 2),
    GATHER(13, 17, 11, 5),
    GATHER(31, 100, 31, 7),
    COLUMN_SUM(1, 1),
    COLUMN_SUM(64, 3),
    COLUMN_SUM(65, 8),
    COLUMN_SUM(7, 1100),
    COLUMN_SUM(211, 1031),
};

/* Every number from -9 to 9 in steps of 1/512, and far out, to an absolute error. */
static void test_gelu_accuracy(struct device *dev)
{
    enum { SIDE = 9 * 512, COUNT = 2 * SIDE + 1 + 2 };
    float *x = mem_new(COUNT, sizeof *x), *y = mem_new(COUNT, sizeof *y);
    for (int i = 0; i <= 2 * SIDE; i++)
        x[i] = (float)(i - SIDE) / 512;
    x[COUNT - 2] = -1e30f;
    x[COUNT - 1] = 1e30f;
    struct tape *tape = tape_new(dev, false);
    tensor_download(y, op_activation(tape, tape_upload(tape, DTYPE_F32, 1, (int[]){COUNT}, x), ACTIVATION_GELU));
    for (int i = 0; i <= 2 * SIDE; i++) {
        double at = (double)x[i], want = at * normal_below(at);
        CHECK(fabs((double)y[i] - want) <= 2e-7 + 1e-7 * fabs(want), "gelu(%g) is %.9g, should be %.9g", at,
              (double)y[i], want);
    }
    CHECK(y[COUNT - 2] == 0 && y[COUNT - 1] == 1e30f, "gelu of -1e30 and 1e30 is %g and %g", (double)y[COUNT - 2],
          (double)y[COUNT - 1]);
    tape_free(tape);
    free(x);
    free(y);
}

/* The mask of `count` numbers: 1 where dropout keeps them. Checks that forward and backward agree on it. */
static void dropout_mask(char *kept, struct device *dev, uint64_t seed, float probability, int count)
{
    float *numbers = mem_new((size_t)count, sizeof *numbers), *dx = mem_new((size_t)count, sizeof *dx);
    for (int i = 0; i < count; i++)
        numbers[i] = (float)(i % 7 + 1);
    struct tape *tape = tape_new(dev, true);
    tape_seed(tape, seed);
    struct tensor *x = tensor_new(dev, DTYPE_F32, 1, &count);
    x->needs_grad = true;
    tensor_upload(x, numbers);
    struct tensor *dy = tape_upload(tape, DTYPE_F32, 1, &count, numbers), *y = op_dropout(tape, x, probability);
    tensor_download(numbers, y);
    tape_backward_from(tape, &y, &dy, 1);
    tensor_download(dx, x->grad);
    for (int i = 0; i < count; i++) {
        kept[i] = numbers[i] != 0;
        float want = kept[i] ? (float)(i % 7 + 1) * (1 / (1 - probability)) : 0;
        CHECK(numbers[i] == want && dx[i] == want, "dropout: number %d is %g forward, %g backward, should be %g", i,
              (double)numbers[i], (double)dx[i], (double)want);
    }
    tape_free(tape);
    tensor_free(x);
    free(numbers);
    free(dx);
}

static double share(const char *kept, const char *other, int count)
{
    double both = 0;
    for (int i = 0; i < count; i++)
        both += kept[i] && other[i];
    return both / count;
}

static void test_dropout(struct device *dev)
{
    enum { COUNT = 20011 };
    char *mask = mem_new(COUNT + 1, 1), *again = mem_new(COUNT + 1, 1), *other = mem_new(COUNT + 1, 1);
    const float probabilities[] = {0.1f, 0.5f, 0.9f};
    for (int i = 0; i < 3; i++) {
        double keep = 1 - (double)probabilities[i], spread = 5 * sqrt(keep * (1 - keep) / COUNT);
        dropout_mask(mask, dev, 1, probabilities[i], COUNT);
        dropout_mask(again, dev, 1, probabilities[i], COUNT);
        dropout_mask(other, dev, 2, probabilities[i], COUNT);
        CHECK(memcmp(mask, again, COUNT) == 0, "dropout: one seed gave two masks");
        CHECK(fabs(share(mask, mask, COUNT) - keep) < spread, "dropout keeps %g of %g", share(mask, mask, COUNT), keep);
        CHECK(fabs(share(mask, other, COUNT) - keep * keep) < spread, "dropout: two seeds' masks depend on each other");
        CHECK(fabs(share(mask, mask + 1, COUNT - 1) - keep * keep) < spread,
              "dropout: neighbours depend on each other");
    }
    /* The same on every device and for every vector width. */
    unsigned bits = 0;
    dropout_mask(mask, dev, 7, 0.5f, 32);
    for (int i = 0; i < 32; i++)
        bits |= (unsigned)mask[i] << i;
    CHECK(bits == 0x7e65d8cfu, "dropout: the mask of seed 7 is 0x%08x", bits);
    free(mask);
    free(again);
    free(other);
}

static void test_dropout_off(struct device *dev)
{
    struct tape *recording = tape_new(dev, true), *inference = tape_new(dev, false);
    struct tensor *x = TAPE_TENSOR(recording, DTYPE_F32, 3);
    CHECK(op_dropout(recording, x, 0) == x && op_dropout(inference, x, 0.5f) == x, "dropout that is off made a tensor");
    tape_free(recording);
    tape_free(inference);
}

static void expect_segments(struct segments segments, const int *starts, int count, int longest)
{
    int got[8];
    CHECK(segments.count == count && segments.longest == longest && segments.total == starts[count],
          "segments: count %d, longest %d, total %d", segments.count, segments.longest, segments.total);
    tensor_download(got, segments.starts);
    CHECK(memcmp(got, starts, ((size_t)count + 1) * sizeof *got) == 0, "segments start elsewhere");
}

static void test_segments(struct device *dev)
{
    struct tape *tape = tape_new(dev, false);
    expect_segments(segments_of_lengths(tape, (int[]){3, 1, 7}, 3), (int[]){0, 3, 4, 11}, 3, 7);
    expect_segments(segments_uniform(tape, 4, 5), (int[]){0, 5, 10, 15, 20}, 4, 5);
    tape_free(tape);
}

int main(void)
{
    for_each_device(test_gelu_accuracy);
    for_each_device(test_dropout);
    for_each_device(test_dropout_off);
    for_each_device(test_segments);
    return op_check_all(cases, (int)(sizeof cases / sizeof *cases));
}
