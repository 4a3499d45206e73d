#include "runtime/ops/moments.h"

#include <stdlib.h>

bool moments_are_split(const struct arena *arena)
{
    return arena->shard_numbers < arena->trained_numbers;
}

void moments_gather(float *all, const struct arena *arena, struct ranks *ranks, struct buffer *buffer, size_t first)
{
    float *own = mem_new(arena->shard_numbers, sizeof *own);
    size_t *bytes = mem_new((size_t)ranks->count, sizeof *bytes);
    for (int r = 0; r < ranks->count; r++)
        bytes[r] =
            (arena_shard_start(arena, r + 1, ranks->count) - arena_shard_start(arena, r, ranks->count)) * sizeof *own;
    if (arena->shard_numbers)
        buffer_download(own, buffer, first * sizeof *own, arena->shard_numbers * sizeof *own);
    ranks_gather(ranks, all, own, bytes);
    free(bytes);
    free(own);
}

void moments_spread(struct buffer *buffer, const struct arena *arena, struct ranks *ranks)
{
    float *all = mem_new(arena->trained_numbers, sizeof *all);
    moments_gather(all, arena, ranks, buffer, arena->shard_first);
    buffer_upload(buffer, 0, all, arena->trained_numbers * sizeof *all);
    free(all);
}
