/* What a run takes of its device, found by trying: a step at learning rates of 0, and everything as it was after it.
 *
 * What is tried are ways to split a step of so many pairs, by the time they take: at once; with checkpoints, which runs
 * the towers' forward pass twice; in parts (--accum-freq), which does too, over smaller matrices; in parts with
 * checkpoints, thrice.
 */
#include "runtime/ops/loss_scale.h"
#include "trainer/batch_loss.h"
#include "trainer/trainer.h"

#include <stdlib.h>

enum { TIMED_STEPS = 3 };

struct way {
    int parts;
    bool checkpointing;
};

/* What a step changes. */
struct state {
    float *values; // [bytes / 4]
    size_t bytes;
};

static struct state state_keep(const struct arena *arena)
{
    struct state state = {.bytes = (arena->trained_numbers + arena->kept_numbers) * sizeof(float)};
    state.values = mem_new(state.bytes, 1);
    if (state.bytes)
        buffer_download(state.values, arena->values, 0, state.bytes);
    return state;
}

/* Before the first step moments are 0. */
static void state_put_back(struct trainer *t, struct state *state)
{
    const struct arena *arena = t->clip->arena;
    size_t bytes = arena->shard_numbers * sizeof(float);
    if (state->bytes)
        buffer_upload(arena->values, 0, state->values, state->bytes);
    if (bytes) {
        buffer_zero(arena->moment1, 0, bytes);
        buffer_zero(arena->moment2, 0, bytes);
    }
    if (t->loss_scale)
        loss_scale_steps(t->loss_scale, 0, 0, 0);
    free(state->values);
}

static void go(struct trainer *t, int pairs, struct way way)
{
    t->settings.accum_freq = way.parts;
    t->settings.batch_size = pairs / way.parts;
    t->settings.grad_checkpointing = way.checkpointing;
    clip_checkpoint_blocks(t->clip, way.checkpointing);
}

static struct way way_of(const struct trainer *t)
{
    return (struct way){t->settings.accum_freq, t->settings.grad_checkpointing};
}

static void one_step(struct trainer *t, const struct batch *batch)
{
    struct adamw adamw = optimizer_at(t, 0, 0);
    tape_seed(t->tape, 0);
    adamw_backward(t->tape, batch_loss(t, batch), t->clip->arena, &adamw);
    tape_reset(t->tape);
}

/* Ranks share steps, also those that are tried: what one cannot do, none goes on with. */
static bool all_can(struct trainer *t, bool this_one)
{
    struct error ignored = {0};
    return ranks_agree(t->ranks, this_one ? 0 : -1, &ignored) == 0;
}

/* Whether a step fits; *peak: the most that it took. Kernels and products that are new are made first. */
static bool fits(struct trainer *t, const struct batch *batch, size_t *peak)
{
    struct error ignored;
    if (!all_can(t, buffer_recover(t->dev)))
        return false;
    one_step(t, batch);
    if (!all_can(t, !device_failed(t->dev) && buffer_recover(t->dev)))
        return false;
    one_step(t, batch);
    *peak = buffer_bytes_peak(t->dev);
    return all_can(t, device_finish(t->dev, &ignored) == 0);
}

static bool way_fits(struct trainer *t, const struct batch *batch, int pairs, struct way way, size_t *peak)
{
    go(t, pairs, way);
    return fits(t, batch, peak);
}

/* The first way that fits, fastest first. Without checkpoints parts of a step come before any with. */
static bool find_way(struct trainer *t, const struct batch *batch, int pairs, size_t *peak)
{
    if (way_fits(t, batch, pairs, (struct way){1, false}, peak) ||
        way_fits(t, batch, pairs, (struct way){1, true}, peak))
        return true;
    bool splits = !t->images.rows || !t->texts.rows; /* features that are cached leave nothing to run in parts */
    for (int checkpointing = 0; splits && checkpointing < 2; checkpointing++)
        for (int parts = 2; parts <= pairs / 2; parts++)
            if (pairs % parts == 0 && way_fits(t, batch, pairs, (struct way){parts, checkpointing}, peak))
                return true;
    return false;
}

