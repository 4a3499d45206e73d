/* Learning rates over a run, against their formulas. */
#include "runtime/util/error.h"
#include "trainer/schedule.h"

#include <math.h>

/* Ten steps of warm-up, 110 in all, of which the last 20 cool down. */
static const struct {
    enum scheduler scheduler;
    int step;
    double factor;
} rows[] = {
    {SCHEDULER_COSINE, 0, 0.1},
    {SCHEDULER_COSINE, 9, 1},
    {SCHEDULER_COSINE, 10, 1},
    {SCHEDULER_COSINE, 35, 0.85355339059327378},
    {SCHEDULER_COSINE, 60, 0.5},
    {SCHEDULER_COSINE, 110, 0},
    {SCHEDULER_LINEAR, 4, 0.5},
    {SCHEDULER_LINEAR, 10, 1},
    {SCHEDULER_LINEAR, 35, 0.75},
    {SCHEDULER_LINEAR, 109, 0.01},
    {SCHEDULER_CONST, 4, 0.5},
    {SCHEDULER_CONST, 109, 1},
    {SCHEDULER_CONST_COOLDOWN, 4, 0.5},
    {SCHEDULER_CONST_COOLDOWN, 90, 1},
    {SCHEDULER_CONST_COOLDOWN, 95, 0.75},
    {SCHEDULER_CONST_COOLDOWN, 109, 0.05},
    {SCHEDULER_PLATEAU, 4, 0.5},
    {SCHEDULER_PLATEAU, 60, 1},
};

/* As ReduceLROnPlateau(factor=0.8, patience=1): the second epoch in a row that is no better lowers the rate. */
static void check_plateau(void)
{
    static const double losses[] = {2, 1, 1.1, 0.99995, 0.5, 0.6, 0.6, 0.6, 0.6};
    static const double factors[] = {1, 1, 1, 0.8, 0.8, 0.8, 0.64, 0.64, 0.512};
    struct schedule schedule = {.scheduler = SCHEDULER_PLATEAU, .steps = 100, .factor = 1};
    for (size_t i = 0; i < sizeof losses / sizeof *losses; i++) {
        schedule_epoch_done(&schedule, losses[i]);
        double got = schedule_factor(&schedule, 50);
        CHECK(fabs(got - factors[i]) < 1e-12, "plateau, epoch %zu: %g, not %g", i, got, factors[i]);
    }
}

int main(void)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct schedule schedule = {
            .scheduler = rows[i].scheduler, .warmup = 10, .steps = 110, .cooldown = 20, .factor = 1};
        double got = schedule_factor(&schedule, rows[i].step);
        CHECK(fabs(got - rows[i].factor) < 1e-12, "%s, step %d: %g, not %g", scheduler_names[rows[i].scheduler],
              rows[i].step, got, rows[i].factor);
    }
    check_plateau();
    return EXIT_OK;
}
