#include "runtime/arena.h"

#include "runtime/util/random.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct param_init init_constant(float value)
{
    return (struct param_init){.mean = value};
}

struct param_init init_normal(float deviation)
{
    return (struct param_init){.deviation = deviation};
}

struct param_init init_uniform(float limit)
{
    return (struct param_init){.deviation = limit, .uniform = true};
}

struct param_init init_state(float value)
{
    return (struct param_init){.mean = value, .state = true};
}

struct arena *arena_new(void)
{
    return mem_new(1, sizeof(struct arena));
}

void arena_free(struct arena *arena)
{
    if (!arena)
        return;
    for (int i = 0; i < arena->count; i++) {
        tensor_free(arena->params[i].tensor);
        free(arena->params[i].name);
    }
    for (int i = 0; i < arena->bucket_count; i++) {
        buffer_drop(arena->buckets[i].grads);
        free(arena->buckets[i].params);
    }
    free(arena->buckets);
    free(arena->classes);
    buffer_drop(arena->values);
    buffer_drop(arena->moment1);
    buffer_drop(arena->moment2);
    buffer_drop(arena->average);
    buffer_drop(arena->frozen);
    buffer_drop(arena->blocks);
    free(arena->params);
    free(arena);
}

struct tensor *arena_add(struct arena *arena, int place, struct param_init init, int ndim, const int *dim,
                         const char *format, ...)
{
    int group = place % ARENA_GROUPS, layer = place / ARENA_GROUPS;
    char name[256];
    va_list args;
    va_start(args, format);
    vsnprintf(name, sizeof name, format, args);
    va_end(args);
    CHECK(!arena_find(arena, name), "two parameters named %s", name);
    CHECK(place >= 0, "parameter %s is in group %d", name, place);

    if (arena->count == arena->capacity) {
        arena->capacity = arena->capacity ? 2 * arena->capacity : 256;
        arena->params = mem_grow(arena->params, (size_t)arena->capacity, sizeof *arena->params);
    }
    struct tensor *tensor = mem_new(1, sizeof *tensor);
    *tensor = (struct tensor){.dtype = DTYPE_F32, .ndim = ndim};
    memcpy(tensor->dim, dim, (size_t)ndim * sizeof *dim);
    arena->params[arena->count++] =
        (struct param){.name = mem_format("%s", name), .tensor = tensor, .group = group, .layer = layer, .init = init};
    arena->layers[group] = layer > arena->layers[group] ? layer : arena->layers[group];
    return tensor;
}

static size_t padded(const struct param *param)
{
    return (tensor_count(param->tensor) + ARENA_BLOCK - 1) / ARENA_BLOCK * ARENA_BLOCK;
}

static struct buffer *zeroed(struct device *dev, size_t numbers)
{
    struct buffer *buffer = buffer_new(dev, numbers * sizeof(float));
    buffer_zero(buffer, 0, numbers * sizeof(float));
    return buffer;
}

static int rate_class(struct arena *arena, const struct param *param)
{
    bool decays = arena->decay_vectors || param->tensor->ndim > 1;
    for (int i = 0; i < arena->class_count; i++) {
        const struct rate_class *known = &arena->classes[i];
        if (known->group == param->group && known->layer == param->layer && known->decays == decays)
            return i;
    }
    arena->classes = mem_grow(arena->classes, (size_t)arena->class_count + 1, sizeof *arena->classes);
    arena->classes[arena->class_count] = (struct rate_class){param->group, param->layer, decays};
    return arena->class_count++;
}

static void upload_blocks(struct arena *arena)
{
    size_t bytes = arena->trained_numbers / ARENA_BLOCK * 2 * sizeof(int);
    int(*blocks)[2] = mem_new(1, bytes); // [blocks, 2]
    for (int i = 0; i < arena->count; i++) {
        const struct param *param = &arena->params[i];
        if (!param->trained)
            continue;
        size_t count = tensor_count(param->tensor), first = param->offset / ARENA_BLOCK;
        int class = rate_class(arena, param);
        for (size_t block = 0; block < padded(param) / ARENA_BLOCK; block++) {
            size_t left = count - block * ARENA_BLOCK;
            blocks[first + block][0] = class;
            blocks[first + block][1] = left < ARENA_BLOCK ? (int)left : ARENA_BLOCK;
        }
    }
    arena->blocks = buffer_new(arena->dev, bytes);
    buffer_upload(arena->blocks, 0, blocks, bytes);
    free(blocks);
}

/* Buckets are small enough for their memory to be a small part of a step's, large enough for one launch to be worth
 * it. A larger parameter has one of its own. */
static void fill_buckets(struct arena *arena)
{
    const size_t most = 4 << 20;
    arena->buckets = mem_new((size_t)arena->count, sizeof *arena->buckets);
    struct bucket *bucket = NULL;
    for (int i = 0; i < arena->count; i++) {
        const struct param *param = &arena->params[i];
        if (!param->trained)
            continue;
        if (!bucket || bucket->numbers + padded(param) > most) {
            bucket = &arena->buckets[arena->bucket_count++];
            *bucket = (struct bucket){.dev = arena->dev, .first = param->offset};
        }
        param->tensor->bucket = bucket;
        param->tensor->in_bucket = bucket->numbers;
        bucket->numbers += padded(param);
        bucket->params = mem_grow(bucket->params, (size_t)++bucket->count, sizeof *bucket->params);
        bucket->params[bucket->count - 1] = param->tensor;
    }
}

/* The memory that a parameter's values lie in. */
static struct buffer *home(const struct arena *arena, const struct param *param)
{
    return param->trained || param->kept ? arena->values : arena->frozen;
}

