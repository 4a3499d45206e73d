#include "tests/op_check.h"

#include "runtime/util/random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EVERY_COORDINATE = 300, DIRECTIONS = 4 };

double check_uniform(uint64_t *state)
{
    struct random random = {*state};
    double number = random_uniform(&random);
    *state = random.state;
    return number;
}

double check_normal(uint64_t *state)
{
    double radius = sqrt(-2 * log(1 - check_uniform(state))); /* Box, Muller 1958 */
    return radius * cos(2 * acos(-1) * check_uniform(state));
}

void check_close(const char *what, const float *got, const double *want, size_t count, double tolerance)
{
    double largest = 1e-30;
    for (size_t i = 0; i < count; i++)
        largest = fmax(largest, fabs(want[i]));
    for (size_t i = 0; i < count; i++)
        CHECK(fabs((double)got[i] - want[i]) <= tolerance * largest,
              "%s: number %zu of %zu is %.9g, should be %.9g (off by %.2g of the largest, %.2g allowed)", what, i,
              count, (double)got[i], want[i], fabs((double)got[i] - want[i]) / largest, tolerance);
}

void for_each_device(void (*test)(struct device *dev))
{
    struct error err = {0};
    struct device_info *infos;
    int count;
    CHECK(device_list(&infos, &count, &err) == 0, "%s", err.text);
    for (int i = 0; i < count; i++) {
        struct device *dev;
        char spec[16];
        snprintf(spec, sizeof spec, "%d", i);
        CHECK(device_open(&dev, spec, &err) == 0, "%s", err.text);
        printf("on %s\n", infos[i].label);
        buffer_guard(dev);
        test(dev);
        CHECK(device_finish(dev, &err) == 0, "%s", err.text);
        CHECK(buffer_guard_faults(dev) == 0, "%ld buffers were written past their end", buffer_guard_faults(dev));
        device_close(dev);
    }
    free(infos);
}

/* One case's numbers on the host, and what one run on the device gave. */
struct checked {
    const struct op_case *c;
    int inputs;
    size_t counts[CASE_INPUTS], out_count;
    double *values[CASE_INPUTS]; // [counts[i]]
    double *want, *seed;         // [out_count]; seed is r of sum(y * r)
    double *scratch;             // [out_count]
};

struct result {
    float *out;                // [out_count]
    float *grads[CASE_INPUTS]; // [counts[i]] or NULL
};

static void fill(struct checked *k, int i, uint64_t *state)
{
    const struct case_input *in = &k->c->in[i];
    for (size_t j = 0; j < k->counts[i]; j++)
        k->values[i][j] = in->fill == FILL_U8 ? floor(256 * check_uniform(state))
                          : in->fill == FILL_ZERO
                              ? 0
                              : (double)(float)(check_normal(state) * (in->scale != 0 ? in->scale : 1) + in->shift);
}

static struct tensor *upload(struct device *dev, const struct checked *k, int i)
{
    const struct case_input *in = &k->c->in[i];
    struct tensor *tensor = tensor_new(dev, in->fill == FILL_U8 ? DTYPE_U8 : DTYPE_F32, in->ndim, in->dim);
    unsigned char *bytes = mem_new(k->counts[i], 1);
    float *floats = mem_new(k->counts[i], sizeof *floats);
    for (size_t j = 0; j < k->counts[i]; j++)
        if (in->fill == FILL_U8)
            bytes[j] = (unsigned char)k->values[i][j];
        else
            floats[j] = (float)k->values[i][j];
    tensor_upload(tensor, in->fill == FILL_U8 ? (void *)bytes : (void *)floats);
    free(bytes);
    free(floats);
    tensor->needs_grad = in->grad;
    return tensor;
}

static float *download(const struct tensor *tensor)
{
    float *numbers = mem_new(tensor_count(tensor), sizeof *numbers);
    tensor_download(numbers, tensor);
    return numbers;
}

/* Runs forward and, when recording, backward; `earlier` is what each gradient holds before. */
static struct result run_case(struct device *dev, struct checked *k, bool recording, const float *earlier)
{
    struct tape *tape = tape_new(dev, recording);
    tape_seed(tape, 7);
    struct tensor *in[CASE_INPUTS] = {0};
    for (int i = 0; i < k->inputs; i++) {
        in[i] = upload(dev, k, i);
        if (earlier && in[i]->needs_grad) {
            in[i]->grad = tensor_new(dev, DTYPE_F32, in[i]->ndim, in[i]->dim);
            float *start = mem_new(k->counts[i], sizeof *start);
            for (size_t j = 0; j < k->counts[i]; j++)
                start[j] = *earlier;
            tensor_upload(in[i]->grad, start);
            free(start);
        }
    }
    struct tensor *out = k->c->run(tape, in, k->c);
    if (!k->out_count) {
        k->out_count = tensor_count(out);
        k->want = mem_new(k->out_count, sizeof(double));
        k->seed = mem_new(k->out_count, sizeof(double));
        k->scratch = mem_new(k->out_count, sizeof(double));
        uint64_t state = 99;
        for (size_t i = 0; i < k->out_count; i++)
            k->seed[i] = (double)(float)check_normal(&state);
        k->c->reference(k->want, k->values, k->c);
    }
    CHECK(tensor_count(out) == k->out_count, "%s: the output changes its size", k->c->name);
    struct result result = {.out = download(out)};
    if (recording && out->needs_grad) {
        float *seed = mem_new(k->out_count, sizeof *seed);
        for (size_t i = 0; i < k->out_count; i++)
            seed[i] = (float)k->seed[i];
        struct tensor *gradient = tape_upload(tape, DTYPE_F32, out->ndim, out->dim, seed);
        tape_backward_from(tape, &out, &gradient, 1);
        free(seed);
        for (int i = 0; i < k->inputs; i++)
            if (k->c->in[i].grad) {
                CHECK(in[i]->grad, "%s: input %d got no gradient", k->c->name, i);
                result.grads[i] = download(in[i]->grad);
            }
    }
    struct error err;
    CHECK(device_finish(dev, &err) == 0, "%s: %s", k->c->name, err.text);
    tape_free(tape);
    for (int i = 0; i < k->inputs; i++)
        tensor_free(in[i]);
    return result;
}

