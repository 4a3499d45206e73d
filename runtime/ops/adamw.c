#include "runtime/ops/adamw.h"

#include "runtime/launch.h"
#include "runtime/ops/grad_norm.h"
#include "runtime/ops/grad_sum.h"
#include "runtime/ops/loss_scale.h"
#include "runtime/ops/moments.h"
#include "runtime/ops/step_guard.h"

#include <math.h>
#include <stdlib.h>

_Static_assert(ARENA_BLOCK == 256 && LAUNCH_CHUNK % ARENA_BLOCK == 0, "cl/adamw.cl says so too");

/* One step over the buckets of an arena. */
struct update {
    struct arena *arena;
    const struct adamw *settings;
    struct tensor *rates; // [arena->class_count, 2]
    struct tensor *norm;  // [4], or NULL: no clipping
    bool *done;           // [arena->bucket_count]
};

static double rate_of(const struct arena *arena, const struct rate_class *class, const struct adamw *settings)
{
    double decay = (double)settings->layer_decay[class->group];
    int before_last = arena->layers[class->group] - class->layer;
    return (double)settings->rates[class->group] * (decay > 0 ? pow(decay, before_last) : 1);
}

/* For each rate class what the kernel multiplies the update and the value with. [class_count, 2]; caller frees. */
static struct tensor *new_rates(const struct arena *arena, const struct adamw *settings)
{
    float(*numbers)[2] = mem_new((size_t)arena->class_count, sizeof *numbers); // [class_count, 2]
    double rest_of_beta1 = settings->loss_scale ? 1 : 1 - pow((double)settings->beta1, settings->step);
    for (int i = 0; i < arena->class_count; i++) {
        const struct rate_class *class = &arena->classes[i];
        double rate = rate_of(arena, class, settings);
        double decay = class->decays ? (double)settings->weight_decay[class->group] : 0;
        numbers[i][0] = (float)(rate / rest_of_beta1);
        numbers[i][1] = (float)(1 - rate * decay);
    }
    struct tensor *rates = tensor_new(arena->dev, DTYPE_F32, 2, (int[]){arena->class_count, 2});
    tensor_upload(rates, numbers);
    free(numbers);
    return rates;
}

/* Blocks first to end: those of the bucket whose moments are here. */
static void update_blocks(const struct update *update, const struct bucket *bucket, size_t first, size_t end)
{
    const struct arena *arena = update->arena;
    const struct adamw *s = update->settings;
    double beta1 = (double)s->beta1, beta2 = (double)s->beta2;
    LAUNCH(arena->dev, "adamw.cl", "adamw_step", range_chunks(arena->dev, (end - first) * ARENA_BLOCK),
           ARG_MEMORY(arena->values), ARG_MEMORY(arena->moment1), ARG_MEMORY(arena->moment2), ARG_MEMORY(bucket->grads),
           ARG_MEMORY(arena->blocks), ARG_BUFFER(update->rates), ARG_BUFFER(update->norm), ARG_BUFFER(s->guard),
           ARG_MEMORY(arena->average), ARG_FLOAT((float)(1 - (double)s->average_decay)), ARG_FLOAT(s->beta1),
           ARG_FLOAT(s->beta2), ARG_FLOAT((float)(1 - beta1)), ARG_FLOAT((float)(1 - beta2)),
           ARG_FLOAT((float)sqrt(1 - pow(beta2, s->step))), ARG_FLOAT(s->eps), ARG_INT((int)first),
           ARG_INT((int)(first - bucket->first / ARENA_BLOCK)),
           ARG_INT((int)(first - arena->shard_first / ARENA_BLOCK)), ARG_INT((int)(end - first)),
           ARG_INT(s->loss_scale != NULL));
}

static void update_bucket(struct update *update, struct bucket *bucket)
{
    const struct arena *arena = update->arena;
    size_t first = bucket->first / ARENA_BLOCK, end = first + bucket->numbers / ARENA_BLOCK;
    size_t shard = arena->shard_first / ARENA_BLOCK, shard_end = shard + arena->shard_numbers / ARENA_BLOCK;
    first = first > shard ? first : shard;
    end = end < shard_end ? end : shard_end;
    bucket_fill(bucket);
    if (first < end)
        update_blocks(update, bucket, first, end);
    bucket_clear(bucket);
    update->done[bucket - arena->buckets] = true;
}

/* Nothing more will come in this backward pass. */
static void bucket_done(void *context, struct bucket *bucket)
{
    struct update *update = context;
    if (!update->settings->sum) {
        update_bucket(update, bucket);
        return;
    }
    bucket_fill(bucket);
    grad_sum_send(update->settings->sum, bucket);
}

static struct update update_begin(struct arena *arena, const struct adamw *settings)
{
    CHECK(settings->step >= 1, "adamw: steps count from 1, not %d", settings->step);
    return (struct update){.arena = arena,
                           .settings = settings,
                           .rates = new_rates(arena, settings),
                           .done = mem_new((size_t)arena->bucket_count, sizeof(bool))};
}

static void update_end(struct update *update)
{
    struct arena *arena = update->arena;
    const struct adamw *s = update->settings;
    if (s->sum)
        grad_sum_finish(s->sum);
    if (s->max_norm > 0 || s->loss_scale)
        update->norm = grad_norm(arena, s->max_norm);
    if (s->loss_scale)
        loss_scale_update(update->norm, s->loss_scale, s->max_norm, s->beta1, s->beta2);
    if (s->guard && update->norm)
        step_guard_norm(s->guard, update->norm, s->loss_scale);
    for (int i = 0; i < arena->bucket_count; i++)
        if (!update->done[i])
            update_bucket(update, &arena->buckets[i]);
    if (moments_are_split(arena))
        moments_spread(arena->values, arena, grad_sum_ranks(s->sum));
    tensor_free(update->rates);
    tensor_free(update->norm);
    free(update->done);
}

void adamw_step(struct arena *arena, const struct adamw *settings)
{
    if (arena->trained_numbers == 0)
        return;
    struct update update = update_begin(arena, settings);
    update_end(&update);
}

void adamw_backward(struct tape *tape, struct tensor *loss, struct arena *arena, const struct adamw *settings)
{
    struct update update = update_begin(arena, settings);
    if (settings->sum || (settings->max_norm == 0 && !settings->loss_scale))
        tape_when_complete(tape, bucket_done, &update);
    if (settings->guard)
        step_guard_loss(settings->guard, loss);
    if (settings->loss_scale)
        loss_scale_backward(tape, loss, settings->loss_scale);
    else
        tape_backward(tape, loss);
    tape_when_complete(tape, NULL, NULL);
    update_end(&update);
}
