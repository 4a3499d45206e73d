#include "tests/op_check.h"

#include "models/files/stored_dtype.h"
#include "runtime/gemm/gemm.h"
#include "runtime/util/random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EVERY_COORDINATE = 300, DIRECTIONS = 4 };

/* How activations are stored. `unit`: how far the nearest such number is at most, relative to what is rounded. */
static const struct storage {
    enum dtype dtype;
    const char *precision;
    enum stored_dtype file;
    double unit;
} storages[] = {{DTYPE_F32, "fp32", STORED_F32, 0},
                {DTYPE_BF16, "bf16", STORED_BF16, 1.0 / 256},
                {DTYPE_F16, "fp16", STORED_F16, 1.0 / 2048}};
enum { STORAGES = sizeof storages / sizeof *storages };

/* Roundings that may add up in an output, and in a gradient, which has come through more of them. */
static const double output_units = 3, gradient_units = 8;

static const struct storage *storage_of(enum dtype dtype)
{
    const struct storage *storage = storages;
    while (storage->dtype != dtype)
        storage++;
    return storage;
}

double check_rounded(enum dtype dtype, double x)
{
    const struct stored_dtype_row *row = &stored_dtypes[storage_of(dtype)->file];
    unsigned char bytes[sizeof(float)];
    float nearest;
    row->from_float(bytes, &(float){(float)x}, 1);
    row->to_float(&nearest, bytes, 1);
    return (double)nearest;
}

void check_upload(struct tensor *tensor, const double *numbers)
{
    size_t count = tensor_count(tensor);
    float *floats = mem_new(count, sizeof *floats);
    unsigned char *bytes = mem_new(count, sizeof *floats);
    for (size_t i = 0; i < count; i++)
        floats[i] = (float)numbers[i];
    if (tensor->dtype == DTYPE_U8)
        for (size_t i = 0; i < count; i++)
            bytes[i] = (unsigned char)numbers[i];
    else
        stored_dtypes[storage_of(tensor->dtype)->file].from_float(bytes, floats, (long)count);
    tensor_upload(tensor, bytes);
    free(bytes);
    free(floats);
}

float *check_download(const struct tensor *tensor)
{
    size_t count = tensor_count(tensor);
    float *numbers = mem_new(count, sizeof *numbers);
    unsigned char *bytes = mem_new(tensor_bytes(tensor), 1);
    tensor_download(bytes, tensor);
    stored_dtypes[storage_of(tensor->dtype)->file].to_float(numbers, bytes, (long)count);
    free(bytes);
    return numbers;
}

float *check_arena_numbers(const struct arena *arena)
{
    struct buffer *const parts[] = {arena->values, arena->moment1, arena->moment2};
    float *numbers = mem_new(3 * arena->trained_numbers, sizeof *numbers);
    for (size_t i = 0; i < 3; i++)
        buffer_download(numbers + i * arena->trained_numbers, parts[i], 0, arena->trained_numbers * sizeof *numbers);
    return numbers;
}

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

bool check_is_small(size_t numbers)
{
    const char *most = getenv("OCLIP_TEST_NUMBERS");
    return !most || numbers <= strtoul(most, NULL, 10);
}

/* The same with something for `test` to know. */
static void for_each_device_with(void (*test)(struct device *dev, const void *context), const void *context)
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
        gemm_set_tuning(dev, "off"); /* what is fastest is no matter here, and searching takes long on simulators */
        test(dev, context);
        CHECK(device_finish(dev, &err) == 0, "%s", err.text);
        CHECK(buffer_guard_faults(dev) == 0, "%ld buffers were written past their end", buffer_guard_faults(dev));
        device_close(dev);
    }
    free(infos);
}

struct device_test {
    void (*run)(struct device *dev);
};

static void run_device_test(struct device *dev, const void *context)
{
    ((const struct device_test *)context)->run(dev);
}

void for_each_device(void (*test)(struct device *dev))
{
    for_each_device_with(run_device_test, &(struct device_test){test});
}

/* One case's numbers on the host, and what one run on the device gave. */
struct checked {
    const struct op_case *c;
    const struct storage *storage;
    char name[160];
    int inputs;
    size_t counts[CASE_INPUTS], out_count;
    enum dtype out_dtype;
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
        k->values[i][j] =
            in->fill == FILL_U8 ? floor(256 * check_uniform(state))
            : in->fill == FILL_ZERO
                ? 0
                : check_rounded(k->storage->dtype, check_normal(state) * (in->scale != 0 ? in->scale : 1) + in->shift);
}

