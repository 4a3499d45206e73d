/* op_attention_pool against softmax(query K^T / sqrt(head_dim)) V written down plainly. */
#include "tests/op_check.h"

#include <math.h>

/* integer: heads, then the lengths of the segments up to a zero. */
enum { HEADS, LENGTHS };
enum { LONGEST = 256 };

static struct tensor *run(struct tape *tape, struct tensor *const *in, const struct op_case *c)
{
    int count = 0;
    while (c->integer[LENGTHS + count] > 0)
        count++;
    struct segments segments = segments_of_lengths(tape, c->integer + LENGTHS, count);
    return op_attention_pool(tape, in[0], in[1], &segments, c->integer[HEADS]);
}

/* One head: y [head_dim] of a query over `count` tokens, whose keys are `stride` apart and `width` before their values.
 */
static void attend(double *y, const double *query, const double *keys, int count, int head_dim, int width)
{
    double weights[LONGEST], largest = -INFINITY, sum = 0;
    for (int t = 0; t < count; t++) {
        weights[t] = 0;
        for (int d = 0; d < head_dim; d++)
            weights[t] += query[d] * keys[t * 2 * width + d] / sqrt(head_dim);
        largest = fmax(largest, weights[t]);
    }
    for (int t = 0; t < count; t++)
        sum += weights[t] = exp(weights[t] - largest);
    for (int d = 0; d < head_dim; d++) {
        y[d] = 0;
        for (int t = 0; t < count; t++)
            y[d] += weights[t] / sum * keys[t * 2 * width + width + d];
    }
}

static void reference(double *y, double *const *in, const struct op_case *c)
{
    int width = c->in[0].dim[1], head_dim = width / c->integer[HEADS];
    const double *kv = in[1];
    for (const int *length = c->integer + LENGTHS; *length > 0; length++) {
        for (int at = 0; at < width; at += head_dim)
            attend(y + at, in[0] + at, kv + at, *length, head_dim, width);
        y += width;
        kv += *length * 2 * width;
    }
}

#define POOL(heads, head_dim, total, query_grad, kv_grad)                                                              \
    run, reference,                                                                                                    \
        .in = {{.ndim = 2, .dim = {1, (heads) * (head_dim)}, .grad = query_grad},                                      \
               {.ndim = 2, .dim = {total, 2 * (heads) * (head_dim)}, .grad = kv_grad, .fill = FILL_ACTIVATION}}

static const struct op_case cases[] = {
    {"one token, one number", POOL(1, 1, 1, true, true), .integer = {1, 1}},
    {"3 tokens of head_dim 5", POOL(2, 5, 3, true, true), .integer = {2, 3}},
    {"uneven segments", POOL(3, 8, 29, true, true), .integer = {3, 7, 1, 17, 4}},
    {"196 tokens of head_dim 64", POOL(2, 64, 196, true, true), .integer = {2, 196}},
    {"head_dim 72", POOL(2, 72, 33, true, true), .integer = {2, 16, 17}},
    {"frozen query", POOL(2, 7, 12, false, true), .integer = {2, 5, 7}},
    {"frozen tokens", POOL(2, 7, 12, true, false), .integer = {2, 5, 7}},
};

OP_TESTS(cases)
