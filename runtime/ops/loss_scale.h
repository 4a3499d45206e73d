/* Keeps gradients that are stored in half precision from vanishing (Micikevicius et al. 2018): the gradient of the loss
 * starts as a factor instead of 1, and the optimizer takes it out again. A step in which some gradient is not finite is
 * skipped and halves the factor; LOSS_SCALE_PATIENCE good ones in a row double it.
 *
 *     struct tensor *scale = loss_scale_new(dev);
 *     settings.loss_scale = scale;                            // of struct adamw; adamw_backward() does the rest
 *     loss_scale_download(numbers, scale);                    // waits
 *     tensor_free(scale);
 *
 * All of that happens on the device, so the host does not wait for it. Steps that are skipped do not count for AdamW.
 */
#ifndef OCLIP_LOSS_SCALE_H
#define OCLIP_LOSS_SCALE_H

#include "runtime/tape.h"

/* What the tensor holds. */
enum {
    LOSS_SCALE_FACTOR,
    LOSS_SCALE_GOOD,    /* steps since it last changed */
    LOSS_SCALE_SKIPPED, /* steps ever */
    LOSS_SCALE_POWER1,  /* AdamW's beta1 to the power of the steps taken, */
    LOSS_SCALE_POWER2,  /* and beta2 */
    LOSS_SCALE_NUMBERS
};
enum { LOSS_SCALE_START = 65536, LOSS_SCALE_PATIENCE = 2000 }; /* as in torch.amp.GradScaler */

struct tensor *loss_scale_new(struct device *dev); // [LOSS_SCALE_NUMBERS]
void loss_scale_download(float *numbers /* [LOSS_SCALE_NUMBERS] */, const struct tensor *scale);

/* For a run that took so many steps without one. */
void loss_scale_steps(struct tensor *scale, int steps, float beta1, float beta2);

/* tape_backward() from the scaled loss. */
void loss_scale_backward(struct tape *tape, struct tensor *loss, const struct tensor *scale);

/* Turns the norm [4] of scaled gradients (grad_norm.h) into what cl/adamw.cl wants, and moves the scale. */
void loss_scale_update(struct tensor *norm, struct tensor *scale, float max_norm, float beta1, float beta2);

#endif
