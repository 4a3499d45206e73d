/* How the kernels of cl/attention_matrix.cl are built: attention on matrix units. */
#include "runtime/gemm/matrix.h"
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

struct attention_build attention_matrix_build(const struct tensor *qkv, const struct segments *segments,
                                              const struct attention_shape *shape)
{
    const struct matrix_unit *unit = shape->unit;
    const struct matrix_attention *form = form_for(unit, shape->head_dim);
    int subgroups = shape->emulated ? EMULATED_SUBGROUPS : form->subgroups, rows = subgroups * unit->own;
    struct attention_build build = {
        .file = "attention_matrix.cl",
        .forward = "attention_matrix_forward",
        .backward_queries = "attention_matrix_backward_queries",
        .backward_keys = "attention_matrix_backward_keys",
        .range = {{(size_t)((segments->longest + rows - 1) / rows), (size_t)shape->heads, (size_t)segments->count},
                  (size_t)(unit->lanes * subgroups)}};
    snprintf(build.options, sizeof build.options,
             "-DUNIT=%s -DBF16=%d %s -DSTORED16=%d -DHEAD_DIM=%d -DCAUSAL=%d -DSUBGROUPS=%d -DBLOCK=%d -DHOLD=%d %s",
             unit->name, shape->precision == PRECISION_BF16, shape->emulated ? MATRIX_EMULATED : "-DEMULATED=0",
             qkv->dtype != DTYPE_F32, shape->head_dim, shape->causal, subgroups, form->block, form->hold,
             shape->emulated ? "" : unit->options);
    return build;
}
