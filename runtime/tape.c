#include "runtime/tape.h"

#include "runtime/bucket.h"
#include "runtime/launch.h"
#include "runtime/util/random.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* A gradient that could not be written in place and is added after the node that made it. */
struct pending {
    struct tensor *to, *from;
};

struct tape {
    struct device *dev;
    bool training, recording; /* the first without the second inside a checkpoint's forward pass */
    bool rerunning;           /* a backward pass runs a checkpoint's function again */
    struct tensor **tensors;  // [tensor_count], in order of birth
    int tensor_count, tensor_capacity;
    struct node *nodes; // [node_count], in order of execution
    int node_count, node_capacity;
    struct pending pending[NODE_INPUTS];
    int pending_count;
    void (*complete)(void *context, struct bucket *bucket);
    void *complete_context;
    struct random random;
};

struct tape *tape_new(struct device *dev, bool recording)
{
    struct tape *tape = mem_new(1, sizeof *tape);
    *tape = (struct tape){.dev = dev, .training = recording, .recording = recording};
    return tape;
}

/* The nodes left are not coming back for what they use. */
static void forget_nodes(struct tape *tape)
{
    for (int n = 0; n < tape->node_count; n++) {
        const struct node *node = &tape->nodes[n];
        for (int i = 0; i < NODE_INPUTS; i++)
            if (node->in[i] && node->in[i]->bucket)
                node->in[i]->uses--;
        free(node->owned);
    }
    tape->node_count = 0;
}

void tape_reset(struct tape *tape)
{
    forget_nodes(tape);
    for (int i = 0; i < tape->tensor_count; i++)
        tensor_free(tape->tensors[i]);
    tape->tensor_count = 0;
}

void tape_free(struct tape *tape)
{
    if (!tape)
        return;
    tape_reset(tape);
    free(tape->tensors);
    free(tape->nodes);
    free(tape);
}

struct device *tape_device(const struct tape *tape)
{
    return tape->dev;
}

enum dtype tape_dtype(const struct tape *tape)
{
    return dtype_of_precision(device_precision(tape->dev));
}

bool tape_training(const struct tape *tape)
{
    return tape->training;
}

bool tape_rerunning(const struct tape *tape)
{
    return tape->rerunning;
}

bool tape_recording(const struct tape *tape)
{
    return tape->recording;
}

static struct tensor *own(struct tape *tape, struct tensor *tensor)
{
    if (tape->tensor_count == tape->tensor_capacity) {
        tape->tensor_capacity = tape->tensor_capacity ? 2 * tape->tensor_capacity : 256;
        tape->tensors = mem_grow(tape->tensors, (size_t)tape->tensor_capacity, sizeof(struct tensor *));
    }
    tensor->on_tape = true;
    return tape->tensors[tape->tensor_count++] = tensor;
}

struct tensor *tape_tensor(struct tape *tape, enum dtype dtype, int ndim, const int *dim)
{
    return own(tape, tensor_new(tape->dev, dtype, ndim, dim));
}

struct tensor *tape_like(struct tape *tape, const struct tensor *shape)
{
    return tape_tensor(tape, shape->dtype, shape->ndim, shape->dim);
}

struct tensor *tape_upload(struct tape *tape, enum dtype dtype, int ndim, const int *dim, const void *numbers)
{
    return own(tape, tensor_sent(tape->dev, dtype, ndim, dim, numbers));
}

/* Another name for the same memory. */
static struct tensor *alias(const struct tensor *of, int ndim, const int *dim)
{
    struct tensor *tensor = mem_new(1, sizeof *tensor);
    *tensor = (struct tensor){.dev = of->dev, .dtype = of->dtype, .ndim = ndim, .buffer = buffer_share(of->buffer)};
    memcpy(tensor->dim, dim, (size_t)ndim * sizeof *dim);
    return tensor;
}

static void reshape_backward(struct tape *tape, const struct node *node)
{
    tape_grad_alias(tape, node->in[0], node->out->grad);
}
static const struct op reshape_op = {.name = "reshape", .backward = reshape_backward};

struct tensor *tape_reshape(struct tape *tape, struct tensor *x, int ndim, const int *dim)
{
    struct tensor *y = own(tape, alias(x, ndim, dim));
    CHECK(tensor_count(y) == tensor_count(x), "reshape of %s to %s", tensor_shape(x).text, tensor_shape(y).text);
    tape_push(tape, (struct node){.op = &reshape_op, .in = {x}, .out = y});
    return y;
}

int tape_scope(const struct tape *tape)
{
    return tape->tensor_count;
}

static void drop_values(struct tensor *tensor)
{
    buffer_drop(tensor->buffer);
    tensor->buffer = NULL;
}

