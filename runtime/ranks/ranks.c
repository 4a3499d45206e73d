#include "runtime/ranks/ranks.h"

#include "runtime/ranks/kinds.h"
#include "runtime/util/progress.h"

#include <stdlib.h>
#include <string.h>

void ranks_gather(struct ranks *ranks, void *all, const void *own, const size_t *bytes)
{
    double start = clock_seconds();
    ranks->kind->gather(ranks, all, own, bytes);
    ranks->waited += clock_seconds() - start;
}

void ranks_gather_each(struct ranks *ranks, void *all, const void *own, size_t bytes)
{
    size_t *each = mem_new((size_t)ranks->count, sizeof *each);
    for (int r = 0; r < ranks->count; r++)
        each[r] = bytes;
    ranks_gather(ranks, all, own, each);
    free(each);
}

void ranks_sum(struct ranks *ranks, float *numbers, size_t count)
{
    double start = clock_seconds();
    ranks->kind->sum(ranks, numbers, count);
    ranks->waited += clock_seconds() - start;
}

/* Only rank 0 has something to give; each copy goes where it is wanted. */
void ranks_tell(struct ranks *ranks, void *bytes, size_t count)
{
    size_t *each = mem_new((size_t)ranks->count, sizeof *each);
    void *told = mem_new(count, 1);
    each[0] = count;
    ranks_gather(ranks, told, bytes, each);
    memcpy(bytes, told, count);
    free(told);
    free(each);
}

int ranks_agree(struct ranks *ranks, int result, struct error *err)
{
    int *results = mem_new((size_t)ranks->count, sizeof *results), first = 0; // [count]
    ranks_gather_each(ranks, results, &result, sizeof result);
    while (first < ranks->count && results[first] == 0)
        first++;
    free(results);
    if (first == ranks->count)
        return 0;
    size_t *bytes = mem_new((size_t)ranks->count, sizeof *bytes);
    struct error own = *err;
    bytes[first] = sizeof own;
    ranks_gather(ranks, err, &own, bytes);
    free(bytes);
    return -1;
}