static void bind(struct arena *arena, struct param *param)
{
    struct tensor *tensor = param->tensor;
    size_t offset = param->offset * sizeof(float), bytes = tensor_bytes(tensor);
    tensor->dev = arena->dev;
    tensor->buffer = buffer_view(home(arena, param), offset, bytes);
    tensor->needs_grad = param->trained;
    tensor->constant = !param->trained && !param->kept;
}

/* Whether a parameter is of a trained group, and of those of its layers that are. */
static bool is_unlocked(const struct arena *arena, const struct param *param, unsigned trained_groups)
{
    int unlocked = arena->unlocked[param->group];
    return (trained_groups >> param->group & 1) &&
           (unlocked == 0 || param->layer > arena->layers[param->group] - unlocked);
}

int arena_allocate(struct arena *arena, struct device *dev, unsigned trained_groups, struct error *err)
{
    arena->dev = dev;
    for (int i = 0; i < arena->count; i++) {
        struct param *param = &arena->params[i];
        bool changes = is_unlocked(arena, param, trained_groups);
        param->trained = changes && !param->init.state;
        param->kept = changes && param->init.state;
        size_t *total = param->trained ? &arena->trained_numbers
                        : param->kept  ? &arena->kept_numbers
                                       : &arena->frozen_numbers;
        param->offset = *total;
        *total += padded(param);
    }
    for (int i = 0; i < arena->count; i++)
        if (arena->params[i].kept)
            arena->params[i].offset += arena->trained_numbers;
    if (arena->trained_numbers) {
        arena->values = zeroed(dev, arena->trained_numbers + arena->kept_numbers);
        arena_shard(arena, 0, 1);
        upload_blocks(arena);
        fill_buckets(arena);
    }
    if (arena->frozen_numbers)
        arena->frozen = buffer_new(dev, arena->frozen_numbers * sizeof(float)); /* all of it is loaded or initialised */
    for (int i = 0; i < arena->count && !device_failed(dev); i++)
        bind(arena, &arena->params[i]);
    return device_failed(dev) ? device_finish(dev, err) : 0;
}

static void draw(float *numbers, struct param_init init, struct random *random, size_t count)
{
    if (init.deviation != 0 && !init.uniform)
        random_fill_normal(numbers, random, count);
    for (size_t i = 0; init.uniform && i < count; i++)
        numbers[i] = (float)(2 * random_uniform(random) - 1);
    for (size_t i = 0; i < count; i++)
        numbers[i] = init.deviation == 0 ? init.mean : init.mean + init.deviation * numbers[i];
}

void arena_initialise(struct arena *arena, unsigned groups, uint64_t seed)
{
    for (int i = 0; i < arena->count; i++) {
        const struct param *param = &arena->params[i];
        if (!(groups >> param->group & 1))
            continue;
        struct random random = random_begin(seed ^ random_key(param->name));
        size_t count = tensor_count(param->tensor);
        float *numbers = arena_map(arena, param, 0, count); // [count]
        if (numbers)
            draw(numbers, param->init, &random, count);
        arena_unmap(arena, param, numbers);
    }
}

size_t arena_shard_start(const struct arena *arena, int part, int parts)
{
    return arena->trained_numbers / ARENA_BLOCK * (size_t)part / (size_t)parts * ARENA_BLOCK;
}

void arena_shard(struct arena *arena, int part, int parts)
{
    buffer_drop(arena->moment1);
    buffer_drop(arena->moment2);
    arena->shard_first = arena_shard_start(arena, part, parts);
    arena->shard_numbers = arena_shard_start(arena, part + 1, parts) - arena->shard_first;
    CHECK(arena->shard_numbers > 0, "%zu numbers in %d parts", arena->trained_numbers, parts);
    arena->moment1 = zeroed(arena->dev, arena->shard_numbers);
    arena->moment2 = zeroed(arena->dev, arena->shard_numbers);
}

void arena_start_average(struct arena *arena)
{
    size_t bytes = arena->trained_numbers * sizeof(float);
    if (!arena->average)
        arena->average = buffer_new(arena->dev, bytes);
    buffer_copy(arena->average, 0, arena->values, 0, bytes);
}

void arena_swap_average(struct arena *arena)
{
    size_t bytes = arena->trained_numbers * sizeof(float);
    if (!arena->average)
        return;
    struct buffer *values = buffer_new(arena->dev, bytes);
    buffer_copy(values, 0, arena->values, 0, bytes);
    buffer_copy(arena->values, 0, arena->average, 0, bytes);
    buffer_copy(arena->average, 0, values, 0, bytes);
    buffer_drop(values);
}

struct param *arena_find(const struct arena *arena, const char *name)
{
    for (int i = 0; i < arena->count; i++)
        if (strcmp(arena->params[i].name, name) == 0)
            return &arena->params[i];
    return NULL;
}

static void forget_packed(const struct param *param)
{
    buffer_drop(param->tensor->packed);
    param->tensor->packed = NULL;
}

void arena_upload(struct arena *arena, const struct param *param, const float *numbers)
{
    forget_packed(param);
    buffer_upload(home(arena, param), param->offset * sizeof(float), numbers, tensor_bytes(param->tensor));
}

void arena_download(float *numbers, const struct arena *arena, const struct param *param)
{
    buffer_download(numbers, home(arena, param), param->offset * sizeof(float), tensor_bytes(param->tensor));
}

float *arena_map(const struct arena *arena, const struct param *param, size_t first, size_t count)
{
    forget_packed(param);
    return buffer_map(home(arena, param), (param->offset + first) * sizeof(float), count * sizeof(float));
}

void arena_unmap(const struct arena *arena, const struct param *param, float *mapped)
{
    buffer_unmap(home(arena, param), mapped);
}
