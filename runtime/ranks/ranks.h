/* Ranks: workers that do one job together, each with a device of its own, as threads of this process or as processes
 * that mpirun started, here and on other machines. One worker is the case count = 1.
 *
 *     static int work(struct ranks *ranks, void *context)
 *     {
 *         float all[ranks->count];
 *         ranks_gather_each(ranks, all, &mine, sizeof mine);       // everybody's, by rank
 *         ranks_sum(ranks, numbers, count);                        // the same bits on every rank
 *         return ranks_agree(ranks, open_device(..., &err), &err) != 0 ? error_report(&err) : EXIT_OK;
 *     }
 *     int code;
 *     if (ranks_run(&code, devices, work, &context, &err) != 0) return error_report(&err);
 *
 * Every call but ranks_run() is made by all ranks, in the same order, and waits until all have made it, without keeping
 * a processor busy. A process that dies takes all others down: as its threads, or by mpirun, which says so.
 */
#ifndef OCLIP_RANKS_H
#define OCLIP_RANKS_H

#include "runtime/util/error.h"

#include <stdbool.h>

struct ranks {
    const struct ranks_kind *kind;
    void *group; /* of that kind */
    int rank, count;
    int neighbour; /* counts the ranks of this machine */
    double waited; /* seconds so far in the calls below */
};

typedef int ranks_work(struct ranks *ranks, void *context);

/* Runs the work on `count` threads, of which the caller is rank 0; or, in a process that mpirun started, on this one,
 * whatever `count` is. *code: what the work of rank 0, or of this process, returned. Fails where this process is one of
 * several and MPI was absent at build time. */
int ranks_run(int *code, int count, ranks_work *work, void *context, struct error *err) MUST_CHECK;

/* all: own of each rank one behind the other; bytes [count] says how long each is. */
void ranks_gather(struct ranks *ranks, void *all, const void *own, const size_t *bytes);
void ranks_gather_each(struct ranks *ranks, void *all, const void *own, size_t bytes); /* all are so long */

/* numbers [count] become their sum over all ranks. */
void ranks_sum(struct ranks *ranks, float *numbers, size_t count);

/* Every rank's bytes become those of rank 0. */
void ranks_tell(struct ranks *ranks, void *bytes, size_t count);

/* 0 if every rank's result is 0; else -1 on each, and err is that of the first rank that failed. */
int ranks_agree(struct ranks *ranks, int result, struct error *err) MUST_CHECK;

#endif
