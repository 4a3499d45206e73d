#include "runtime/ops/grad_sum.h"

#include <stdlib.h>

struct grad_sum {
    struct arena *arena;
    struct ranks *ranks;
    float *numbers;        // [arena->trained_numbers] gradients on the host
    struct fetch **coming; // [arena->bucket_count]; NULL: not sent yet
};

struct grad_sum *grad_sum_new(struct arena *arena, struct ranks *ranks)
{
    if (ranks->count == 1)
        return NULL;
    struct grad_sum *sum = mem_new(1, sizeof *sum);
    *sum = (struct grad_sum){.arena = arena,
                             .ranks = ranks,
                             .numbers = mem_new(arena->trained_numbers, sizeof *sum->numbers),
                             .coming = mem_new((size_t)arena->bucket_count, sizeof *sum->coming)};
    return sum;
}

struct ranks *grad_sum_ranks(const struct grad_sum *sum)
{
    return sum->ranks;
}

void grad_sum_free(struct grad_sum *sum)
{
    if (!sum)
        return;
    free(sum->numbers);
    free(sum->coming);
    free(sum);
}

void grad_sum_send(struct grad_sum *sum, struct bucket *bucket)
{
    sum->coming[bucket - sum->arena->buckets] =
        buffer_fetch(sum->numbers + bucket->first, bucket->grads, 0, bucket->numbers * sizeof(float));
}

/* In one order on all ranks: about that in which backward passes complete buckets, which depends on how a rank runs its
 * part of the batch. */
void grad_sum_finish(struct grad_sum *sum)
{
    struct arena *arena = sum->arena;
    for (int i = arena->bucket_count - 1; i >= 0; i--) {
        if (sum->coming[i])
            continue;
        bucket_fill(&arena->buckets[i]);
        grad_sum_send(sum, &arena->buckets[i]);
    }
    for (int i = arena->bucket_count - 1; i >= 0; i--) {
        const struct bucket *bucket = &arena->buckets[i];
        float *numbers = sum->numbers + bucket->first;
        buffer_fetched(sum->coming[i]);
        sum->coming[i] = NULL;
        ranks_sum(sum->ranks, numbers, bucket->numbers);
        buffer_upload(bucket->grads, 0, numbers, bucket->numbers * sizeof *numbers);
    }
}
