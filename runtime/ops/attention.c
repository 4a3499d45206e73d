#include "runtime/ops/attention.h"

#include "runtime/gemm/choice.h"
#include "runtime/gemm/matrix.h"
#include "runtime/launch.h"
#include "runtime/opencl.h"
#include "runtime/paths.h"

#include <stdio.h>
#include <string.h>

enum { LARGEST_HEAD_DIM = 128 }; /* what a work-item's private memory is meant for */

/* On CPUs measured best with AVX2. On GPUs a work-item has at most 16 numbers of a row, so that none spills registers.
 * The plain form uses no vectors, no local memory and no barriers: what a driver that gets the others wrong may do. */
static const struct attention_form cpu_form = {16, 32, 1}, gpu_form = {1, 8, 4}, gpu_wide_form = {1, 8, 8},
                                   plain_form = {1, 8, 1};

static struct attention_build own_build(const struct tensor *qkv, const struct segments *segments,
                                        const struct attention_shape *shape)
{
    const struct attention_form *form = &shape->form;
    size_t lanes = (size_t)form->lanes, blocks = ((size_t)segments->longest + lanes - 1) / lanes;
    struct attention_build build = {
        .file = "attention.cl",
        .forward = "attention_forward",
        .backward_queries = "attention_backward_queries",
        .backward_keys = "attention_backward_keys",
        .range = range_items(qkv->dev, blocks * (size_t)form->split, (size_t)shape->heads, (size_t)segments->count)};
    snprintf(build.options, sizeof build.options, "-DHEAD_DIM=%d -DLANES=%d -DBLOCK=%d -DSPLIT=%d -DCAUSAL=%d%s%s",
             shape->head_dim, form->lanes, form->block, form->split, shape->causal, qkv->dtype == DTYPE_F32 ? "" : " ",
             dtype_options(qkv->dtype));
    return build;
}

static struct attention_build build_for(const struct tensor *qkv, const struct segments *segments,
                                        const struct attention_shape *shape)
{
    return shape->unit ? attention_matrix_build(qkv, segments, shape) : own_build(qkv, segments, shape);
}

void attention_launch(struct tensor *out, struct tensor *lse, const struct tensor *qkv, const struct segments *segments,
                      const struct attention_shape *shape)
{
    struct attention_build build = build_for(qkv, segments, shape);
    LAUNCH_WITH(qkv->dev, build.file, build.forward, build.options, build.range, ARG_BUFFER(out), ARG_BUFFER(lse),
                ARG_BUFFER(qkv), ARG_BUFFER(segments->starts), ARG_INT(shape->heads), ARG_INT(segments->total));
}

void attention_launch_backward(struct tensor *qkv_grad, const struct tensor *out_grad, const struct tensor *out,
                               const struct tensor *lse, const struct tensor *qkv, const struct segments *segments,
                               const struct attention_shape *shape)
{
    struct device *dev = qkv->dev;
    struct attention_build build = build_for(qkv, segments, shape);
    struct tensor *delta = tensor_new(dev, DTYPE_F32, 2, (int[]){shape->heads, segments->total});
    LAUNCH_WITH(dev, build.file, build.backward_queries, build.options, build.range, ARG_BUFFER(qkv_grad),
                ARG_BUFFER(delta), ARG_BUFFER(out_grad), ARG_BUFFER(out), ARG_BUFFER(qkv), ARG_BUFFER(lse),
                ARG_BUFFER(segments->starts), ARG_INT(shape->heads), ARG_INT(segments->total));
    LAUNCH_WITH(dev, build.file, build.backward_keys, build.options, build.range, ARG_BUFFER(qkv_grad),
                ARG_BUFFER(out_grad), ARG_BUFFER(qkv), ARG_BUFFER(lse), ARG_BUFFER(delta), ARG_BUFFER(segments->starts),
                ARG_INT(shape->heads), ARG_INT(segments->total));
    tensor_free(delta);
}

double attention_tolerance(const struct attention_shape *shape)
{
    return !shape->unit ? 1e-4 : shape->precision == PRECISION_FP16 ? 4e-3 : 3e-2;
}

