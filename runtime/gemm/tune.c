#include "runtime/gemm/tune.h"

#include "runtime/opencl.h"
#include "runtime/util/progress.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const struct gemm_backend *const gemm_backends[] = {&gemm_matrix,  &gemm_int16, &gemm_tile,
                                                    &gemm_clblast, &gemm_plain, NULL};

/* Quick is the default: a first run should not feel slower than a second one. A model has ten to twenty classes of
 * products that take any time, so it costs some seconds in the first step, and none later. */
const struct tune_mode tune_modes[TUNE_MODES] = {
    [TUNE_OFF] = {"off", 0, 0, 1, false},
    [TUNE_QUICK] = {"quick", 1, 30, 3, false},
    [TUNE_FULL] = {"full", 30, 1200, 5, true},
};

static const double by_chance = 0.97; /* what is faster by less is not */

/* A trial takes 20 ms at 200 GFLOP/s, and as much on a GPU of 2 TFLOP/s. */
static double most_flops(const struct device *dev)
{
    return dev->info.device_class == DEVICE_CPU ? 4e9 : 4e10;
}

/* ---- plans ---- */

struct plan_text tune_plan_text(const struct gemm_plan *plan)
{
    struct plan_text text;
    int used = snprintf(text.text, sizeof text.text, "%s", plan->backend->name);
    tuning_write_settings(text.text + used, sizeof text.text - (size_t)used, plan->settings, plan->backend->parameters);
    return text;
}

static bool is_allowed(const struct device *dev, const struct gemm_plan *plan)
{
    return !plan->backend->allows || plan->backend->allows(dev, plan->settings);
}

int tune_read_plan(struct gemm_plan *plan, const struct device *dev, const char *text)
{
    size_t length = strcspn(text, " ");
    int b = 0;
    while (gemm_backends[b] &&
           (strlen(gemm_backends[b]->name) != length || strncmp(gemm_backends[b]->name, text, length) != 0))
        b++;
    *plan = (struct gemm_plan){.backend = gemm_backends[b]};
    if (!plan->backend || tuning_read_settings(plan->settings, text + length, plan->backend->parameters) != 0)
        return -1;
    return is_allowed(dev, plan) ? 0 : -1;
}

bool tune_is_right(struct device *dev, const struct gemm_plan *plan, const struct gemm *call)
{
    struct plan_text text = tune_plan_text(plan);
    char name[192];
    snprintf(name, sizeof name, "product %s %s by %s", gemm_precisions[precision_of(call)],
             layout_names[layout_of(call)], text.text);
    return selftest_passes(dev, name, trial_error, &(struct trial_case){*plan, layout_of(call), call->a->dtype},
                           plan->backend->allowed_error);
}

/* ---- the search ---- */

struct search {
    struct device *dev;
    const struct tune_mode *mode;
    struct trial trial;
    struct gemm_plan best;
    double seconds, deadline; /* of the best; when to stop */
};

/* The same check without a word or a trace: a setting that a driver gets wrong is just not used. */
static bool is_right_now(struct device *dev, const struct gemm_plan *plan, const struct gemm *call)
{
    struct error err;
    double off = trial_error(dev, &(struct trial_case){*plan, layout_of(call), call->a->dtype});
    if (device_finish(dev, &err) == 0)
        return off <= plan->backend->allowed_error;
    device_forgive(dev);
    return false;
}

static void try_plan(struct search *search, const struct gemm_plan *plan)
{
    if (clock_seconds() > search->deadline || !is_allowed(search->dev, plan) ||
        !is_right_now(search->dev, plan, &search->trial.call))
        return;
    double seconds = trial_seconds(search->dev, &search->trial, plan, search->mode->samples, 1.2 * search->seconds);
    if (seconds < by_chance * search->seconds) {
        search->best = *plan;
        search->seconds = seconds;
    }
}

/* Once through the settings of the best plan; whether one of them became better. */
static bool try_settings(struct search *search)
{
    double before = search->seconds;
    const struct tuning_parameter *parameters = search->best.backend->parameters;
    for (int p = 0; parameters && parameters[p].name; p++) {
        if (!parameters[p].quick && !search->mode->thorough)
            continue;
        struct gemm_plan plan = search->best;
        int has = plan.settings[p];
        for (int v = 0; v < TUNING_VALUES && (v == 0 || parameters[p].values[v]); v++) {
            plan.settings[p] = parameters[p].values[v];
            if (plan.settings[p] != has)
                try_plan(search, &plan);
        }
    }
    return search->seconds < before;
}

/* The first of a backend's plans to be tried decides whether its others are: there are many, and some take long. */
static void try_backend(struct search *search, const struct gemm_backend *backend)
{
    struct gemm_plan plan = {.backend = backend};
    if (backend != search->best.backend && backend != &gemm_plain &&
        backend->supports(search->dev, &search->trial.call) && tune_is_right(search->dev, &plan, &search->trial.call))
        try_plan(search, &plan);
}

/* The machine may have been busy with other things when the best was timed, or when the first was: once more, by turns.
 */
static void confirm(struct search *search, const struct gemm_plan *first)
{
    double fewest = INFINITY, before = INFINITY;
    if (first->backend == search->best.backend &&
        memcmp(first->settings, search->best.settings, sizeof first->settings) == 0)
        return;
    for (int turn = 0; turn < 3; turn++) {
        before = fmin(before, trial_seconds(search->dev, &search->trial, first, 1, INFINITY));
        fewest = fmin(fewest, trial_seconds(search->dev, &search->trial, &search->best, 1, INFINITY));
    }
    if (fewest >= by_chance * before) {
        search->best = *first;
        search->seconds = before;
    }
}

void tune_search(struct gemm_plan *plan, struct device *dev, const struct gemm *call, const struct tune_mode *mode,
                 bool all_backends)
{
    struct error err;
    double start = clock_seconds();
    struct search search = {.dev = dev, .mode = mode, .seconds = INFINITY, .best = *plan};
    if (device_finish(dev, &err) != 0)
        return;
    search.trial = trial_new(dev, call, most_flops(dev));
    if (device_failed(dev)) { /* no memory to spare: that is no failure of the step's */
        device_forgive(dev);
        trial_free(&search.trial);
        return;
    }
    search.seconds = trial_seconds(dev, &search.trial, plan, mode->samples, INFINITY);
    search.deadline = start + mode->class_seconds;
    for (int b = 0; all_backends && gemm_backends[b]; b++)
        try_backend(&search, gemm_backends[b]);
    while (try_settings(&search) && mode->thorough)
        continue;
    confirm(&search, plan);
    trial_free(&search.trial);
    *plan = search.best;
    plan->gflops = isinf(search.seconds) ? 0 : 1e-9 * search.trial.flops / search.seconds;
}
