/* Parameters, in flat memory: one write saves them all.
 *
 *     struct arena *arena = arena_new();
 *     struct tensor *w = arena_add(arena, GROUP_HEAD, init_normal(0.02f), 2, (int[]){512, 384}, "%s.weight", "fc1");
 *     if (arena_allocate(arena, dev, 1u << GROUP_HEAD, &err) != 0) ...   // groups that are trained
 *     arena_initialise(arena, 1u << GROUP_HEAD, seed);
 *     arena_upload(arena, arena_find(arena, "image_head.fc1.weight"), numbers);
 *
 * Trained parameters come first, in the order they were added, each padded to ARENA_BLOCK numbers, with the two moments
 * of AdamW in equal layout beside them. Their gradients come and go by bucket (bucket.h). Behind them come the states
 * of trained groups: what forward passes themselves move, like running means. Frozen ones have values only.
 */
#ifndef OCLIP_ARENA_H
#define OCLIP_ARENA_H

#include "runtime/bucket.h"

#include <stdint.h>

enum { ARENA_BLOCK = 256 }; /* numbers; a block belongs to one parameter, so that it has one learning rate */
enum { ARENA_GROUPS = 8 };  /* of parameters that share a learning rate */

/* What arena_add() takes as the group of a parameter that stands in one of its group's layers, counted from the input:
 * a group by itself is its layer 0. */
static inline int arena_place(int group, int layer)
{
    return layer * ARENA_GROUPS + group;
}

/* What a parameter starts from: mean + deviation * (a normal number, or a uniform one in [-1, 1)). */
struct param_init {
    float mean, deviation;
    bool uniform;
    bool state; /* saved and loaded, but not trained: no gradient, no moments, no optimizer */
};
struct param_init init_constant(float value);
struct param_init init_state(float value);
struct param_init init_normal(float deviation);
struct param_init init_uniform(float limit);

struct param {
    char *name;
    struct tensor *tensor; /* handed out by arena_add; its buffer comes with arena_allocate */
    int group, layer;      /* arena_place() */
    struct param_init init;
    bool trained, kept; /* kept: the state of a layer that is trained */
    size_t offset;      /* in numbers, in `values` (trained or kept) or `frozen` */
};

/* Parameters that have the same learning rate and weight decay. */
struct rate_class {
    int group, layer;
    bool decays;
};

struct arena {
    struct device *dev;
    struct param *params; // [count]
    int count, capacity;
    size_t trained_numbers, kept_numbers, frozen_numbers; /* padded */
    struct buffer *values;             // [trained_numbers + kept_numbers] float; NULL when nothing is trained
    struct buffer *moment1, *moment2;  // [shard_numbers] float; so here
    size_t shard_first, shard_numbers; /* the trained numbers that have moments here: all, or arena_shard() */
    struct buffer *average;            // [trained_numbers] float; NULL unless arena_start_average() made it
    struct buffer *frozen;             // [frozen_numbers] float
    struct bucket *buckets;            // [bucket_count]: the trained parameters in order
    int bucket_count;
    struct buffer *blocks;      // [trained_numbers / ARENA_BLOCK, 2] int: a block's rate class, and its numbers in use
    struct rate_class *classes; // [class_count]
    int class_count;
    int layers[ARENA_GROUPS];   /* the last layer of each group */
    int unlocked[ARENA_GROUPS]; /* before arena_allocate(): of a trained group, only so many last layers; 0: all */
    bool decay_vectors;         /* weight decay also for what has one dimension: norms, biases, the logit scale */
};

struct arena *arena_new(void);
void arena_free(struct arena *arena);

/* A float parameter; `place` is a group or an arena_place(). The name must be new. */
struct tensor *arena_add(struct arena *arena, int place, struct param_init init, int ndim, const int *dim,
                         const char *format, ...) PRINTF_LIKE(6, 7);

/* Gives every parameter its memory; `trained_groups` is a bit mask. Moments start at zero. */
int arena_allocate(struct arena *arena, struct device *dev, unsigned trained_groups, struct error *err) MUST_CHECK;

/* Gives the parameters of these groups (a bit mask) their first values; they depend on name and seed alone. */
void arena_initialise(struct arena *arena, unsigned groups, uint64_t seed);

/* From now on only the `part`-th of `parts` has moments here; they are zero. Parts are equally many ARENA_BLOCKs. */
void arena_shard(struct arena *arena, int part, int parts);
size_t arena_shard_start(const struct arena *arena, int part, int parts);

/* From now on the optimizer keeps an average of the trained parameters, which starts as they are. It stands in for them
 * between two swaps; states, which are averages themselves, stay. A swap without an average does nothing. */
void arena_start_average(struct arena *arena);
void arena_swap_average(struct arena *arena);

struct param *arena_find(const struct arena *arena, const char *name); /* NULL when there is none */
void arena_upload(struct arena *arena, const struct param *param, const float *numbers);
void arena_download(float *numbers, const struct arena *arena, const struct param *param);

/* Host memory for numbers `first` to first + count of a parameter, all to be written, then given back: loads without a
 * copy where device memory is the host's. NULL after a failure, which sticks to the device. */
float *arena_map(const struct arena *arena, const struct param *param, size_t first, size_t count); // [count]
void arena_unmap(const struct arena *arena, const struct param *param, float *mapped);              /* NULL is fine */

#endif
