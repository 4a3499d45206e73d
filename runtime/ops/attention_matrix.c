/* The kernels of cl/attention_matrix.cl: attention on matrix units. */
#include "runtime/gemm/matrix.h"
#include "runtime/launch.h"
#include "runtime/ops/attention.h"

#include <stdio.h>

/* Enough to test what they share. */
enum { EMULATED_SUBGROUPS = 2 };

/* NULL: heads are too wide. */
static const struct matrix_attention *form_for(const struct matrix_unit *unit, int head_dim)
{
    for (int i = 0; i < MATRIX_ATTENTIONS; i++)
        if (head_dim <= unit->attention[i].widest_head)
            return &unit->attention[i];
    return NULL;
}

bool attention_matrix_takes(const struct matrix_unit *unit, int head_dim)
{
    return unit && form_for(unit, head_dim);
}

struct build {
    char options[256];
    struct launch_range range;
};

static struct build build_for(const struct tensor *qkv, const struct segments *segments,
                              const struct attention_shape *shape)
{
    const struct matrix_unit *unit = shape->unit;
    const struct matrix_attention *form = form_for(unit, shape->head_dim);
    int subgroups = shape->emulated ? EMULATED_SUBGROUPS : form->subgroups, rows = subgroups * unit->own;
    struct build build = {
        .range = {{(size_t)((segments->longest + rows - 1) / rows), (size_t)shape->heads, (size_t)segments->count},
                  (size_t)(unit->lanes * subgroups)}};
    snprintf(build.options, sizeof build.options,
             "-DUNIT=%s -DBF16=%d %s -DSTORED16=%d -DHEAD_DIM=%d -DCAUSAL=%d -DSUBGROUPS=%d -DBLOCK=%d -DHOLD=%d %s",
             unit->name, shape->precision == PRECISION_BF16, shape->emulated ? MATRIX_EMULATED : "-DEMULATED=0",
             qkv->dtype != DTYPE_F32, shape->head_dim, shape->causal, subgroups, form->block, form->hold,
             shape->emulated ? "" : unit->options);
    return build;
}

void attention_matrix_launch(struct tensor *out, struct tensor *lse, const struct tensor *qkv,
                             const struct segments *segments, const struct attention_shape *shape)
{
    struct build build = build_for(qkv, segments, shape);
    LAUNCH_WITH(qkv->dev, "attention_matrix.cl", "attention_matrix_forward", build.options, build.range,
                ARG_BUFFER(out), ARG_BUFFER(lse), ARG_BUFFER(qkv), ARG_BUFFER(segments->starts), ARG_INT(shape->heads),
                ARG_INT(segments->total));
}

void attention_matrix_launch_backward(struct tensor *qkv_grad, const struct tensor *out_grad, const struct tensor *out,
                                      const struct tensor *lse, const struct tensor *qkv,
                                      const struct segments *segments, const struct attention_shape *shape)
{
    struct device *dev = qkv->dev;
    struct build build = build_for(qkv, segments, shape);
    struct tensor *delta = tensor_new(dev, DTYPE_F32, 2, (int[]){shape->heads, segments->total});
    LAUNCH_WITH(dev, "attention_matrix.cl", "attention_matrix_backward_queries", build.options, build.range,
                ARG_BUFFER(qkv_grad), ARG_BUFFER(delta), ARG_BUFFER(out_grad), ARG_BUFFER(out), ARG_BUFFER(qkv),
                ARG_BUFFER(lse), ARG_BUFFER(segments->starts), ARG_INT(shape->heads), ARG_INT(segments->total));
    LAUNCH_WITH(dev, "attention_matrix.cl", "attention_matrix_backward_keys", build.options, build.range,
                ARG_BUFFER(qkv_grad), ARG_BUFFER(out_grad), ARG_BUFFER(qkv), ARG_BUFFER(lse), ARG_BUFFER(delta),
                ARG_BUFFER(segments->starts), ARG_INT(shape->heads), ARG_INT(segments->total));
    tensor_free(delta);
}