static struct tensor *upload(struct device *dev, const struct checked *k, int i)
{
    const struct case_input *in = &k->c->in[i];
    enum dtype dtype = in->fill == FILL_U8 ? DTYPE_U8 : in->fill == FILL_ACTIVATION ? k->storage->dtype : DTYPE_F32;
    struct tensor *tensor = tensor_new(dev, dtype, in->ndim, in->dim);
    check_upload(tensor, k->values[i]);
    tensor->needs_grad = in->grad;
    return tensor;
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
            in[i]->grad = tensor_new(dev, in[i]->dtype, in[i]->ndim, in[i]->dim);
            double *start = mem_new(k->counts[i], sizeof *start);
            for (size_t j = 0; j < k->counts[i]; j++)
                start[j] = (double)*earlier;
            check_upload(in[i]->grad, start);
            free(start);
        }
    }
    struct tensor *out = k->c->run(tape, in, k->c);
    if (!k->out_count) {
        k->out_count = tensor_count(out);
        k->out_dtype = out->dtype;
        k->want = mem_new(k->out_count, sizeof(double));
        k->seed = mem_new(k->out_count, sizeof(double));
        k->scratch = mem_new(k->out_count, sizeof(double));
        uint64_t state = 99;
        for (size_t i = 0; i < k->out_count; i++)
            k->seed[i] = check_rounded(k->storage->dtype, check_normal(&state));
        k->c->reference(k->want, k->values, k->c);
    }
    CHECK(tensor_count(out) == k->out_count, "%s: the output changes its size", k->name);
    struct result result = {.out = check_download(out)};
    if (recording && out->needs_grad) {
        struct tensor *gradient = tape_like(tape, out);
        check_upload(gradient, k->seed);
        tape_backward_from(tape, &out, &gradient, 1);
        for (int i = 0; i < k->inputs; i++)
            if (k->c->in[i].grad) {
                CHECK(in[i]->grad, "%s: input %d got no gradient", k->name, i);
                result.grads[i] = check_download(in[i]->grad);
            }
    }
    struct error err;
    CHECK(device_finish(dev, &err) == 0, "%s: %s", k->name, err.text);
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
    snprintf(what, sizeof what, "%s: gradient of input %d%s", k->name, i, earlier != 0 ? ", added to another" : "");
    size_t count = k->counts[i];
    double tolerance = (k->c->tolerance != 0 ? k->c->tolerance : 2e-5) + gradient_units * k->storage->unit;
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

/* 0 for none. */
static size_t input_count(const struct case_input *in)
{
    size_t count = in->ndim > 0;
    for (int d = 0; d < in->ndim; d++)
        count *= (size_t)in->dim[d];
    return count;
}

static void begin(struct checked *k)
{
    uint64_t state = 42;
    while (k->inputs < CASE_INPUTS && k->c->in[k->inputs].ndim > 0) {
        int i = k->inputs++;
        k->counts[i] = input_count(&k->c->in[i]);
        k->values[i] = mem_new(k->counts[i], sizeof(double));
        fill(k, i, &state);
    }
}

static void end(struct checked *k)
{
    for (int i = 0; i < k->inputs; i++)
        free(k->values[i]);
    free(k->want);
    free(k->seed);
    free(k->scratch);
}

static void check_output(const struct checked *k, const float *got, const char *how)
{
    char what[256];
    snprintf(what, sizeof what, "%s: output%s", k->name, how);
    double tolerance = k->c->tolerance != 0 ? k->c->tolerance : 2e-6;
    check_close(what, got, k->want, k->out_count, tolerance + output_units * k->storage->unit);
}

/* `first`: what one run gave. */
static void check_against(struct device *dev, struct checked *k, const struct result *first)
{
    const float earlier = 0.5f;
    struct result again = run_case(dev, k, true, NULL), added = run_case(dev, k, true, &earlier);
    struct result inference = run_case(dev, k, false, NULL);
    check_output(k, first->out, "");
    check_output(k, inference.out, " without recording");
    CHECK(memcmp(first->out, again.out, k->out_count * sizeof(float)) == 0, "%s: two runs differ", k->name);
    for (int i = 0; i < k->inputs; i++) {
        if (!first->grads[i])
            continue;
        CHECK(memcmp(first->grads[i], again.grads[i], k->counts[i] * sizeof(float)) == 0,
              "%s: the gradients of input %d differ between two runs", k->name, i);
        check_gradient(k, i, first->grads[i], 0);
        check_gradient(k, i, added.grads[i], (double)earlier);
    }
    struct result *results[] = {&again, &added, &inference};
    for (int i = 0; i < 3; i++)
        result_free(results[i]);
    CHECK(buffer_guard_faults(dev) == 0, "%s: a buffer was written past its end", k->name);
}

/* An op of float32 alone is the same in each storage. */
static bool is_stored(const struct checked *k)
{
    bool stored = k->storage->dtype == DTYPE_F32 || k->out_dtype != DTYPE_F32;
    for (int i = 0; i < k->inputs; i++)
        stored = stored || k->c->in[i].fill == FILL_ACTIVATION;
    return stored;
}

static bool is_small(const struct op_case *c)
{
    size_t numbers = 0;
    for (int i = 0; i < CASE_INPUTS; i++)
        numbers += input_count(&c->in[i]);
    return check_is_small(numbers);
}

/* False where there was nothing to check. */
static bool check_case(struct device *dev, const struct op_case *c, const struct storage *storage)
{
    struct checked k = {.c = c, .storage = storage};
    snprintf(k.name, sizeof k.name, "%s, %s", c->name, storage->precision);
    gemm_set_precision(dev, storage->precision);
    begin(&k);
    struct result first = run_case(dev, &k, true, NULL);
    bool stored = is_stored(&k);
    if (stored)
        check_against(dev, &k, &first);
    result_free(&first);
    end(&k);
    return stored;
}

struct case_list {
    const struct op_case *cases;
    int count;
};

static void check_cases(struct device *dev, const void *context)
{
    const struct case_list *list = context;
    int passed = 0;
    for (int i = 0; i < list->count; i++)
        for (int s = 0; s < STORAGES && is_small(&list->cases[i]); s++)
            passed += check_case(dev, &list->cases[i], &storages[s]);
    printf("%d cases passed\n", passed);
}

int op_check_all(const struct op_case *cases, int count)
{
    for_each_device_with(check_cases, &(struct case_list){cases, count});
    return EXIT_OK;
}
