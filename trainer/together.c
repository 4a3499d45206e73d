/* What the ranks of a run do together, beside the loss and the sum of gradients. */
#include "runtime/ops/moments.h"
#include "runtime/util/hash.h"
#include "trainer/trainer.h"

#include <stdlib.h>
#include <string.h>

/* What each rank says before a step. */
struct word {
    int pairs;
    bool able, stop;
    double seconds; /* that the last step took it, without what it waited for others */
};

void together_begin(struct trainer *t)
{
    t->step_began = clock_seconds();
    t->step_waited = t->ranks->waited;
}

static double seconds_worked(const struct trainer *t)
{
    return clock_seconds() - t->step_began - (t->ranks->waited - t->step_waited);
}

/* What --max-memory was planned for are equal shares. */
static bool is_measured(const struct trainer *t)
{
    return strcmp(t->settings.share, "measured") == 0 && t->settings.max_memory == 0;
}

/* Whether the ranks take the step that they have pairs for. */
static bool hear(bool *goes_on, struct trainer *t, const struct word *words)
{
    int pairs = 0, least = words[0].pairs;
    double *seconds = mem_new((size_t)t->ranks->count, sizeof *seconds); // [count]
    *goes_on = true;
    for (int r = 0; r < t->ranks->count; r++) {
        t->stopped |= words[r].stop;
        *goes_on &= words[r].able && !words[r].stop;
        t->counts[r] = words[r].pairs;
        pairs += words[r].pairs;
        least = words[r].pairs < least ? words[r].pairs : least;
        seconds[r] = words[r].seconds;
    }
    t->share_is_new = *goes_on && is_measured(t) && share_measure(&t->share, seconds);
    free(seconds);
    return *goes_on && pairs >= 2 && least >= 1;
}

bool together_before_step(bool *goes_on, struct trainer *t, int pairs, bool able, bool stop)
{
    struct word own = {pairs, able, stop, seconds_worked(t)};
    struct word *words = mem_new((size_t)t->ranks->count, sizeof *words); // [count]
    ranks_gather_each(t->ranks, words, &own, sizeof own);
    bool taken = hear(goes_on, t, words);
    free(words);
    together_begin(t);
    return taken;
}

/* ---- weights ---- */

/* Running statistics of batch norms are each rank's own batches' until here. The mean over ranks of what moved by the
 * same steps is what their mean would have moved to. */
static void average_states(float *states, struct trainer *t)
{
    const struct arena *arena = t->clip->arena;
    size_t bytes = arena->kept_numbers * sizeof *states, offset = arena->trained_numbers * sizeof *states;
    if (arena->kept_numbers == 0)
        return;
    buffer_download(states, arena->values, offset, bytes);
    ranks_sum(t->ranks, states, arena->kept_numbers);
    for (size_t i = 0; i < arena->kept_numbers; i++)
        states[i] /= (float)t->ranks->count;
    buffer_upload(arena->values, offset, states, bytes);
}

/* The first rank whose numbers are not those of rank 0; 0 when all are the same. */
static int find_other(struct trainer *t, const float *numbers, size_t count)
{
    struct hash own = hash_begin(), *all = mem_new((size_t)t->ranks->count, sizeof *all); // [count]
    hash_add(&own, numbers, count * sizeof *numbers);
    ranks_gather_each(t->ranks, all, &own, sizeof own);
    int other = 1;
    while (other < t->ranks->count && memcmp(&all[other], &all[0], sizeof *all) == 0)
        other++;
    free(all);
    return other % t->ranks->count;
}

/* Devices of different kinds round differently. */
static bool devices_differ(struct trainer *t)
{
    char own[128] = "", *all = mem_new((size_t)t->ranks->count, sizeof own); // [count, 128]
    snprintf(own, sizeof own, "%s", device_info(t->dev)->name);
    ranks_gather_each(t->ranks, all, own, sizeof own);
    int same = 1;
    while (same < t->ranks->count && strcmp(all + (size_t)same * sizeof own, all) == 0)
        same++;
    free(all);
    return same < t->ranks->count;
}

/* Never needed with --zero, where one rank makes each weight for all. */
static void take_those_of_first(struct trainer *t, float *numbers)
{
    const struct arena *arena = t->clip->arena;
    struct buffer *const parts[] = {arena->values, arena->moment1, arena->moment2, arena->average};
    size_t bytes = arena->trained_numbers * sizeof *numbers;
    for (int i = 0; i < 4 && parts[i]; i++) {
        buffer_download(numbers, parts[i], 0, bytes);
        ranks_tell(t->ranks, numbers, bytes);
        buffer_upload(parts[i], 0, numbers, bytes);
    }
}

void together_gather_moments(struct trainer *t)
{
    const struct arena *arena = t->clip->arena;
    struct buffer *const moments[] = {arena->moment1, arena->moment2};
    for (int i = 0; i < 2 && moments_are_split(arena); i++) {
        t->moments[i] = mem_new(arena->trained_numbers, sizeof(float));
        moments_gather(t->moments[i], arena, t->ranks, moments[i], 0);
    }
}

void together_free_moments(struct trainer *t)
{
    for (int i = 0; i < 2; i++) {
        free(t->moments[i]);
        t->moments[i] = NULL;
    }
}

int together_check_weights(struct trainer *t, struct error *err)
{
    const struct arena *arena = t->clip->arena;
    size_t count = arena->trained_numbers, room = count > arena->kept_numbers ? count : arena->kept_numbers;
    if (t->ranks->count == 1 || count == 0)
        return 0;
    if (moments_are_split(arena) && arena->average)
        moments_spread(arena->average, arena, t->ranks);
    float *numbers = mem_new(room, sizeof *numbers);
    average_states(numbers, t);
    buffer_download(numbers, arena->values, 0, count * sizeof *numbers);
    int other = find_other(t, numbers, count), result = 0;
    if (other > 0 && devices_differ(t))
        take_those_of_first(t, numbers);
    else if (other > 0)
        result = error_set(err, EXIT_FAILED,
                           "at step %d the weights of rank %d are not those of rank 0: one of them "
                           "computes wrong results",
                           t->position.step, other);
    free(numbers);
    return result;
}
