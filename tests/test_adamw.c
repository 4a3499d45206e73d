/* AdamW and the clipping of gradients, against the same formulas in double over many steps. */
#include "runtime/ops/adamw.h"
#include "runtime/ops/grad_norm.h"
#include "runtime/ops/step_guard.h"
#include "tests/op_check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 20, FROZEN_GROUP = 3, LAYERED = 1, UNLOCKED = 6 };

/* Weight decay applies to those of two dimensions. Of the group UNLOCKED only the last layer is trained. */
static const struct row {
    int group, layer, ndim, dim[2];
} rows[] = {
    {0, 0, 2, {100, 100}},      {0, 0, 1, {1}},           {FROZEN_GROUP, 0, 2, {5, 7}}, {5, 0, 2, {1, 255}},
    {5, 0, 1, {256}},           {7, 0, 2, {1, 257}},      {7, 0, 2, {8, 256}},          {0, 0, 2, {1, 2049}},
    {LAYERED, 0, 1, {51}},      {LAYERED, 0, 2, {3, 17}}, {LAYERED, 3, 2, {2, 9}},      {LAYERED, 1, 1, {40}},
    {UNLOCKED, 1, 2, {4, 300}}, {UNLOCKED, 2, 1, {7}},    {UNLOCKED, 2, 2, {3, 90}},
};
enum { PARAMS = sizeof rows / sizeof *rows };

static const struct adamw plain = {
    .beta1 = 0.9f,
    .beta2 = 0.98f,
    .eps = 1e-6f,
    .average_decay = 0.9f,
    .rates = {[0] = 1e-2f, [LAYERED] = 3e-2f, [5] = 1e-3f, [UNLOCKED] = 1e-2f, [7] = 0.1f},
    .layer_decay = {[LAYERED] = 0.6f, [UNLOCKED] = 0.5f},
    .weight_decay = {[0] = 0.2f, [LAYERED] = 0.5f, [UNLOCKED] = 0.1f, [7] = 0.01f},
};

/* A model of the parameters above, and what the reference makes of them. */
struct model {
    struct arena *arena;
    size_t counts[PARAMS];
    double *values[PARAMS], *moment1[PARAMS], *moment2[PARAMS], *grads[PARAMS], *average[PARAMS]; // [counts[i]]
};

/* Rounded to float, so that the device starts from the same numbers. */
static void fill(double *numbers, size_t count, double scale, uint64_t *state)
{
    for (size_t i = 0; i < count; i++)
        numbers[i] = (double)(float)(scale * check_normal(state));
}

static float *to_floats(const double *numbers, size_t count)
{
    float *floats = mem_new(count, sizeof *floats);
    for (size_t i = 0; i < count; i++)
        floats[i] = (float)numbers[i];
    return floats;
}

static struct model model_new(struct device *dev)
{
    struct model model = {.arena = arena_new()};
    for (int i = 0; i < PARAMS; i++) {
        int place = arena_place(rows[i].group, rows[i].layer);
        arena_add(model.arena, place, init_constant(0), rows[i].ndim, rows[i].dim, "p%d", i);
        model.counts[i] = tensor_count(model.arena->params[i].tensor);
        model.values[i] = mem_new(model.counts[i], sizeof(double));
        model.moment1[i] = mem_new(model.counts[i], sizeof(double));
        model.moment2[i] = mem_new(model.counts[i], sizeof(double));
        model.grads[i] = mem_new(model.counts[i], sizeof(double));
        model.average[i] = mem_new(model.counts[i], sizeof(double));
    }
    struct error err;
    model.arena->unlocked[UNLOCKED] = 1;
    CHECK(arena_allocate(model.arena, dev, ~(1u << FROZEN_GROUP), &err) == 0, "%s", err.text);
    uint64_t state = 11;
    for (int i = 0; i < PARAMS; i++) {
        fill(model.values[i], model.counts[i], 1, &state);
        float *floats = to_floats(model.values[i], model.counts[i]);
        arena_upload(model.arena, &model.arena->params[i], floats);
        memcpy(model.average[i], model.values[i], model.counts[i] * sizeof(double));
        free(floats);
    }
    arena_start_average(model.arena);
    return model;
}

static void model_free(struct model *model)
{
    arena_free(model->arena);
    for (int i = 0; i < PARAMS; i++) {
        free(model->values[i]);
        free(model->moment1[i]);
        free(model->moment2[i]);
        free(model->grads[i]);
        free(model->average[i]);
    }
}

