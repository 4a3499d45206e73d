#include "tools/hits.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

static bool is_better(struct hit a, struct hit b)
{
    return a.score > b.score || (a.score == b.score && a.row < b.row);
}

/* The hits are a heap with the worst at its root: heap[at] sinks to where it belongs. */
static void sink(struct hit *heap, size_t at, size_t count)
{
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && is_better(heap[child], heap[child + 1]))
            child++;
        if (!is_better(heap[at], heap[child]))
            return;
        struct hit swap = heap[at];
        heap[at] = heap[child];
        heap[child] = swap;
    }
}

void hits_weigh(struct hit *hits, size_t k, size_t seen, struct hit hit)
{
    if (isnan(hit.score))
        hit.score = -INFINITY;
    if (seen < k) {
        hits[seen] = hit;
        for (size_t at = k / 2; seen + 1 == k && at-- > 0;)
            sink(hits, at, k);
    } else if (is_better(hit, hits[0])) {
        hits[0] = hit;
        sink(hits, 0, k);
    }
}

static int compare_hits(const void *a, const void *b)
{
    const struct hit *x = a, *y = b;
    return is_better(*y, *x) - is_better(*x, *y);
}

void hits_sort(struct hit *hits, size_t k)
{
    qsort(hits, k, sizeof *hits, compare_hits);
}

float hits_score(const float *row, const float *query, size_t dim)
{
    double sum = 0;
    for (size_t i = 0; i < dim; i++)
        sum += (double)row[i] * (double)query[i];
    return (float)sum;
}