/* Values that a later backward pass needs must stay, unless they can be made again then. */
static bool must_stay(const struct tape *tape, const struct tensor *tensor)
{
    return tensor->saves > 0 && !(tensor->maker && tape->nodes[tensor->maker - 1].op->restore);
}

/* What was let go at the end of a scope comes back before a backward function looks at it. */
static void restore_saved(const struct tape *tape, const struct node *node)
{
    for (int i = 0; i < NODE_SAVED; i++) {
        struct tensor *saved = node->saved[i];
        if (!saved || saved->buffer)
            continue;
        CHECK(saved->maker, "%s saved values that are gone", node->op->name);
        const struct node *maker = &tape->nodes[saved->maker - 1];
        restore_saved(tape, maker); /* what it is made from may be gone too */
        saved->buffer = buffer_new(tape->dev, tensor_bytes(saved));
        maker->op->restore(maker);
    }
}

struct tensor *tape_leave(struct tape *tape, int scope, struct tensor *keep)
{
    for (int i = scope; i < tape->tensor_count; i++)
        if (tape->tensors[i] != keep && !must_stay(tape, tape->tensors[i]))
            drop_values(tape->tensors[i]);
    return keep;
}

static void record(struct tape *tape, struct node node)
{
    if (tape->node_count == tape->node_capacity) {
        tape->node_capacity = tape->node_capacity ? 2 * tape->node_capacity : 256;
        tape->nodes = mem_grow(tape->nodes, (size_t)tape->node_capacity, sizeof *tape->nodes);
    }
    for (int i = 0; i < NODE_INPUTS; i++)
        if (node.in[i] && node.in[i]->bucket)
            node.in[i]->uses++;
    for (int i = 0; i < NODE_SAVED; i++)
        if (node.saved[i])
            node.saved[i]->saves++;
    tape->nodes[tape->node_count++] = node;
    node.out->needs_grad = true;
    node.out->maker = tape->node_count;
}

void tape_push(struct tape *tape, struct node node)
{
    bool needed = false;
    for (int i = 0; i < NODE_INPUTS; i++)
        needed = needed || (node.in[i] && node.in[i]->needs_grad);
    if (tape->recording && needed)
        record(tape, node);
}

/* Before a gradient is added to: what it may share its memory with must not change. */
static void unshare(struct tensor *grad)
{
    if (grad->buffer->references == 1)
        return;
    struct buffer *copy = buffer_new(grad->dev, tensor_bytes(grad));
    buffer_copy(copy, 0, grad->buffer, 0, tensor_bytes(grad));
    buffer_drop(grad->buffer);
    grad->buffer = copy;
}

static void add_pending(struct tape *tape)
{
    for (int i = 0; i < tape->pending_count; i++) {
        struct pending *pending = &tape->pending[i];
        size_t count = tensor_count(pending->to);
        unshare(pending->to);
        LAUNCH_AS(pending->to, "residual.cl", "accumulate", range_chunks(tape->dev, count), ARG_BUFFER(pending->to),
                  ARG_BUFFER(pending->from), ARG_INT((int)count));
        tensor_free(pending->from);
    }
    tape->pending_count = 0;
}

static bool is_root(const struct tensor *tensor, struct tensor *const *roots, int count)
{
    for (int i = 0; i < count; i++)
        if (roots[i] == tensor)
            return true;
    return false;
}

/* A parameter whose last use has flown back may complete its bucket. */
static void count_use(struct tape *tape, struct tensor *param)
{
    struct bucket *bucket = param ? param->bucket : NULL;
    if (!bucket || --param->uses > 0 || !tape->complete)
        return;
    bucket->complete++;
    if (bucket_complete(bucket))
        tape->complete(tape->complete_context, bucket);
}

/* What only this node still held: its gradient, its output, and what it had saved. */
static void release_node(struct node *node, struct tensor *const *roots, int count)
{
    tensor_free(node->out->grad);
    node->out->grad = NULL;
    if (!is_root(node->out, roots, count))
        drop_values(node->out);
    for (int i = 0; i < NODE_SAVED; i++)
        if (node->saved[i] && --node->saved[i]->saves == 0 && node->saved[i]->on_tape)
            drop_values(node->saved[i]);
    free(node->owned);
}

void tape_backward_from(struct tape *tape, struct tensor *const *outputs, struct tensor *const *gradients, int count)
{
    CHECK(tape->recording, "backward on a tape that records nothing");
    for (int i = 0; i < count; i++)
        if (outputs[i]->needs_grad)
            tape_grad_alias(tape, outputs[i], gradients[i]);
    add_pending(tape);
    while (tape->node_count > 0) {
        struct node *node = &tape->nodes[--tape->node_count];
        if (node->out->grad) { /* else nothing downstream reached the loss */
            restore_saved(tape, node);
            node->op->backward(tape, node);
        }
        add_pending(tape);
        release_node(node, outputs, count);
        for (int i = 0; i < NODE_INPUTS; i++)
            count_use(tape, node->in[i]);
    }
}

