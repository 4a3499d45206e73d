/* Steps whose loss or gradients are not finite: the device leaves them out, here they are counted. */
#include "runtime/ops/step_guard.h"
#include "trainer/trainer.h"

#include <math.h>

enum { MOST_IN_A_ROW = 10 };
static const char remedy[] = "lower --lr, clip gradients by --grad-clip-norm 1, or give a longer --warmup";

double soundness_count(int *sound, struct trainer *t, const float *steps, int count)
{
    double sum = 0;
    *sound = 0;
    for (int i = 0; i < count; i++) {
        const float *step = steps + (size_t)i * STEP_GUARD_NUMBERS;
        bool taken = step[STEP_GUARD_SOUND] != 0;
        sum += taken ? (double)step[STEP_GUARD_LOSS] : 0;
        *sound += taken;
        t->unsound_in_a_row = taken ? 0 : t->unsound_in_a_row + 1;
    }
    t->unsound += count - *sound;
    if (*sound < count)
        report_note(t, "%d of the steps up to %d skipped: their loss or its gradients were not finite", count - *sound,
                    t->position.step);
    return sum;
}

bool soundness_lost(const struct trainer *t)
{
    return t->unsound_in_a_row >= MOST_IN_A_ROW;
}

int soundness_check(const struct trainer *t, struct error *err)
{
    if (!soundness_lost(t))
        return 0;
    return error_set(err, EXIT_FAILED,
                     "the loss or its gradients were not finite in each of the last %d steps up to %d; %s",
                     t->unsound_in_a_row, t->position.step, remedy);
}

/* Where parameters are updated while the backward pass runs, gradients that are not finite are met too late. */
int soundness_of_weights(const float *values, size_t count, struct error *err)
{
    for (size_t i = 0; i < count; i++)
        if (!isfinite(values[i]))
            return error_set(err, EXIT_FAILED, "the weights are not finite any more, and are not saved; %s", remedy);
    return 0;
}
