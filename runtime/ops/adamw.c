#include "runtime/ops/adamw.h"

#include "runtime/launch.h"
#include "runtime/ops/grad_norm.h"

#include <math.h>

_Static_assert(ARENA_BLOCK == 256 && LAUNCH_CHUNK % ARENA_BLOCK == 0, "cl/adamw.cl says so too");

/* For each value of arena->block_rates (group * 2 + decay): what the kernel multiplies the update and the value with.
 * [16, 2]; caller frees. */
static struct tensor *new_rates(struct device *dev, const struct adamw *settings, double rest_of_beta1)
{
    float numbers[2 * ADAMW_GROUPS][2];
    for (int group = 0; group < ADAMW_GROUPS; group++) {
        double rate = (double)settings->rates[group];
        for (int decay = 0; decay < 2; decay++) {
            numbers[2 * group + decay][0] = (float)(rate / rest_of_beta1);
            numbers[2 * group + decay][1] = (float)(1 - decay * rate * (double)settings->weight_decay[group]);
        }
    }
    struct tensor *rates = tensor_new(dev, DTYPE_F32, 2, (int[]){2 * ADAMW_GROUPS, 2});
    tensor_upload(rates, numbers);
    return rates;
}

void adamw_step(struct arena *arena, const struct adamw *settings)
{
    CHECK(settings->step >= 1, "adamw: steps count from 1, not %d", settings->step);
    if (arena->trained_numbers == 0)
        return;
    struct device *dev = arena->dev;
    double beta1 = (double)settings->beta1, beta2 = (double)settings->beta2;
    struct tensor *norm = settings->max_norm > 0 ? grad_norm(arena, settings->max_norm) : NULL;
    struct tensor *rates = new_rates(dev, settings, 1 - pow(beta1, settings->step));
    LAUNCH(dev, "adamw.cl", "adamw_step", range_chunks(dev, arena->trained_numbers), ARG_MEMORY(arena->values),
           ARG_MEMORY(arena->grads), ARG_MEMORY(arena->moment1), ARG_MEMORY(arena->moment2),
           ARG_MEMORY(arena->block_rates), ARG_BUFFER(rates), ARG_BUFFER(norm), ARG_FLOAT(settings->beta1),
           ARG_FLOAT(settings->beta2), ARG_FLOAT((float)(1 - beta1)), ARG_FLOAT((float)(1 - beta2)),
           ARG_FLOAT((float)sqrt(1 - pow(beta2, settings->step))), ARG_FLOAT(settings->eps),
           ARG_INT((int)(arena->trained_numbers / ARENA_BLOCK)));
    tensor_free(rates);
    tensor_free(norm);
}
