/* Which form of the attention kernels is fastest, by size of heads: remembered as tuning.h says, a line
 * "attention fp32 64 causal" each. A quick search only measures the device's own form, since every other one is another
 * program; a full one tries them. */
#include "runtime/gemm/tune.h"
#include "runtime/opencl.h"
#include "runtime/ops/attention.h"
#include "runtime/util/progress.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In the order of struct attention_form. On CPUs a work-item owns whole rows, on GPUs several share one. */
enum { LANES, BLOCK, SPLIT, PARAMETERS };
static const struct tuning_parameter parameters[] = {
    {"lanes", false, {0, 4, 8, 16}},
    {"block", false, {0, 8, 16, 32, 64}},
    {"split", false, {0, 1, 2, 4, 8}},
    {0},
};

/* What a device has settled on. */
struct attention_choice {
    int head_dim;
    bool causal;
    struct attention_form form;
    struct attention_choice *next;
};

static struct attention_form form_of(const struct attention_form *own, const int *settings)
{
    return (struct attention_form){.lanes = settings[LANES] ? settings[LANES] : own->lanes,
                                   .block = settings[BLOCK] ? settings[BLOCK] : own->block,
                                   .split = settings[SPLIT] ? settings[SPLIT] : own->split};
}

static bool allows(const struct device *dev, const struct attention_form *form)
{
    return device_info(dev)->device_class == DEVICE_CPU ? form->split == 1 && form->lanes > 1 : form->lanes == 1;
}

/* ---- measuring ---- */

enum { SEGMENTS_TIMED = 8, TOKENS_TIMED = 128, HEADS_TIMED = 4, ROWS_TIMED = SEGMENTS_TIMED * TOKENS_TIMED };

struct problem {
    struct tensor *qkv, *qkv_grad, *out, *out_grad, *lse, *starts;
    struct segments segments;
};

static struct tensor *zeros(struct device *dev, int rows, int width)
{
    return tensor_zeros(dev, DTYPE_F32, 2, (int[]){rows, width});
}

static struct problem problem_new(struct device *dev, int head_dim)
{
    int width = HEADS_TIMED * head_dim, starts[SEGMENTS_TIMED + 1];
    for (int i = 0; i <= SEGMENTS_TIMED; i++)
        starts[i] = i * TOKENS_TIMED;
    struct problem problem = {.qkv = zeros(dev, ROWS_TIMED, 3 * width),
                              .qkv_grad = zeros(dev, ROWS_TIMED, 3 * width),
                              .out = zeros(dev, ROWS_TIMED, width),
                              .out_grad = zeros(dev, ROWS_TIMED, width),
                              .lse = zeros(dev, HEADS_TIMED, ROWS_TIMED),
                              .starts = tensor_new(dev, DTYPE_I32, 1, (int[]){SEGMENTS_TIMED + 1})};
    tensor_upload(problem.starts, starts);
    problem.segments = (struct segments){
        .starts = problem.starts, .count = SEGMENTS_TIMED, .total = ROWS_TIMED, .longest = TOKENS_TIMED};
    return problem;
}

static void problem_free(struct problem *problem)
{
    struct tensor *const tensors[] = {problem->qkv,      problem->qkv_grad, problem->out,
                                      problem->out_grad, problem->lse,      problem->starts};
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++)
        tensor_free(tensors[i]);
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Forward and backward, the median of three behind a first as far as the time of a quick search goes; INFINITY when the
 * form cannot be run. */
static double seconds_of(struct device *dev, const struct attention_shape *like, const struct attention_form *form)
{
    enum { RUNS = 4 };
    struct attention_shape shape = *like;
    shape.form = *form;
    shape.heads = HEADS_TIMED;
    struct problem problem = problem_new(dev, shape.head_dim);
    struct error err;
    double seconds[RUNS], deadline = clock_seconds() + tune_modes[TUNE_QUICK].class_seconds;
    bool failed = device_finish(dev, &err) != 0;
    int runs = 0;
    while (!failed && runs < RUNS && (runs == 0 || clock_seconds() < deadline)) {
        double start = clock_seconds();
        attention_launch(problem.out, problem.lse, problem.qkv, &problem.segments, &shape);
        attention_launch_backward(problem.qkv_grad, problem.out_grad, problem.out, problem.lse, problem.qkv,
                                  &problem.segments, &shape);
        failed = device_finish(dev, &err) != 0;
        seconds[runs++] = clock_seconds() - start;
    }
    problem_free(&problem);
    if (failed) {
        device_forgive(dev);
        return INFINITY;
    }
    qsort(seconds, (size_t)runs, sizeof *seconds, compare_doubles);
    return seconds[(runs - 1) / 2]; /* the first is the slowest */
}

