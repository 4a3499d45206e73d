/* The kernels of cl/attention.cl in one of their forms, or those of cl/attention_matrix.cl, and their check against the
 * host.
 *
 *     struct attention_shape shape = {form, heads, head_dim, causal};
 *     attention_launch(out, lse, qkv, &segments, &shape);
 *     double off = attention_error(dev, &shape);             // of all three kernels, on a small problem of its own
 */
#ifndef OCLIP_ATTENTION_H
#define OCLIP_ATTENTION_H

#include "runtime/launch.h"
#include "runtime/ops/ops.h"
#include "runtime/selftest.h"

struct matrix_unit;

struct attention_form {
    int lanes, block, split; /* cl/attention.cl says what they are */
};

struct attention_shape {
    struct attention_form form;
    int heads, head_dim;
    bool causal;
    const struct matrix_unit *unit; /* that the products are made on, instead of by `form`; NULL: none */
    enum precision precision;       /* of operands on it */
    bool emulated;                  /* for tests: the unit's fragments on any device */
};

/* Operands of matrix units are rounded to a part in 2^11 (fp16) or 2^8 (bf16) of their own: that is left of results. */
double attention_tolerance(const struct attention_shape *shape);

/* out [total, heads * head_dim] and lse [heads, total] from qkv [total, 3 * heads * head_dim] */
void attention_launch(struct tensor *out, struct tensor *lse, const struct tensor *qkv, const struct segments *segments,
                      const struct attention_shape *shape);

/* qkv_grad from out_grad, both as above, and what attention_launch() was given and gave */
void attention_launch_backward(struct tensor *qkv_grad, const struct tensor *out_grad, const struct tensor *out,
                               const struct tensor *lse, const struct tensor *qkv, const struct segments *segments,
                               const struct attention_shape *shape);

/* The kernels of one kind for a shape; all three take the same options and range. */
struct attention_build {
    const char *file, *forward, *backward_queries, *backward_keys;
    char options[256];
    struct launch_range range;
};

/* Those on matrix units, for shapes that name one, which has to take heads of that size. */
bool attention_matrix_takes(const struct matrix_unit *unit, int head_dim);
struct attention_build attention_matrix_build(const struct tensor *qkv, const struct segments *segments,
                                              const struct attention_shape *shape);

/* Whether the shape's kernels pass their self-test, which is run once and kept (selftest.h). */
bool attention_is_right(struct device *dev, const struct attention_shape *shape);

/* Whether op_attention() uses the device's own form, which its self-test has found right, and not the plain one. */
bool attention_is_fast(struct device *dev, int head_dim, bool causal);

/* Of the device's own form, that of the shape, which is right: what is fastest for its heads. For op_attention(). */
struct attention_form attention_tuned(struct device *dev, const struct attention_shape *shape);

/* The context is a struct attention_shape, of which the heads do not count. */
selftest_error attention_error;

#endif
