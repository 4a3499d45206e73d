#include "trainer/schedule.h"

#include <math.h>

static double cosine(double done)
{
    const double pi = 3.14159265358979323846;
    return 0.5 * (1 + cos(pi * done));
}

static double linear(double done)
{
    return 1 - done;
}

static double constant(double done)
{
    (void)done;
    return 1;
}

const char *const scheduler_names[SCHEDULERS] = {[SCHEDULER_COSINE] = "cosine",
                                                 [SCHEDULER_LINEAR] = "linear",
                                                 [SCHEDULER_CONST] = "const",
                                                 [SCHEDULER_CONST_COOLDOWN] = "const-cooldown",
                                                 [SCHEDULER_PLATEAU] = "plateau"};

/* What is left of the rate when this part of its way down is done. */
static double (*const factors[SCHEDULERS])(double done) = {[SCHEDULER_COSINE] = cosine,
                                                           [SCHEDULER_LINEAR] = linear,
                                                           [SCHEDULER_CONST] = constant,
                                                           [SCHEDULER_CONST_COOLDOWN] = linear,
                                                           [SCHEDULER_PLATEAU] = constant};

double schedule_factor(const struct schedule *schedule, int step)
{
    if (step < schedule->warmup)
        return (step + 1.0) / schedule->warmup;
    long start = schedule->scheduler == SCHEDULER_CONST_COOLDOWN ? schedule->steps - schedule->cooldown : 0;
    start = start > schedule->warmup ? start : schedule->warmup;
    double done = step > start ? (double)(step - start) / fmax(1, (double)(schedule->steps - start)) : 0;
    return schedule->factor * factors[schedule->scheduler](done);
}

void schedule_epoch_done(struct schedule *schedule, double validation_loss)
{
    enum { PATIENCE = 1 };
    if (schedule->scheduler != SCHEDULER_PLATEAU)
        return;
    if (schedule->best_loss == 0 || validation_loss < schedule->best_loss * (1 - 1e-4)) {
        schedule->best_loss = validation_loss;
        schedule->bad_epochs = 0;
    } else if (++schedule->bad_epochs > PATIENCE) {
        schedule->factor *= 0.8;
        schedule->bad_epochs = 0;
    }
}
