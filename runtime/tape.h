/* Reverse mode: ops push what their backward pass needs, tape_backward() runs them in reverse.
 *
 *     struct tape *tape = tape_new(dev, true);                       // false: inference, nothing is recorded
 *     struct tensor *y = op_linear(tape, x, weight, bias, ACTIVATION_NONE);
 *     struct tensor *loss = op_contrastive(tape, ...);
 *     tape_backward(tape, loss);                                     // gradients arrive in weight->grad
 *     tape_reset(tape);                                              // every tensor of the step goes back to the pool
 *
 * The tape owns each tensor its ops make. Memory goes back early: a module opens a scope, and at its end everything
 * made inside is let go, but the result and what some backward pass saved:
 *
 *     int scope = tape_scope(tape);
 *     ... ops ...
 *     return tape_leave(tape, scope, y);
 *
 * How an op is written: see runtime/ops/activation.c, the shortest.
 */
#ifndef OCLIP_TAPE_H
#define OCLIP_TAPE_H

#include "runtime/bucket.h"

#include <stdint.h>

struct tape;
struct node;

/* One table an op, in the same file as its forward function. */
struct op {
    const char *name;
    void (*backward)(struct tape *tape, const struct node *node);
    /* Optional, for ops that cost little next to the memory of their output: makes node->out's values again from what
     * the node saved. The output is then let go at the end of its scope, whoever saved it, and made when needed. */
    void (*restore)(const struct node *node);
};

enum { NODE_INPUTS = 6, NODE_SAVED = 15 };

struct node {
    const struct op *op;
    struct tensor *in[NODE_INPUTS]; /* those that may get a gradient; NULL where absent */
    struct tensor *out;             /* its gradient is complete when backward runs */
    struct tensor *saved[NODE_SAVED];
    int integer[4];
    float real[4];
    const void *more; /* what else backward needs; must outlive the tape's step */
    void *owned;      /* the same, freed with the node */
};

struct tape *tape_new(struct device *dev, bool recording);
void tape_free(struct tape *tape);
void tape_reset(struct tape *tape);
struct device *tape_device(const struct tape *tape);

/* What ops store that make activations of pictures or token ids, by the device's precision (gemm.h); others follow
 * their input. */
enum dtype tape_dtype(const struct tape *tape);

/* A new tensor that the tape owns; contents undefined. */
struct tensor *tape_tensor(struct tape *tape, enum dtype dtype, int ndim, const int *dim);
#define TAPE_TENSOR(tape, dtype, ...)                                                                                  \
    tape_tensor(tape, dtype, (int)(sizeof((int[]){__VA_ARGS__}) / sizeof(int)), (int[]){__VA_ARGS__})
struct tensor *tape_like(struct tape *tape, const struct tensor *shape); /* same dtype and shape */
struct tensor *tape_upload(struct tape *tape, enum dtype dtype, int ndim, const int *dim, const void *numbers);

/* The same values under another shape of equally many numbers; gradients flow through. */
struct tensor *tape_reshape(struct tape *tape, struct tensor *x, int ndim, const int *dim);

int tape_scope(const struct tape *tape);
struct tensor *tape_leave(struct tape *tape, int scope, struct tensor *keep); /* returns keep */

/* Records a node if any of its inputs needs a gradient and the tape records; then out->needs_grad is set. */
void tape_push(struct tape *tape, struct node node);
bool tape_recording(const struct tape *tape);
bool tape_training(const struct tape *tape);  /* dropout is on */
bool tape_rerunning(const struct tape *tape); /* inside a checkpoint's second run: what runs gather stays as it is */

/* Gradient checkpointing (Chen et al. 2016): y = function(tape, context, x), of which nothing is kept but x; the
 * backward pass runs the function again, with the same random numbers. The context is copied. `also` is a tensor of
 * this tape that the function reads, or NULL. Only for functions with parameters that are trained, or an x that needs a
 * gradient, and only if no other function uses those parameters. */
typedef struct tensor *tape_function(struct tape *tape, const void *context, struct tensor *x);
struct tensor *tape_checkpoint(struct tape *tape, tape_function *function, const void *context, size_t context_bytes,
                               struct tensor *x, struct tensor *also);

/* The same for a part of a batch (gradient caching, Gao et al. 2021): y = function(tape, context, NULL), whose
 * parameters other parts use as well. What the context points to must outlive the tape's step. */
struct tensor *tape_part(struct tape *tape, tape_function *function, const void *context, size_t context_bytes);

/* Runs backward from `loss` (one number, gradient 1), or from several tensors whose gradients are given. */
void tape_backward(struct tape *tape, struct tensor *loss);
void tape_backward_from(struct tape *tape, struct tensor *const *outputs, struct tensor *const *gradients, int count);

/* From now on, backward passes call this for each bucket of parameters (bucket.h) that will get nothing more in them.
 * NULL: for none. */
void tape_when_complete(struct tape *tape, void (*complete)(void *context, struct bucket *bucket), void *context);

/* For backward functions: where to write the gradient of `x`; NULL when x needs none.
 * With `accumulate` the kernel adds to what is there when *accumulate is 1, and overwrites when it is 0.
 * Without (NULL) the kernel always overwrites, and the tape adds where that is needed. */
struct tensor *tape_grad(struct tape *tape, struct tensor *x, int *accumulate);

/* x's gradient becomes (or grows by) `grad` itself, without a copy where possible. */
void tape_grad_alias(struct tape *tape, struct tensor *x, struct tensor *grad);

/* Seeds for ops that draw random numbers: a new one each call, the same sequence after tape_seed(). */
void tape_seed(struct tape *tape, uint64_t seed);
uint64_t tape_next_seed(struct tape *tape);

#endif
