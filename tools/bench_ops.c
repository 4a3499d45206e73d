/* bench ops: every op of a transformer at the shapes of ViT-B/32 with 32 pictures, forward alone and with its backward
 * pass. GB/s counts each input and output once. */
#include "tools/bench.h"

#include "runtime/ops/ops.h"

#include <stdio.h>
#include <stdlib.h>

enum { PICTURES = 32, TOKENS = 50, ROWS = PICTURES * TOKENS, WIDTH = 768, MLP = 3072, HEADS = 12, BATCH = 256 };

/* What an op works on. */
struct op_run {
    struct tape *tape;
    bool backward;
    struct tensor *x, *y, *wide, *qkv, *weight, *bias, *matrix, *pairs, *scale;
    struct segments segments;
    struct tensor *(*forward)(struct op_run *run);
};

static struct tensor *layernorm(struct op_run *r)
{
    return op_layernorm(r->tape, r->x, r->weight, r->bias, 1e-6f);
}
static struct tensor *gelu(struct op_run *r)
{
    return op_activation(r->tape, r->wide, ACTIVATION_GELU);
}
static struct tensor *quick_gelu(struct op_run *r)
{
    return op_activation(r->tape, r->wide, ACTIVATION_QUICK_GELU);
}
static struct tensor *residual(struct op_run *r)
{
    return op_residual(r->tape, r->x, r->y, NULL);
}
static struct tensor *layer_scale(struct op_run *r)
{
    return op_residual(r->tape, r->x, r->y, r->weight);
}
static struct tensor *dropout(struct op_run *r)
{
    return op_dropout(r->tape, r->x, 0.1f);
}
static struct tensor *attention(struct op_run *r)
{
    return op_attention(r->tape, r->qkv, &r->segments, HEADS, false);
}
static struct tensor *causal_attention(struct op_run *r)
{
    return op_attention(r->tape, r->qkv, &r->segments, HEADS, true);
}
static struct tensor *linear(struct op_run *r)
{
    return op_linear(r->tape, r->x, r->matrix, NULL, ACTIVATION_NONE);
}
static struct tensor *pool_mean(struct op_run *r)
{
    return op_pool_mean(r->tape, r->x, &r->segments);
}
static struct tensor *l2_normalise(struct op_run *r)
{
    return op_l2_normalise(r->tape, r->x);
}
static struct tensor *contrastive(struct op_run *r)
{
    return op_contrastive(r->tape, r->pairs, r->pairs, r->scale, NULL);
}

/* Bytes or operations of the forward pass; a backward pass reads and writes `backward` times that again. */
static const struct op_shape {
    const char *name;
    struct tensor *(*forward)(struct op_run *run);
    double bytes, flops, backward;
    bool training_only;
} ops[] = {
    {"linear 1600 x 768 -> 3072", linear, 0, 2.0 * ROWS *WIDTH *MLP, 2, false},
    {"attention 32 x 50, 12 heads of 64", attention, 0, 4.0 * ROWS *TOKENS *WIDTH, 2.5, false},
    {"attention, causal", causal_attention, 0, 2.0 * ROWS *TOKENS *WIDTH, 2.5, false},
    {"layernorm 1600 x 768", layernorm, 2 * 4.0 * ROWS *WIDTH, 0, 1.5, false},
    {"gelu 1600 x 3072", gelu, 2 * 4.0 * ROWS *MLP, 0, 1.5, false},
    {"quick gelu 1600 x 3072", quick_gelu, 2 * 4.0 * ROWS *MLP, 0, 1.5, false},
    {"residual 1600 x 768", residual, 3 * 4.0 * ROWS *WIDTH, 0, 0, false},
    {"residual with layer scale", layer_scale, 3 * 4.0 * ROWS *WIDTH, 0, 1, false},
    {"dropout 1600 x 768", dropout, 2 * 4.0 * ROWS *WIDTH, 0, 1, true},
    {"mean pooling 32 x 50 x 768", pool_mean, 4.0 * ROWS *WIDTH, 0, 1, false},
    {"l2 normalise 1600 x 768", l2_normalise, 2 * 4.0 * ROWS *WIDTH, 0, 1.5, false},
    {"contrastive 256 x 768", contrastive, 0, 2.0 * BATCH *BATCH *WIDTH, 2, false},
};

