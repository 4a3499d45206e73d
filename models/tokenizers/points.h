/* A growing run of code points.
 *
 *     struct points out = {0};
 *     points_put(&out, 'a');
 *     free(out.items);
 */
#ifndef OCLIP_POINTS_H
#define OCLIP_POINTS_H

#include "runtime/util/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct points {
    uint32_t *items; // [count]
    size_t count, capacity;
};

static inline void points_reserve(struct points *points, size_t more)
{
    if (points->count + more <= points->capacity)
        return;
    points->capacity = 2 * points->capacity + more;
    points->items = mem_grow(points->items, points->capacity, sizeof *points->items);
}

static inline void points_put(struct points *points, uint32_t point)
{
    points_reserve(points, 1);
    points->items[points->count++] = point;
}

static inline void points_append(struct points *points, const uint32_t *more, size_t count) // more: [count]
{
    points_reserve(points, count + 1);
    for (size_t i = 0; i < count; i++)
        points->items[points->count++] = more[i];
}

static inline bool points_equal(const struct points *a, const struct points *b)
{
    return a->count == b->count && (a->count == 0 || memcmp(a->items, b->items, a->count * sizeof *a->items) == 0);
}

#endif