/* The least limit under which the smallest way fits, within 5 %. */
static size_t least_limit(struct trainer *t, const struct batch *batch)
{
    size_t peak = 0;
    buffer_limit(t->dev, 0);
    if (!fits(t, batch, &peak))
        return 0;
    for (size_t limit = peak;; limit += limit / 20) {
        buffer_limit(t->dev, limit);
        if (fits(t, batch, &peak))
            return limit;
    }
}

static int first_batch(struct batch *batch, struct trainer *t, struct error *err)
{
    bool goes_on;
    *batch = (struct batch){0};
    int more = trainer_open_loader(t, 0, 0, err) == 0 ? loader_next(batch, t->loader, err) : -1;
    bool taken = together_before_step(&goes_on, t, batch->count, more > 0, false);
    int result = taken ? 0 : more < 0 ? -1 : error_set(err, EXIT_BAD_DATA, "no pairs to try a step with");
    return ranks_agree(t->ranks, result, err);
}

static void let_batch_go(struct trainer *t)
{
    loader_close(t->loader);
    t->loader = NULL;
}

int plan_choose(struct trainer *t, struct error *err)
{
    struct batch batch;
    int pairs = settings_rank_pairs(&t->settings), result = 0;
    size_t peak, limit = t->settings.max_memory;
    if (limit == 0)
        return 0;
    if (first_batch(&batch, t, err) != 0)
        return -1;
    struct state state = state_keep(t->clip->arena);
    if (!find_way(t, &batch, pairs, &peak)) {
        size_t least = least_limit(t, &batch);
        result = error_set(err, EXIT_NO_MEMORY,
                           "--max-memory: %.1f MB are too little for steps of %d pairs; the least that would do is "
                           "%.1f MB, by --accum-freq %d --grad-checkpointing",
                           (double)limit / 1e6, pairs, (double)least / 1e6, t->settings.accum_freq);
    }
    buffer_limit(t->dev, limit);
    state_put_back(t, &state);
    let_batch_go(t);
    return result;
}

static char *options_of(const struct trainer *t)
{
    const struct settings *s = &t->settings;
    return mem_format("--batch-size %d --accum-freq %d%s", s->batch_size, s->accum_freq,
                      s->grad_checkpointing ? " --grad-checkpointing" : "");
}

int plan_print(struct trainer *t, struct error *err)
{
    struct batch batch;
    size_t peak = 0;
    if (first_batch(&batch, t, err) != 0)
        return -1;
    size_t before = buffer_bytes_peak(t->dev);
    struct state state = state_keep(t->clip->arena);
    bool fit = fits(t, &batch, &peak);
    double start = clock_seconds();
    for (int i = 0; i < TIMED_STEPS && fit; i++)
        one_step(t, &batch);
    int result = ranks_agree(t->ranks, device_finish(t->dev, err), err);
    double seconds = (clock_seconds() - start) / TIMED_STEPS;
    state_put_back(t, &state);
    let_batch_go(t);
    if (result != 0 || t->ranks->rank > 0)
        return result;
    char *options = options_of(t);
    int steps = t->total_steps - t->position.step;
    printf("plan: %s\ndevice memory: %.1f MB\nsteps: %d of %d pairs\ntime: %.0f s, %.3f s a step, beside evaluation, "
           "saving and photos that come late\n",
           options, (double)(peak > before ? peak : before) / 1e6, steps, settings_step_pairs(&t->settings),
           steps * seconds, seconds);
    free(options);
    return 0;
}

void plan_advise(struct trainer *t)
{
    struct batch batch;
    struct error ignored;
    int pairs = settings_rank_pairs(&t->settings);
    struct way way = way_of(t);
    size_t peak;
    let_batch_go(t);
    if (!all_can(t, buffer_recover(t->dev)) || first_batch(&batch, t, &ignored) != 0)
        return;
    if (find_way(t, &batch, pairs, &peak)) {
        char *options = options_of(t);
        report_note(t, "what would fit: %s", options);
        free(options);
    } else {
        report_note(t, "no split of a step of %d pairs would fit", pairs);
    }
    go(t, pairs, way);
    let_batch_go(t);
}