static void step(void *context)
{
    struct op_run *run = context;
    run->segments = segments_uniform(run->tape, PICTURES, TOKENS);
    struct tensor *out = run->forward(run);
    if (run->backward) {
        struct tensor *gradient = tape_like(run->tape, out);
        buffer_zero(gradient->buffer, 0, tensor_bytes(gradient));
        tape_backward_from(run->tape, &out, &gradient, 1);
    }
    tape_reset(run->tape);
    struct tensor *const inputs[] = {run->x, run->y, run->wide, run->qkv, run->pairs};
    for (int i = 0; i < 5; i++) { /* gradients of inputs are made anew each run, as inside a model */
        tensor_free(inputs[i]->grad);
        inputs[i]->grad = NULL;
    }
}

static struct tensor *prepared(struct tensor *tensor, bool parameter)
{
    int rows = tensor->dim[0], width = tensor->dim[1];
    if (rows == 1) { /* a vector */
        tensor->ndim = 1;
        tensor->dim[0] = width;
    }
    tensor->needs_grad = true;
    if (parameter) {
        tensor->grad = tensor_zeros(tensor->dev, DTYPE_F32, tensor->ndim, tensor->dim);
    }
    return tensor;
}

static int run_one(struct bench *bench, struct op_run *run, const struct op_shape *c, bool backward, struct error *err)
{
    char name[96];
    run->tape = tape_new(bench->session.dev, backward);
    run->backward = backward;
    run->forward = c->forward;
    double times = backward ? 1 + c->backward : 1;
    double stored = c->forward == contrastive ? 1 : (double)dtype_bytes(run->x->dtype) / sizeof(float);
    snprintf(name, sizeof name, "%s%s", c->name, backward ? ", with backward" : "");
    int result = bench_time(bench, name, step, run,
                            &(struct bench_work){.bytes = c->bytes * times * stored, .flops = c->flops * times}, err);
    tape_free(run->tape);
    return result;
}

static int run_ops(struct bench *bench, const char *const *words, int count, struct error *err)
{
    struct device *dev = bench->session.dev;
    (void)words;
    (void)count;
    struct op_run run = {
        .x = prepared(bench_activations(dev, ROWS, WIDTH), false),
        .y = prepared(bench_activations(dev, ROWS, WIDTH), false),
        .wide = prepared(bench_activations(dev, ROWS, MLP), false),
        .qkv = prepared(bench_activations(dev, ROWS, 3 * WIDTH), false),
        .pairs = prepared(bench_tensor(dev, BATCH, WIDTH), false),
        .weight = prepared(bench_tensor(dev, 1, WIDTH), true),
        .bias = prepared(bench_tensor(dev, 1, WIDTH), true),
        .matrix = prepared(bench_tensor(dev, MLP, WIDTH), true),
        .scale = prepared(bench_tensor(dev, 1, 1), true),
    };
    int result = 0;
    for (size_t i = 0; i < sizeof ops / sizeof *ops && result == 0; i++)
        for (int backward = ops[i].training_only; backward < 2 && result == 0; backward++)
            result = run_one(bench, &run, &ops[i], backward, err);
    struct tensor *const all[] = {run.x,      run.y,    run.wide,   run.qkv,  run.pairs,
                                  run.weight, run.bias, run.matrix, run.scale};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        tensor_free(all[i]);
    return result;
}

const struct bench_case bench_op_cases[] = {
    {"ops", "", "every op at the shapes of ViT-B/32, forward and with its backward pass", run_ops},
    {0},
};
