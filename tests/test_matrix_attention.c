/* Attention on matrix units (cl/attention_matrix.cl) with each unit's own fragment layout, its instructions emulated,
 * against softmax(Q K^T / sqrt(head_dim)) V and its gradients in double over numbers rounded to 16 bits. */
#include "runtime/gemm/matrix.h"
#include "runtime/ops/attention.h"
#include "tests/op_check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { HEADS = 2, SEGMENTS = 4 };

/* Lengths of segments around those of fragments, blocks and work-groups; sizes of heads around those of fragments. */
static const struct problem {
    int lengths[SEGMENTS]; // up to a zero
    int head_dim;
    bool causal;
} problems[] = {
    {{3, 17}, 8, true},  {{1, 5, 37, 16}, 40, true}, {{67, 8}, 64, false},
    {{77, 2}, 40, true}, {{32, 1, 17}, 64, false},   {{17, 40}, 104, true},
};
enum { PROBLEMS = sizeof problems / sizeof *problems, FOR_ALL = 3, OF_SELFTEST = 40000 /* numbers */ };

struct numbers {
    double *qkv, *out, *out_grad, *qkv_grad; // [total, 3 * width], [total, width], [total, width], [total, 3 * width]
    int width, head_dim;
};

static double dot(const double *a, const double *b, int count)
{
    double sum = 0;
    for (int i = 0; i < count; i++)
        sum += a[i] * b[i];
    return sum;
}

/* One query of one head over keys `first` to `last`. Adds to the gradients. */
static void reference_query(const struct numbers *x, int head, int query, int first, int last)
{
    int dim = x->head_dim, stride = 3 * x->width, column = head * dim;
    double p[256], sum = 0, delta = 0, scale = 1 / sqrt(dim);
    const double *q = x->qkv + query * stride + column, *dout = x->out_grad + query * x->width + column;
    for (int j = first; j < last; j++)
        sum += p[j - first] = exp(scale * dot(q, x->qkv + j * stride + x->width + column, dim));
    for (int j = first; j < last; j++) {
        const double *value = x->qkv + j * stride + 2 * x->width + column;
        p[j - first] /= sum;
        delta += p[j - first] * dot(dout, value, dim);
        for (int d = 0; d < dim; d++)
            x->out[query * x->width + column + d] += p[j - first] * value[d];
    }
    for (int j = first; j < last; j++) {
        const double *key = x->qkv + j * stride + x->width + column, *value = key + x->width;
        double *dq = x->qkv_grad + query * stride + column, *dk = x->qkv_grad + j * stride + x->width + column;
        double ds = scale * p[j - first] * (dot(dout, value, dim) - delta);
        for (int d = 0; d < dim; d++) {
            dq[d] += ds * key[d];
            dk[d] += ds * q[d];
            dk[x->width + d] += p[j - first] * dout[d];
        }
    }
}

static void reference(const struct numbers *x, const struct problem *problem)
{
    int start = 0;
    for (int s = 0; s < SEGMENTS; start += problem->lengths[s++])
        for (int i = 0; i < problem->lengths[s]; i++)
            for (int head = 0; head < HEADS; head++)
                reference_query(x, head, start + i, start, start + (problem->causal ? i + 1 : problem->lengths[s]));
}

/* Random numbers, some of them small; `rounded` gets what the units make of them. */
static struct tensor *random_tensor(struct device *dev, double *rounded, int rows, int width, enum dtype stored,
                                    enum dtype operands, uint64_t *random)
{
    size_t count = (size_t)rows * (size_t)width;
    struct tensor *tensor = tensor_new(dev, stored, 2, (int[]){rows, width});
    double *values = mem_new(count, sizeof *values);
    for (size_t i = 0; i < count; i++) {
        values[i] = check_normal(random) * (i % 13 == 5 ? 1e-5 : 1);
        rounded[i] = check_rounded(operands, values[i]);
    }
    check_upload(tensor, values);
    free(values);
    return tensor;
}

/* Downloads and frees. */
static void check_tensor(const char *what, struct tensor *tensor, const double *want, double tolerance)
{
    float *got = check_download(tensor);
    check_close(what, got, want, tensor_count(tensor), tolerance);
    free(got);
    tensor_free(tensor);
}