static bool is_right(struct device *dev, const struct attention_shape *like, const struct attention_form *form)
{
    struct attention_shape shape = *like;
    shape.form = *form;
    return attention_is_right(dev, &shape);
}

/* ---- the choice ---- */

static void search(int *settings, double *seconds, struct device *dev, const struct attention_shape *shape)
{
    double deadline = clock_seconds() + dev->tune_mode->class_seconds;
    for (int p = 0; p < PARAMETERS; p++)
        for (int v = 1; v < TUNING_VALUES && parameters[p].values[v] && clock_seconds() < deadline; v++) {
            int tried[TUNING_PARAMETERS] = {0};
            memcpy(tried, settings, PARAMETERS * sizeof *tried);
            tried[p] = parameters[p].values[v];
            struct attention_form form = form_of(&shape->form, tried);
            if (!allows(dev, &form) || !is_right(dev, shape, &form))
                continue;
            double taken = seconds_of(dev, shape, &form);
            if (taken < 0.97 * *seconds) {
                settings[p] = tried[p];
                *seconds = taken;
            }
        }
}

static struct attention_form measured(struct device *dev, const struct attention_shape *shape, const char *work)
{
    int settings[TUNING_PARAMETERS] = {0};
    double seconds = seconds_of(dev, shape, &shape->form), pairs = (double)ROWS_TIMED * TOKENS_TIMED * HEADS_TIMED;
    double flops = 3.5 * 4 * pairs * shape->head_dim / (shape->causal ? 2 : 1); /* 2 products forward, 5 backward */
    if (dev->tune_mode->thorough)
        search(settings, &seconds, dev, shape);
    char text[96];
    tuning_write_settings(text, sizeof text, settings, parameters);
    char *choice = mem_format("own%s", text);
    if (!isinf(seconds))
        tuning_remember(dev->tuning, &dev->info, work, choice, 1e-9 * flops / seconds);
    free(choice);
    return form_of(&shape->form, settings);
}

static struct attention_form choose(struct device *dev, const struct attention_shape *shape)
{
    char work[64];
    snprintf(work, sizeof work, "attention fp32 %d %s", shape->head_dim, shape->causal ? "causal" : "full");
    if (!dev->tuning)
        dev->tuning = tuning_open();
    const struct tuning_line *line = NULL;
    while ((line = tuning_next(dev->tuning, &dev->info, work, line))) {
        int settings[TUNING_PARAMETERS];
        struct attention_form form = shape->form;
        bool known =
            strncmp(line->choice, "own", 3) == 0 && tuning_read_settings(settings, line->choice + 3, parameters) == 0;
        if (known)
            form = form_of(&shape->form, settings);
        if (!known || !allows(dev, &form))
            tuning_ignore(line, "names no form of attention that this device can have");
        else if (!dev->tune_mode->thorough && is_right(dev, shape, &form))
            return form;
    }
    if (dev->tuned_seconds >= dev->tune_mode->total_seconds)
        return shape->form;
    double start = clock_seconds();
    struct attention_form form = measured(dev, shape, work);
    dev->tuned_seconds += clock_seconds() - start;
    return form;
}

struct attention_form attention_tuned(struct device *dev, const struct attention_shape *shape)
{
    for (struct attention_choice *choice = dev->attention; choice; choice = choice->next)
        if (choice->head_dim == shape->head_dim && choice->causal == shape->causal)
            return choice->form;
    if (device_failed(dev))
        return shape->form;
    struct attention_choice *choice = mem_new(1, sizeof *choice);
    *choice = (struct attention_choice){
        .head_dim = shape->head_dim, .causal = shape->causal, .form = choose(dev, shape), .next = dev->attention};
    dev->attention = choice;
    return choice->form;
}

void attention_choices_free(struct attention_choice *choices)
{
    while (choices) {
        struct attention_choice *next = choices->next;
        free(choices);
        choices = next;
    }
}
