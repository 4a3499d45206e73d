/* Learning rates over a run.
 *
 *     struct schedule schedule = {.scheduler = SCHEDULER_COSINE, .warmup = 100, .steps = 5000, .factor = 1};
 *     double rate = base * schedule_factor(&schedule, step);
 *     schedule_epoch_done(&schedule, validation_loss);         // plateau only
 */
#ifndef OCLIP_SCHEDULE_H
#define OCLIP_SCHEDULE_H

#include "trainer/settings.h"

struct schedule {
    enum scheduler scheduler;
    int warmup, steps; /* of the whole run */
    long cooldown;     /* const-cooldown: the last steps, in which it falls to 0 */
    double factor;     /* plateau: what is left of the rate */
    double best_loss;  /* plateau: lowest so far; 0 before the first epoch */
    int bad_epochs;    /* plateau: since then */
};

extern const char *const scheduler_names[SCHEDULERS];

/* step counts from 0. Linear warm-up, then a half cosine to 0 (Loshchilov, Hutter 2017), a line to 0, a constant, one
 * that falls to 0 in a line at the end, or
 * torch.optim.lr_scheduler.ReduceLROnPlateau(factor=0.8, patience=1, threshold=1e-4). */
double schedule_factor(const struct schedule *schedule, int step);
void schedule_epoch_done(struct schedule *schedule, double validation_loss);

#endif