static void new_gradients(struct model *model, double scale, uint64_t *state)
{
    for (int i = 0; i < PARAMS; i++) {
        const struct param *param = &model->arena->params[i];
        if (!param->trained)
            continue;
        fill(model->grads[i], model->counts[i], scale, state);
        float *floats = to_floats(model->grads[i], model->counts[i]);
        if (!param->tensor->grad)
            param->tensor->grad = bucket_grad(param->tensor);
        tensor_upload(param->tensor->grad, floats);
        free(floats);
    }
}

static double reference_norm(const struct model *model)
{
    double sum = 0;
    for (int i = 0; i < PARAMS; i++)
        for (size_t j = 0; j < model->counts[i]; j++)
            sum += model->grads[i][j] * model->grads[i][j];
    return sqrt(sum);
}

static void reference_step(struct model *model, const struct adamw *s)
{
    double beta1 = (double)s->beta1, beta2 = (double)s->beta2, max_norm = (double)s->max_norm;
    double clip = max_norm > 0 ? fmin(1, max_norm / (reference_norm(model) + 1e-6)) : 1;
    for (int i = 0; i < PARAMS; i++) {
        if (rows[i].group == FROZEN_GROUP || (rows[i].group == UNLOCKED && rows[i].layer < 2))
            continue;
        double rate = (double)s->rates[rows[i].group];
        if (rows[i].group == LAYERED)
            rate *= pow((double)s->layer_decay[LAYERED], 3 - rows[i].layer);
        double decay = rows[i].ndim > 1 ? (double)s->weight_decay[rows[i].group] : 0;
        for (size_t j = 0; j < model->counts[i]; j++) {
            double g = clip * model->grads[i][j], *m = &model->moment1[i][j], *v = &model->moment2[i][j];
            *m = beta1 * *m + (1 - beta1) * g;
            *v = beta2 * *v + (1 - beta2) * g * g;
            double m_hat = *m / (1 - pow(beta1, s->step)), v_hat = *v / (1 - pow(beta2, s->step));
            model->values[i][j] *= 1 - rate * decay;
            model->values[i][j] -= rate * m_hat / (sqrt(v_hat) + (double)s->eps);
            double keep = (double)s->average_decay;
            model->average[i][j] = keep * model->average[i][j] + (1 - keep) * model->values[i][j];
        }
    }
}

static void check_values(const struct model *model, double *const *values /* as of struct model */, const char *what)
{
    for (int i = 0; i < PARAMS; i++) {
        float *got = mem_new(model->counts[i], sizeof *got);
        arena_download(got, model->arena, &model->arena->params[i]);
        char name[128];
        snprintf(name, sizeof name, "adamw, %s: parameter %d", what, i);
        check_close(name, got, values[i], model->counts[i], model->arena->params[i].trained ? 2e-6 : 0);
        free(got);
    }
}

/* The numbers that pad parameters to whole blocks stay zero, or they would count in the norm. */
static void check_padding(const struct model *model)
{
    const struct arena *arena = model->arena;
    float *values = mem_new(arena->trained_numbers, sizeof *values);
    buffer_download(values, arena->values, 0, arena->trained_numbers * sizeof *values);
    size_t zeros = arena->trained_numbers;
    for (int i = 0; i < PARAMS; i++)
        zeros -= arena->params[i].trained ? model->counts[i] : 0;
    for (size_t i = 0; i < arena->trained_numbers; i++)
        zeros -= values[i] == 0;
    CHECK(zeros == 0, "adamw: padding does not stay zero");
    free(values);
}

/* Runs the steps on the device; with `check`, in the reference too. Returns all values, [*bytes]; caller frees. */
static void *train(size_t *bytes, struct device *dev, const char *what, float max_norm, bool check)
{
    struct model model = model_new(dev);
    struct adamw settings = plain;
    settings.max_norm = max_norm;
    uint64_t state = 23;
    for (settings.step = 1; settings.step <= STEPS; settings.step++) {
        new_gradients(&model, settings.step % 5 == 0 ? 1e-3 : 0.1, &state);
        adamw_step(model.arena, &settings);
        if (check)
            reference_step(&model, &settings);
    }
    if (check) {
        check_values(&model, model.values, what);
        check_padding(&model);
        arena_swap_average(model.arena);
        check_values(&model, model.average, "average");
        check_padding(&model);
        arena_swap_average(model.arena);
        check_values(&model, model.values, "values swapped back");
    }
    *bytes = model.arena->trained_numbers * sizeof(float);
    void *values = mem_new(*bytes, 1);
    buffer_download(values, model.arena->values, 0, *bytes);
    model_free(&model);
    return values;
}

