/* Leaves out a step whose loss or gradients are not finite: weights and moments stay as they are, bit for bit.
 *
 *     struct tensor *guard = step_guard_new(dev);
 *     settings.guard = guard;                                  // of struct adamw; adamw_backward() does the rest
 *     buffer_copy(kept->buffer, ..., guard->buffer, ...);      // what became of the step, for the host to look at
 * later tensor_free(guard);
 *
 * All of that happens on the device, so the host does not wait for it. The gradients' norm is tested where it is known
 * before the update: where they are clipped. Where parameters are updated while the backward pass still runs, the loss
 * is. With a loss scale (loss_scale.h) gradients that leave fp16's range are the scale's affair until it is at its
 * least.
 */
#ifndef OCLIP_STEP_GUARD_H
#define OCLIP_STEP_GUARD_H

#include "runtime/tensor.h"

/* What the tensor holds of a step. */
enum {
    STEP_GUARD_LOSS,
    STEP_GUARD_SOUND, /* 1, or 0: left out */
    STEP_GUARD_NUMBERS
};

struct tensor *step_guard_new(struct device *dev); // [STEP_GUARD_NUMBERS]

/* Before the backward pass.  loss [1] */
void step_guard_loss(struct tensor *guard, const struct tensor *loss);

/* Before the update.  norm [4] (grad_norm.h); scale [LOSS_SCALE_NUMBERS], already updated, or NULL */
void step_guard_norm(struct tensor *guard, const struct tensor *norm, const struct tensor *scale);

#endif