void tape_when_complete(struct tape *tape, void (*complete)(void *context, struct bucket *bucket), void *context)
{
    tape->complete = complete;
    tape->complete_context = context;
}

void tape_backward(struct tape *tape, struct tensor *loss)
{
    CHECK(tensor_count(loss) == 1 && loss->needs_grad, "backward from %s, which is no loss", tensor_shape(loss).text);
    struct tensor *one = tape_like(tape, loss);
    tensor_upload(one, &(float){1.0f});
    tape_backward_from(tape, &loss, &one, 1);
}

struct tensor *tape_grad(struct tape *tape, struct tensor *x, int *accumulate)
{
    if (!x || !x->needs_grad)
        return NULL;
    if (!x->grad) {
        x->grad = x->bucket ? bucket_grad(x) : tensor_new(tape->dev, x->dtype, x->ndim, x->dim);
        if (accumulate)
            *accumulate = 0;
        return x->grad;
    }
    if (!accumulate) {
        CHECK(tape->pending_count < NODE_INPUTS, "more pending gradients than inputs");
        struct tensor *temporary = tensor_new(tape->dev, x->dtype, x->ndim, x->dim);
        tape->pending[tape->pending_count++] = (struct pending){.to = x->grad, .from = temporary};
        return temporary;
    }
    unshare(x->grad);
    *accumulate = 1;
    return x->grad;
}

void tape_grad_alias(struct tape *tape, struct tensor *x, struct tensor *grad)
{
    if (!x || !x->needs_grad)
        return;
    CHECK(tensor_count(x) == tensor_count(grad) && x->dtype == grad->dtype, "a gradient %s for %s",
          tensor_shape(grad).text, tensor_shape(x).text);
    if (!x->grad && !x->bucket) {
        x->grad = alias(grad, x->ndim, x->dim);
        return;
    }
    int accumulate;
    struct tensor *to = tape_grad(tape, x, &accumulate);
    size_t count = tensor_count(to);
    if (!accumulate)
        buffer_copy(to->buffer, 0, grad->buffer, 0, tensor_bytes(to));
    else
        LAUNCH_AS(to, "residual.cl", "accumulate", range_chunks(tape->dev, count), ARG_BUFFER(to), ARG_BUFFER(grad),
                  ARG_INT((int)count));
}

/* ---- checkpoints ---- */

/* What makes a checkpoint's output again; `random` is the state it started from. */
struct rerun {
    tape_function *function;
    struct random random;
    bool alone; /* nothing else uses its parameters */
    max_align_t context[];
};

static void checkpoint_backward(struct tape *tape, const struct node *node)
{
    const struct rerun *rerun = node->owned;
    struct tensor *x = node->in[0], *start = NULL;
    struct tape *again = tape_new(tape->dev, true);
    again->random = rerun->random;
    again->rerunning = true;
    if (rerun->alone)
        tape_when_complete(again, tape->complete, tape->complete_context);
    if (x) {
        start = own(again, alias(x, x->ndim, x->dim));
        start->needs_grad = x->needs_grad;
    }
    struct tensor *y = rerun->function(again, rerun->context, start);
    tape_backward_from(again, &y, &node->out->grad, 1);
    if (start && start->grad)
        tape_grad_alias(tape, x, start->grad);
    tape_free(again);
}
static const struct op checkpoint_op = {.name = "checkpoint", .backward = checkpoint_backward};

static struct tensor *run_later_again(struct tape *tape, tape_function *function, const void *context,
                                      size_t context_bytes, bool alone, struct tensor *x, struct tensor *also)
{
    if (!tape->recording)
        return function(tape, context, x);
    struct rerun *rerun = mem_new(1, sizeof *rerun + context_bytes);
    rerun->function = function;
    rerun->random = tape->random;
    rerun->alone = alone;
    memcpy(rerun->context, context, context_bytes);
    tape->recording = false;
    struct tensor *y = function(tape, context, x);
    tape->recording = true;
    record(tape, (struct node){.op = &checkpoint_op, .in = {x}, .out = y, .saved = {x, also}, .owned = rerun});
    return y;
}

struct tensor *tape_checkpoint(struct tape *tape, tape_function *function, const void *context, size_t context_bytes,
                               struct tensor *x, struct tensor *also)
{
    return run_later_again(tape, function, context, context_bytes, true, x, also);
}

struct tensor *tape_part(struct tape *tape, tape_function *function, const void *context, size_t context_bytes)
{
    return run_later_again(tape, function, context, context_bytes, false, NULL, NULL);
}

/* ---- random numbers ---- */

void tape_seed(struct tape *tape, uint64_t seed)
{
    tape->random = random_begin(seed);
}

uint64_t tape_next_seed(struct tape *tape)
{
    return random_bits(&tape->random);
}
