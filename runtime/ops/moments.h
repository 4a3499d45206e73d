/* The moments of an arena's parameters, kept in parts by several ranks (ZeRO-1: Rajbhandari et al. 2020): each updates
 * the parameters that it has the moments of, and tells the others.
 *
 *     arena_shard(arena, ranks->rank, ranks->count);          // before the first step
 *     ... adamw_backward(), whose settings.sum knows the ranks ...
 *     moments_gather(all, arena, ranks, arena->moment1, 0);    // for a checkpoint. [arena->trained_numbers]
 */
#ifndef OCLIP_MOMENTS_H
#define OCLIP_MOMENTS_H

#include "runtime/arena.h"
#include "runtime/ranks/ranks.h"

bool moments_are_split(const struct arena *arena);

/* all [arena->trained_numbers]: what each rank has of its part, which begins at number `first` of its buffer. */
void moments_gather(float *all, const struct arena *arena, struct ranks *ranks, struct buffer *buffer, size_t first);

/* A buffer [arena->trained_numbers] of which each rank has made its part anew becomes the same on all. */
void moments_spread(struct buffer *buffer, const struct arena *arena, struct ranks *ranks);

#endif
