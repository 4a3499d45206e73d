/* How ranks reach each other: what each kind of them has to offer, and how it starts them. */
#ifndef OCLIP_RANKS_KINDS_H
#define OCLIP_RANKS_KINDS_H

#include "runtime/ranks/ranks.h"

struct ranks_kind {
    void (*gather)(struct ranks *ranks, void *all, const void *own, const size_t *bytes);
    void (*sum)(struct ranks *ranks, float *numbers, size_t count);
};

int ranks_run_threads(int *code, int count, ranks_work *work, void *context, struct error *err) MUST_CHECK;
int ranks_run_mpi(int *code, ranks_work *work, void *context, struct error *err) MUST_CHECK;

#endif