bool attention_is_right(struct device *dev, const struct attention_shape *shape)
{
    const struct attention_form *form = &shape->form;
    const char *causal = shape->causal ? ", causal" : "";
    char name[192];
    if (shape->unit)
        snprintf(name, sizeof name, "attention on %s in %s with heads of %d%s", shape->unit->name,
                 gemm_precisions[shape->precision], shape->head_dim, causal);
    else
        snprintf(name, sizeof name, "attention with %d rows of %d%s, %d at once, by %d", form->lanes, shape->head_dim,
                 causal, form->block, form->split);
    return selftest_passes(dev, name, attention_error, shape, attention_tolerance(shape));
}

/* On matrix units if there are any for what is stored in 16 bits, else in the device's own form, if these are right. */
static struct attention_shape shape_for(struct device *dev, enum dtype dtype, int heads, int head_dim, bool causal)
{
    bool cpu = device_info(dev)->device_class == DEVICE_CPU;
    struct attention_shape shape = {.form = cpu              ? cpu_form
                                            : head_dim <= 64 ? gpu_form
                                                             : gpu_wide_form,
                                    .heads = heads,
                                    .head_dim = head_dim,
                                    .causal = causal,
                                    .unit = dtype == DTYPE_F32 ? NULL : dev->matrix_unit,
                                    .precision = dev->precision};
    bool fast = path_is_on(dev, PATH_ATTENTION);
    if (fast && attention_matrix_takes(shape.unit, head_dim) && attention_is_right(dev, &shape))
        return shape;
    shape.unit = NULL;
    if (!fast || !attention_is_right(dev, &shape))
        shape.form = plain_form;
    else
        shape.form = attention_tuned(dev, &shape);
    return shape;
}

bool attention_is_fast(struct device *dev, int head_dim, bool causal)
{
    struct attention_shape shape = shape_for(dev, DTYPE_F32, 1, head_dim, causal);
    return shape.unit || memcmp(&shape.form, &plain_form, sizeof plain_form) != 0;
}

/* saved: qkv, its out, lse, segments.starts; integer: heads, causal, longest */
static void attention_backward(struct tape *tape, const struct node *node)
{
    struct tensor *qkv = node->saved[0], *out = node->saved[1], *lse = node->saved[2], *starts = node->saved[3];
    struct tensor *qkv_grad = tape_grad(tape, node->in[0], NULL);
    if (!qkv_grad)
        return;
    int heads = node->integer[0];
    struct segments segments = {
        .starts = starts, .count = starts->dim[0] - 1, .total = tensor_rows(out), .longest = node->integer[2]};
    struct attention_shape shape = shape_for(qkv->dev, qkv->dtype, heads, tensor_width(out) / heads, node->integer[1]);
    attention_launch_backward(qkv_grad, node->out->grad, out, lse, qkv, &segments, &shape);
}
static const struct op attention_op = {.name = "attention", .backward = attention_backward};

struct tensor *op_attention(struct tape *tape, struct tensor *qkv, const struct segments *segments, int heads,
                            bool causal)
{
    EXPECT_REAL(qkv, "attention: qkv", segments->total, -1);
    int width = tensor_width(qkv) / 3;
    CHECK(heads > 0 && tensor_width(qkv) % (3 * heads) == 0 && width / heads <= LARGEST_HEAD_DIM,
          "attention: qkv %s does not split into 3 x %d heads of 1 to %d numbers", tensor_shape(qkv).text, heads,
          LARGEST_HEAD_DIM);
    struct tensor *out = TAPE_TENSOR(tape, qkv->dtype, segments->total, width);
    struct tensor *lse = TAPE_TENSOR(tape, DTYPE_F32, heads, segments->total);
    struct attention_shape shape = shape_for(tape_device(tape), qkv->dtype, heads, width / heads, causal);
    attention_launch(out, lse, qkv, segments, &shape);
    tape_push(tape, (struct node){.op = &attention_op,
                                  .in = {qkv},
                                  .out = out,
                                  .saved = {qkv, out, lse, segments->starts},
                                  .integer = {heads, causal, segments->longest}});
    return out;
}
