/* op_attention against softmax(Q K^T / sqrt(head_dim)) V written down plainly. */
#include "tests/op_check.h"

#include <math.h>

/* integer: heads, causal, then the lengths of the segments up to a zero. */
enum { HEADS, CAUSAL, LENGTHS };
enum { LONGEST = 577 }; /* a picture of 24 x 24 patches and its class token */

static int segment_count(const struct op_case *c)
{
    int count = 0;
    while (c->integer[LENGTHS + count] > 0)
        count++;
    return count;
}

static struct tensor *run(struct tape *tape, struct tensor *const *in, const struct op_case *c)
{
    struct segments segments = segments_of_lengths(tape, c->integer + LENGTHS, segment_count(c));
    return op_attention(tape, in[0], &segments, c->integer[HEADS], c->integer[CAUSAL]);
}

/* The output row y [head_dim] of the query q, over `count` keys; rows of qkv are 3 * width apart. */
static void attend(double *y, const double *q, const double *keys, int count, int head_dim, int width)
{
    double weights[LONGEST], largest = -INFINITY, sum = 0;
    for (int j = 0; j < count; j++) {
        weights[j] = 0;
        for (int d = 0; d < head_dim; d++)
            weights[j] += q[d] * keys[j * 3 * width + d] / sqrt(head_dim);
        largest = fmax(largest, weights[j]);
    }
    for (int j = 0; j < count; j++)
        sum += weights[j] = exp(weights[j] - largest);
    for (int d = 0; d < head_dim; d++)
        y[d] = 0;
    for (int j = 0; j < count; j++)
        for (int d = 0; d < head_dim; d++)
            y[d] += weights[j] / sum * keys[j * 3 * width + width + d];
}

static void reference(double *y, double *const *in, const struct op_case *c)
{
    int heads = c->integer[HEADS], width = c->in[0].dim[1] / 3, head_dim = width / heads;
    const double *qkv = in[0];
    for (const int *length = c->integer + LENGTHS; *length > 0; length++) {
        for (int i = 0; i < *length; i++)
            for (int column = 0; column < width; column += head_dim)
                attend(y + i * width + column, qkv + i * 3 * width + column, qkv + width + column,
                       c->integer[CAUSAL] ? i + 1 : *length, head_dim, width);
        y += *length * width;
        qkv += *length * 3 * width;
    }
}

#define FILLED(fill_, total, heads, head_dim, size)                                                                    \
    run, reference,                                                                                                    \
        .in = {{.ndim = 2, .dim = {total, 3 * (heads) * (head_dim)}, .grad = true, .fill = fill_, .scale = size}}
#define QKV(total, heads, head_dim, size) FILLED(FILL_NORMAL, total, heads, head_dim, size)
#define STORED_QKV(total, heads, head_dim, size) FILLED(FILL_ACTIVATION, total, heads, head_dim, size)

static const struct op_case cases[] = {
    {"one token, one number", QKV(1, 1, 1, 1), .integer = {1, 0, 1}},
    {"one token", QKV(1, 2, 64, 1), .integer = {2, 1, 1}},
    {"3 tokens of head_dim 5", STORED_QKV(3, 2, 5, 1), .integer = {2, 0, 3}},
    {"3 tokens of head_dim 5, causal", QKV(3, 2, 5, 1), .integer = {2, 1, 3}},
    {"uneven segments", QKV(29, 3, 8, 1), .integer = {3, 0, 7, 1, 17, 4}},
    {"uneven segments, causal", STORED_QKV(29, 3, 8, 1), .integer = {3, 1, 7, 1, 17, 4}},
    {"around the number of lanes", QKV(64, 1, 7, 1), .integer = {1, 0, 15, 16, 32, 1}},
    {"33 tokens of head_dim 32", STORED_QKV(33, 2, 32, 1), .integer = {2, 0, 33}},
    {"over a block", STORED_QKV(71, 1, 64, 1), .integer = {1, 0, 70, 1}},
    {"over a block, causal", STORED_QKV(71, 1, 64, 1), .integer = {1, 1, 70, 1}},
    {"77 and 31 tokens, causal", QKV(108, 2, 32, 1), .integer = {2, 1, 77, 31}},
    {"577 tokens", QKV(LONGEST, 1, 3, 1), .integer = {1, 0, LONGEST}},
    {"577 tokens, causal", QKV(LONGEST + 1, 1, 3, 1), .integer = {1, 1, 1, LONGEST}},
    {"head_dim 100", QKV(18, 1, 100, 1), .integer = {1, 0, 1, 17}},
    {"head_dim 128, causal", QKV(18, 1, 128, 1), .integer = {1, 1, 17, 1}},
    /* Scores of some hundreds: float32 knows them to 1e-5, so the weights carry 1e-5 of relative error. */
    {"large scores", QKV(40, 2, 16, 8), .integer = {2, 0, 39, 1}, .tolerance = 1e-4},
    {"large scores, causal", QKV(70, 1, 32, 8), .integer = {1, 1, 70}, .tolerance = 1e-4},
};

OP_TESTS(cases)
