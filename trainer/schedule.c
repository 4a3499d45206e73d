#include "trainer/schedule.h"

#include <math.h>

double schedule_factor(const struct schedule *schedule, int step)
{
    if (step < schedule->warmup)
        return (step + 1.0) / schedule->warmup;
    if (schedule->scheduler != SCHEDULER_COSINE)
        return schedule->factor;
    const double pi = 3.14159265358979323846;
    return 0.5 * (1 + cos(pi * (step - schedule->warmup) / fmax(1, schedule->steps - schedule->warmup)));
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
