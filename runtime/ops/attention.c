#include "runtime/launch.h"
#include "runtime/ops/ops.h"

#include <stdio.h>

enum { LARGEST_HEAD_DIM = 128 }; /* what a work-item's private memory is meant for */

/* How the kernels of cl/attention.cl are built and launched for one shape. */
struct plan {
    char options[96];
    struct launch_range range;
};

static struct plan plan_for(struct device *dev, const struct segments *segments, int heads, int head_dim, bool causal)
{
    bool cpu = device_info(dev)->device_class == DEVICE_CPU;
    int lanes = cpu ? 16 : 1, block = cpu ? 32 : 4; /* measured best on a CPU with AVX2; on GPUs, what registers hold */
    struct plan plan;
    snprintf(plan.options, sizeof plan.options, "-DHEAD_DIM=%d -DLANES=%d -DBLOCK=%d -DCAUSAL=%d", head_dim, lanes,
             block, causal);
    size_t blocks = (size_t)(segments->longest + lanes - 1) / (size_t)lanes;
    plan.range = range_items(dev, blocks, (size_t)heads, (size_t)segments->count);
    return plan;
}

/* saved: qkv, its out, lse, segments.starts; integer: heads, causal, longest */
static void attention_backward(struct tape *tape, const struct node *node)
{
    struct tensor *qkv = node->saved[0], *out = node->saved[1], *lse = node->saved[2], *starts = node->saved[3];
    struct tensor *out_grad = node->out->grad, *qkv_grad = tape_grad(tape, node->in[0], NULL);
    if (!qkv_grad)
        return;
    struct device *dev = tape_device(tape);
    int heads = node->integer[0], total = tensor_rows(out);
    struct segments segments = {.count = starts->dim[0] - 1, .total = total, .longest = node->integer[2]};
    struct plan plan = plan_for(dev, &segments, heads, tensor_width(out) / heads, node->integer[1]);
    struct tensor *delta = tensor_new(dev, DTYPE_F32, 2, (int[]){heads, total});
    LAUNCH_WITH(dev, "attention.cl", "attention_backward_queries", plan.options, plan.range, ARG_BUFFER(qkv_grad),
                ARG_BUFFER(delta), ARG_BUFFER(out_grad), ARG_BUFFER(out), ARG_BUFFER(qkv), ARG_BUFFER(lse),
                ARG_BUFFER(starts), ARG_INT(heads), ARG_INT(total));
    LAUNCH_WITH(dev, "attention.cl", "attention_backward_keys", plan.options, plan.range, ARG_BUFFER(qkv_grad),
                ARG_BUFFER(out_grad), ARG_BUFFER(qkv), ARG_BUFFER(lse), ARG_BUFFER(delta), ARG_BUFFER(starts),
                ARG_INT(heads), ARG_INT(total));
    tensor_free(delta);
}
static const struct op attention_op = {.name = "attention", .backward = attention_backward};

struct tensor *op_attention(struct tape *tape, struct tensor *qkv, const struct segments *segments, int heads,
                            bool causal)
{
    EXPECT(qkv, "attention: qkv", DTYPE_F32, segments->total, -1);
    int width = tensor_width(qkv) / 3;
    CHECK(heads > 0 && tensor_width(qkv) % (3 * heads) == 0 && width / heads <= LARGEST_HEAD_DIM,
          "attention: qkv %s does not split into 3 x %d heads of 1 to %d numbers", tensor_shape(qkv).text, heads,
          LARGEST_HEAD_DIM);
    struct device *dev = tape_device(tape);
    struct tensor *out = TAPE_TENSOR(tape, DTYPE_F32, segments->total, width);
    struct tensor *lse = TAPE_TENSOR(tape, DTYPE_F32, heads, segments->total);
    struct plan plan = plan_for(dev, segments, heads, width / heads, causal);
    LAUNCH_WITH(dev, "attention.cl", "attention_forward", plan.options, plan.range, ARG_BUFFER(out), ARG_BUFFER(lse),
                ARG_BUFFER(qkv), ARG_BUFFER(segments->starts), ARG_INT(heads), ARG_INT(segments->total));
    tape_push(tape, (struct node){.op = &attention_op,
                                  .in = {qkv},
                                  .out = out,
                                  .saved = {qkv, out, lse, segments->starts},
                                  .integer = {heads, causal, segments->longest}});
    return out;
}
