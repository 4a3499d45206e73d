/* Attention of one query to the tokens of each segment. */
#include "runtime/launch.h"
#include "runtime/ops/ops.h"

/* A work-group for each head of each segment. */
static struct launch_range range_heads(const struct device *dev, int segments, int heads)
{
    return (struct launch_range){{(size_t)segments, (size_t)heads, 1}, (size_t)device_group_size(dev)};
}

/* saved: kv, query, out, weights, segments.starts; integer: heads */
static void attention_pool_backward(struct tape *tape, const struct node *node)
{
    struct device *dev = tape_device(tape);
    struct tensor *kv = node->saved[0], *query = node->saved[1], *out = node->saved[2];
    int heads = node->integer[0], segments = out->dim[0], width = out->dim[1];
    struct tensor *dkv = tape_grad(tape, node->in[1], NULL), *kv_grad = dkv;
    struct tensor *parts = tensor_new(dev, DTYPE_F32, 2, out->dim); // [segments, width]: of the query's gradient
    if (!dkv)
        kv_grad = tensor_new(dev, kv->dtype, 2, kv->dim);
    LAUNCH_AS(kv, "attention_pool.cl", "attention_pool_backward", range_heads(dev, segments, heads),
              ARG_BUFFER(kv_grad), ARG_BUFFER(parts), ARG_BUFFER(node->out->grad), ARG_BUFFER(out),
              ARG_BUFFER(node->saved[3]), ARG_BUFFER(query), ARG_BUFFER(kv), ARG_BUFFER(node->saved[4]), ARG_INT(heads),
              ARG_INT(width / heads), ARG_INT(kv->dim[0]));
    int accumulate;
    struct tensor *dquery = tape_grad(tape, node->in[0], &accumulate);
    if (dquery) {
        struct tensor row = *dquery;
        row.ndim = 1;
        row.dim[0] = width;
        column_sum(&row, parts, accumulate);
    }
    tensor_free(parts);
    if (!dkv)
        tensor_free(kv_grad);
}
static const struct op attention_pool_op = {.name = "attention_pool", .backward = attention_pool_backward};

struct tensor *op_attention_pool(struct tape *tape, struct tensor *query, struct tensor *kv,
                                 const struct segments *segments, int heads)
{
    EXPECT(query, "attention_pool: query", DTYPE_F32, 1, -1);
    int width = tensor_width(query);
    EXPECT_REAL(kv, "attention_pool: kv", segments->total, 2 * width);
    CHECK(heads > 0 && width % heads == 0, "attention_pool: %d heads do not divide a width of %d", heads, width);
    struct device *dev = tape_device(tape);
    struct tensor *out = TAPE_TENSOR(tape, kv->dtype, segments->count, width);
    struct tensor *weights = TAPE_TENSOR(tape, DTYPE_F32, heads, segments->total);
    LAUNCH_AS(kv, "attention_pool.cl", "attention_pool_forward", range_heads(dev, segments->count, heads),
              ARG_BUFFER(out), ARG_BUFFER(weights), ARG_BUFFER(query), ARG_BUFFER(kv), ARG_BUFFER(segments->starts),
              ARG_INT(heads), ARG_INT(width / heads), ARG_INT(segments->total));
    tape_push(tape, (struct node){.op = &attention_pool_op,
                                  .in = {query, kv},
                                  .out = out,
                                  .saved = {kv, query, out, weights, segments->starts},
                                  .integer = {heads}});
    return out;
}
