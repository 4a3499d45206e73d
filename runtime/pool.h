/* Device memory in slabs: large allocations that are cut into ranges and joined again, so that memory let go by tensors
 * of one shape serves those of another. Only buffer.c uses this, and upload.c, whose memory counts with the rest.
 *
 *     struct range *range = pool_take(dev, bytes);         // NULL when the device is out of memory: it has failed then
 *     ... range->memory ...                                // a cl_mem of its own, as long as the range is taken
 *     pool_give(range);
 *
 * A slab's pages count for the process only once they were written to, so a slab that is larger than what is asked of
 * it costs little on a CPU.
 */
#ifndef OCLIP_POOL_H
#define OCLIP_POOL_H

#include "runtime/opencl.h"

enum { POOL_ALIGNMENT = 1024 }; /* of ranges, in bytes: no device asks for more than 4,096 bits */

struct slab {
    struct device *dev;
    cl_mem memory;
    void *host; /* where the memory lies, if we gave the driver our own */
    size_t bytes;
    struct slab *next;
};

struct range {
    struct slab *slab;
    size_t start, bytes;
    bool taken;
    cl_mem memory;                     /* while it is taken */
    struct range *before, *after;      /* neighbours in the slab */
    struct range *next_free, **linked; /* in the pool's list of what is free; the pointer that points here */
};

struct pool {
    struct slab *slabs;
    struct range *free;
    bool whole_slabs; /* every range gets a slab of its own: tools that look for stray reads see its true end */
    size_t in_use, peak;
    size_t allocated, limit; /* of slabs and uploads: what the driver gave, and what it is asked for at most; 0: all */
    size_t guard;            /* bytes behind each buffer; 0 unless buffer_guard() was called */
    long guard_faults;
};

/* Asks the driver for a buffer within the pool's limit; NULL with the reason in *code. */
cl_mem pool_allocate(struct device *dev, cl_mem_flags flags, size_t bytes, void *host, cl_int *code);
void pool_count_use(struct pool *pool, size_t bytes); /* so many more are in use */
void pool_release_free(struct pool *pool);            /* slabs of which nothing is taken go back to the driver */

struct range *pool_take(struct device *dev, size_t bytes);
void pool_give(struct range *range);

/* A cl_mem for bytes of a range, for the caller to release; NULL when the driver refuses: the device has failed then.
 */
cl_mem pool_part(const struct range *range, size_t start, size_t bytes);

#endif