static void check_training(struct device *dev)
{
    static const struct {
        const char *name;
        float max_norm;
    } clips[] = {{"gradients as they are", 0}, {"clipping that never holds", 1e6f}, {"clipping that holds", 1}};
    void *first[3];
    size_t bytes;
    for (int i = 0; i < 3; i++) {
        first[i] = train(&bytes, dev, clips[i].name, clips[i].max_norm, true);
        void *again = train(&bytes, dev, clips[i].name, clips[i].max_norm, false);
        CHECK(memcmp(first[i], again, bytes) == 0, "adamw, %s: two runs differ", clips[i].name);
        free(again);
    }
    CHECK(memcmp(first[0], first[1], bytes) == 0, "adamw: clipping that never holds changes the result");
    CHECK(memcmp(first[0], first[2], bytes) != 0, "adamw: clipping that holds changes nothing");
    for (int i = 0; i < 3; i++)
        free(first[i]);
}

static void check_norm(struct device *dev)
{
    struct model model = model_new(dev);
    uint64_t state = 3;
    struct tensor *norm = grad_norm(model.arena, 1);
    CHECK(grad_norm_download(norm) == 0, "the norm of no gradient is not 0");
    tensor_free(norm);
    for (int trial = 0; trial < 3; trial++) {
        new_gradients(&model, 0.02 * trial + 1e-3, &state);
        double want[2] = {reference_norm(&model)};
        want[1] = fmin(1, 0.5 / (want[0] + 1e-6));
        norm = grad_norm(model.arena, 0.5f);
        float got[2];
        tensor_download(got, norm);
        check_close("grad_norm: norm", got, want, 1, 1e-6);
        check_close("grad_norm: factor", got + 1, want + 1, 1, 1e-6);
        CHECK(grad_norm_download(norm) == got[0], "grad_norm_download is not the norm");
        tensor_free(norm);
    }
    model_free(&model);
}

/* A step whose loss, or whose gradients where their norm is known, are not finite changes nothing; others do. */
static void check_guard(struct device *dev)
{
    static const struct {
        float loss, gradient, max_norm;
        bool taken;
    } cases[] = {{1, 1, 0, true},      {1, 1, 1, true},          {NAN, 1, 0, false}, {INFINITY, 1, 0, false},
                 {NAN, NAN, 1, false}, {-INFINITY, 1, 1, false}, {1, NAN, 1, false}, {1, INFINITY, 1, false}};
    struct model model = model_new(dev);
    size_t bytes = 3 * model.arena->trained_numbers * sizeof(float);
    struct tensor *loss = tensor_new(dev, DTYPE_F32, 1, (int[]){1});
    struct adamw settings = plain;
    settings.guard = step_guard_new(dev);
    uint64_t random = 5;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        float *before = check_arena_numbers(model.arena), said[STEP_GUARD_NUMBERS];
        settings.step = (int)i + 1;
        settings.max_norm = cases[i].max_norm;
        new_gradients(&model, 0.1, &random);
        buffer_upload(model.arena->buckets[0].grads, 0, &cases[i].gradient, sizeof cases[i].gradient);
        tensor_upload(loss, &cases[i].loss);
        step_guard_loss(settings.guard, loss);
        adamw_step(model.arena, &settings);
        float *after = check_arena_numbers(model.arena);
        tensor_download(said, settings.guard);
        CHECK((memcmp(before, after, bytes) != 0) == cases[i].taken, "guard, case %zu: state", i);
        CHECK(said[STEP_GUARD_SOUND] == (float)cases[i].taken, "guard, case %zu: verdict", i);
        CHECK(memcmp(&said[STEP_GUARD_LOSS], &cases[i].loss, sizeof(float)) == 0, "guard, case %zu: loss", i);
        free(before);
        free(after);
    }
    tensor_free(settings.guard);
    tensor_free(loss);
    model_free(&model);
}

static void test(struct device *dev)
{
    check_guard(dev);
    check_norm(dev);
    check_training(dev);
    struct arena *nothing = arena_new();
    struct error err;
    CHECK(arena_allocate(nothing, dev, ~0u, &err) == 0, "%s", err.text);
    adamw_step(nothing, &(struct adamw){.step = 1});
    arena_free(nothing);
}

int main(void)
{
    for_each_device(test);
    return EXIT_OK;
}