static void check_problem(struct device *dev, const struct problem *problem, const struct attention_shape *shape,
                          bool stored16)
{
    struct tape *tape = tape_new(dev, false);
    int count = 0;
    while (count < SEGMENTS && problem->lengths[count] > 0)
        count++;
    struct segments segments = segments_of_lengths(tape, problem->lengths, count);
    enum dtype operands = dtype_of_precision(shape->precision), stored = stored16 ? operands : DTYPE_F32;
    int total = segments.total, width = HEADS * shape->head_dim;
    double *memory = mem_new((size_t)(total * width * 8), sizeof *memory);
    struct numbers x = {
        memory,         memory + 3 * total * width, memory + 4 * total * width, memory + 5 * total * width, width,
        shape->head_dim};
    uint64_t random = (uint64_t)(total + shape->head_dim);
    struct tensor *qkv = random_tensor(dev, x.qkv, total, 3 * width, stored, operands, &random);
    struct tensor *out_grad = random_tensor(dev, x.out_grad, total, width, stored, operands, &random);
    struct tensor *out = tensor_new(dev, stored, 2, (int[]){total, width});
    struct tensor *qkv_grad = tensor_new(dev, stored, 2, (int[]){total, 3 * width});
    struct tensor *lse = tensor_new(dev, DTYPE_F32, 2, (int[]){HEADS, total});
    attention_launch(out, lse, qkv, &segments, shape);
    attention_launch_backward(qkv_grad, out_grad, out, lse, qkv, &segments, shape);
    reference(&x, problem);
    char what[160];
    snprintf(what, sizeof what, "attention on %s in %s%s, %d tokens, heads of %d%s", shape->unit->name,
             operands == DTYPE_BF16 ? "bf16" : "fp16", stored16 ? " stored so" : "", total, shape->head_dim,
             shape->causal ? ", causal" : "");
    double unit = operands == DTYPE_BF16 ? 0x1p-8 : 0x1p-11; /* what rounds weights and their gradients */
    check_tensor(what, out, x.out, unit);
    check_tensor(what, qkv_grad, x.qkv_grad, 2 * unit);
    tensor_free(qkv);
    tensor_free(out_grad);
    tensor_free(lse);
    tape_free(tape);
    free(memory);
}

static size_t qkv_numbers(const struct problem *problem)
{
    int total = 0;
    for (int s = 0; s < SEGMENTS; s++)
        total += problem->lengths[s];
    return (size_t)(total * 3 * HEADS * problem->head_dim);
}

/* The problems that are for `unit`; a build takes seconds, so a few sizes of heads have to do. */
static void check_unit(struct device *dev, const struct matrix_unit *unit, enum precision precision, bool stored16,
                       int count)
{
    for (const struct problem *problem = problems; problem < problems + count; problem++) {
        struct attention_shape shape = {.heads = HEADS,
                                        .head_dim = problem->head_dim,
                                        .causal = problem->causal,
                                        .unit = unit,
                                        .precision = precision,
                                        .emulated = true};
        if (attention_matrix_takes(unit, shape.head_dim) && check_is_small(qkv_numbers(problem)))
            check_problem(dev, problem, &shape, stored16);
    }
}

/* Every layout of fragments, causal and not; what is the same code for all (other precisions, other sizes of heads,
 * float numbers in memory) with one unit of each kind. */
static void units_attend_right(struct device *dev)
{
    for (const struct matrix_unit *unit = matrix_units; unit->name; unit++)
        check_unit(dev, unit, unit->bf16 ? PRECISION_BF16 : PRECISION_FP16, true, FOR_ALL);
    check_unit(dev, matrix_units, PRECISION_FP16, true, PROBLEMS);
    check_unit(dev, matrix_units, PRECISION_FP16, false, 2);
    check_unit(dev, matrix_units + 2, PRECISION_BF16, false, 2);
}

/* What rounding leaves does not fail the self-test, and is not far below what does. */
static void rounding_passes_the_selftest(struct device *dev)
{
    for (enum precision precision = PRECISION_BF16; precision <= PRECISION_FP16 && check_is_small(OF_SELFTEST);
         precision++) {
        struct attention_shape shape = {
            .heads = HEADS, .head_dim = 64, .unit = matrix_units, .precision = precision, .emulated = true};
        double off = attention_error(dev, &shape), allowed = attention_tolerance(&shape);
        CHECK(off < allowed / 2 && off > allowed / 50, "off by %g, %g allowed", off, allowed);
    }
}

int main(void)
{
    for_each_device(units_attend_right);
    for_each_device(rounding_passes_the_selftest);
    return 0;
}
