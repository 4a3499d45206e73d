#include "runtime/gemm/choice.h"

#include "runtime/opencl.h"
#include "runtime/paths.h"
#include "runtime/util/progress.h"

#include <clblast_c.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

/* Products are alike when they have the same layout and their sizes lie between the same bounds. */
static const struct {
    const char *name;
    int up_to;
} sizes[] = {{"16", 16}, {"64", 64}, {"256", 256}, {"1024", 1024}, {"4096", 4096}, {"more", INT_MAX}};
enum { SIZES = sizeof sizes / sizeof *sizes, SHAPES = LAYOUTS * SIZES * SIZES * SIZES, CLASSES = PRECISIONS * SHAPES };

/* Below, a launch costs more than the product. */
static const double worth_measuring = 8e6; /* operations */

struct gemm_choices {
    struct gemm_plan plans[CLASSES]; /* backend NULL: not chosen yet */
};

static int size_of(int count)
{
    int size = 0;
    while (count > sizes[size].up_to)
        size++;
    return size;
}

static int class_of(const struct gemm *call)
{
    int shape = ((layout_of(call) * SIZES + size_of(call->m)) * SIZES + size_of(call->n)) * SIZES + size_of(call->k);
    return (int)precision_of(call) * SHAPES + shape;
}

/* "gemm fp32 NT 4096 1024 1024" */
struct class_name {
    char text[64];
};
static struct class_name name_of(int class)
{
    struct class_name name;
    snprintf(name.text, sizeof name.text, "gemm %s %s %s %s %s", gemm_precisions[class / SHAPES],
             layout_names[class / (SIZES * SIZES * SIZES) % LAYOUTS], sizes[class / (SIZES * SIZES) % SIZES].name,
             sizes[class / SIZES % SIZES].name, sizes[class % SIZES].name);
    return name;
}

/* What the file or the shipped lines say, as far as it can be used here; *found is the line, or NULL. */
static struct gemm_plan remembered_plan(const struct tuning_line **found, struct device *dev, const struct gemm *call)
{
    struct class_name work = name_of(class_of(call));
    struct gemm_plan plan;
    for (*found = NULL; (*found = tuning_next(dev->tuning, &dev->info, work.text, *found));) {
        if (tune_read_plan(&plan, dev, (*found)->choice) != 0) {
            tuning_ignore(*found, "names no backend and settings that this device can have");
            continue;
        }
        if (plan.backend->supports(dev, call) && tune_is_right(dev, &plan, call)) {
            plan.gflops = (*found)->gflops;
            return plan;
        }
    }
    return (struct gemm_plan){0};
}

static struct gemm_plan first_right_plan(struct device *dev, const struct gemm *call)
{
    for (int b = 0; gemm_backends[b]; b++) {
        struct gemm_plan plan = {.backend = gemm_backends[b]};
        if (plan.backend->supports(dev, call) && tune_is_right(dev, &plan, call))
            return plan;
    }
    return (struct gemm_plan){0};
}

/* With a way left out (paths.h) what is fastest says nothing about the device. */
static bool takes_all_paths(const struct device *dev)
{
    unsigned products = PATH_BIT(PATH_TILE) | PATH_BIT(PATH_MATRIX) | PATH_BIT(PATH_PACKED_WEIGHTS);
    return (paths_default(&dev->info) & ~dev->paths & products) == 0;
}

/* Quick: what nobody has measured here, among all backends if nobody has chosen one. Full: everything. */
static struct gemm_plan choose(struct device *dev, const struct gemm *call)
{
    const struct tuning_line *line;
    const struct tune_mode *mode = dev->tune_mode;
    struct gemm_plan plan = remembered_plan(&line, dev, call);
    if (!line)
        plan = first_right_plan(dev, call);
    bool measured = line && tuning_is_measured(dev->tuning, line);
    if (!plan.backend || (measured && !mode->thorough) || 2.0 * call->m * call->n * call->k < worth_measuring ||
        dev->tuned_seconds >= mode->total_seconds || !takes_all_paths(dev))
        return plan;
    double start = clock_seconds();
    tune_search(&plan, dev, call, mode, mode->thorough || !line);
    dev->tuned_seconds += clock_seconds() - start;
    if (plan.gflops > 0)
        tuning_remember(dev->tuning, &dev->info, name_of(class_of(call)).text, tune_plan_text(&plan).text, plan.gflops);
    return plan;
}

const struct gemm_plan *gemm_choose(struct device *dev, const struct gemm *call)
{
    if (!dev->choices)
        dev->choices = mem_new(1, sizeof *dev->choices);
    if (!dev->tuning)
        dev->tuning = tuning_open();
    struct gemm_plan *plan = &dev->choices->plans[class_of(call)];
    if (!plan->backend || !plan->backend->supports(dev, call))
        *plan = choose(dev, call);
    if (!plan->backend && !device_failed(dev))
        error_set(&dev->failure, EXIT_FAILED, "%s: no matrix product gives right results on this driver",
                  dev->info.label);
    return plan->backend ? plan : NULL;
}

void gemm_each_choice(struct device *dev, gemm_choice_line *tell, void *context)
{
    for (int class = 0; dev->choices && class < CLASSES; class ++) {
        const struct gemm_plan *plan = &dev->choices->plans[class];
        if (plan->backend)
            tell(context, name_of(class).text, tune_plan_text(plan).text, plan->gflops);
    }
}

void gemm_choices_free(struct gemm_choices *choices)
{
    if (!choices)
        return;
    CLBlastClearCache(); /* it keeps programs by context, and would hand a dead one to the next device */
    free(choices);
}