static void result_free(struct result *result)
{
    free(result->out);
    for (int i = 0; i < CASE_INPUTS; i++)
        free(result->grads[i]);
}

/* sum(y * r) of the reference after input i has moved by `step` along `direction`. */
static double moved_loss(struct checked *k, int i, const double *direction, double step)
{
    double *moved = mem_new(k->counts[i], sizeof *moved), *kept = k->values[i];
    for (size_t j = 0; j < k->counts[i]; j++)
        moved[j] = kept[j] + step * direction[j];
    k->values[i] = moved;
    k->c->reference(k->scratch, k->values, k->c);
    k->values[i] = kept;
    free(moved);
    double loss = 0;
    for (size_t j = 0; j < k->out_count; j++)
        loss += k->scratch[j] * k->seed[j];
    return loss;
}

static double derivative(struct checked *k, int i, const double *direction)
{
    const double step = 1e-5;
    return (moved_loss(k, i, direction, step) - moved_loss(k, i, direction, -step)) / (2 * step);
}

static void check_gradient(struct checked *k, int i, const float *got, double earlier)
{
    char what[256];
    snprintf(what, sizeof what, "%s: gradient of input %d%s", k->c->name, i, earlier != 0 ? ", added to another" : "");
    size_t count = k->counts[i];
    double tolerance = k->c->tolerance != 0 ? k->c->tolerance : 2e-5;
    double *direction = mem_new(count, sizeof *direction);
    if (count <= EVERY_COORDINATE) {
        double *want = mem_new(count, sizeof *want);
        for (size_t j = 0; j < count; j++) {
            direction[j] = 1;
            want[j] = derivative(k, i, direction) + earlier;
            direction[j] = 0;
        }
        check_close(what, got, want, count, tolerance);
        free(want);
    }
    uint64_t state = 5;
    for (int trial = 0; trial < DIRECTIONS && count > EVERY_COORDINATE; trial++) {
        double along = 0, scale = 0;
        for (size_t j = 0; j < count; j++) {
            direction[j] = check_normal(&state);
            along += direction[j] * ((double)got[j] - earlier);
            scale += direction[j] * direction[j] * (double)got[j] * (double)got[j];
        }
        double want = derivative(k, i, direction);
        CHECK(fabs(along - want) <= tolerance * (sqrt(scale) + fabs(want)) + 1e-9,
              "%s: along a direction %.9g, should be %.9g", what, along, want);
    }
    free(direction);
}

static void check_case(struct device *dev, const struct op_case *c)
{
    struct checked k = {.c = c};
    uint64_t state = 42;
    while (k.inputs < CASE_INPUTS && c->in[k.inputs].ndim > 0) {
        int i = k.inputs++;
        k.counts[i] = 1;
        for (int d = 0; d < c->in[i].ndim; d++)
            k.counts[i] *= (size_t)c->in[i].dim[d];
        k.values[i] = mem_new(k.counts[i], sizeof(double));
        fill(&k, i, &state);
    }
    const float earlier = 0.5f;
    struct result first = run_case(dev, &k, true, NULL), again = run_case(dev, &k, true, NULL);
    struct result added = run_case(dev, &k, true, &earlier), inference = run_case(dev, &k, false, NULL);

    char what[256];
    snprintf(what, sizeof what, "%s: output", c->name);
    check_close(what, first.out, k.want, k.out_count, c->tolerance != 0 ? c->tolerance : 2e-6);
    snprintf(what, sizeof what, "%s: output without recording", c->name);
    check_close(what, inference.out, k.want, k.out_count, c->tolerance != 0 ? c->tolerance : 2e-6);
    CHECK(memcmp(first.out, again.out, k.out_count * sizeof(float)) == 0, "%s: two runs differ", c->name);
    for (int i = 0; i < k.inputs; i++) {
        if (!first.grads[i])
            continue;
        CHECK(memcmp(first.grads[i], again.grads[i], k.counts[i] * sizeof(float)) == 0,
              "%s: the gradients of input %d differ between two runs", c->name, i);
        check_gradient(&k, i, first.grads[i], 0);
        check_gradient(&k, i, added.grads[i], (double)earlier);
    }
    struct result *results[] = {&first, &again, &added, &inference};
    for (int i = 0; i < 4; i++)
        result_free(results[i]);
    for (int i = 0; i < k.inputs; i++)
        free(k.values[i]);
    free(k.want);
    free(k.seed);
    free(k.scratch);
    CHECK(buffer_guard_faults(dev) == 0, "%s: a buffer was written past its end", c->name);
}

int op_check_all(const struct op_case *cases, int count)
{
    struct error err = {0};
    struct device_info *infos;
    int devices;
    if (device_list(&infos, &devices, &err) != 0)
        return error_report(&err);
    for (int d = 0; d < devices; d++) {
        struct device *dev;
        char spec[16];
        snprintf(spec, sizeof spec, "%d", d);
        if (device_open(&dev, spec, &err) != 0)
            return error_report(&err);
        buffer_guard(dev);
        for (int i = 0; i < count; i++)
            check_case(dev, &cases[i]);
        printf("%d cases passed on %s\n", count, infos[d].label);
        device_close(dev);
    }
    free(infos);
    return EXIT_OK;
}
