/* AdamW (Loshchilov, Hutter 2019) over every trained parameter of an arena. The host does not wait.
 *
 *     struct adamw settings = {.beta1 = 0.9f, .beta2 = 0.98f, .eps = 1e-6f, .max_norm = 1};
 *     settings.rates[GROUP_IMAGE] = 1e-5f;
 *     settings.weight_decay[GROUP_IMAGE] = 0.2f;
 *     for (settings.step = 1; ; settings.step++) {
 *         ... forward ...
 *         adamw_backward(tape, loss, arena, &settings);
 *     }
 *
 * With torch.optim.AdamW's formula: p *= 1 - rate * decay; p -= rate * m_hat / (sqrt(v_hat) + eps), where decay is 0
 * for parameters that the arena exempts (arena->decay_vectors). The arena keeps both moments, and the exponential
 * moving average of the parameters in the same pass if there is one. A parameter without a gradient counts as one whose
 * gradient is zero.
 */
#ifndef OCLIP_ADAMW_H
#define OCLIP_ADAMW_H

#include "runtime/arena.h"
#include "runtime/tape.h"

struct adamw {
    float beta1, beta2, eps;
    float rates[ARENA_GROUPS];        /* learning rate of each group of the arena */
    float layer_decay[ARENA_GROUPS];  /* a layer has this times the next one's rate, the last its group's; 0: all do */
    float weight_decay[ARENA_GROUPS]; /* of those of its parameters that decay */
    float average_decay;              /* what the arena's average, where it has one, keeps of itself in a step */
    float max_norm;                   /* the gradients' norm is clipped to it (grad_norm.h); 0: it is not */
    int step;                         /* counted from 1; with a loss scale nothing depends on it */
    struct tensor *guard;             /* step_guard.h: leaves out steps that are not sound; NULL: none */
    struct grad_sum *sum;             /* grad_sum.h: what is used are the gradients of all ranks; NULL: of this one */
    struct tensor *loss_scale;        /* loss_scale.h: the gradients are of a scaled loss; NULL: of the loss */
};

/* Uses the gradients and lets them go. Does nothing where nothing is trained. */
void adamw_step(struct arena *arena, const struct adamw *settings);

/* tape_backward() and adamw_step() in one. As soon as their bucket is complete gradients are on their way to other
 * ranks; or where they are neither shared nor clipped nor scaled, parameters are updated, so that no more than a few
 * gradients exist at a time. */
void adamw_backward(struct tape *tape, struct tensor *loss, struct arena *arena, const struct adamw *settings);

#endif
