#define _GNU_SOURCE
#include "runtime/pool.h"

#include "runtime/paths.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { SLAB_BYTES = 256 << 20 };

struct pool *pool_new(void)
{
    return mem_new(1, sizeof(struct pool));
}

/* ---- slabs ---- */

/* A CPU driver's own memory comes in pages of 4 kB, and a matrix product that streams weights then waits for the page
 * tables. Large slabs are put on huge pages of our own instead. NULL where that is not wanted or not to be had. */
static void *new_huge_pages(const struct device *dev, size_t bytes)
{
    const size_t page = 2 << 20;
    if (dev->info.device_class != DEVICE_CPU || bytes < page || !path_is_on(dev, PATH_HUGE_PAGES))
        return NULL;
    size_t rounded = (bytes + page - 1) / page * page;
    void *memory = aligned_alloc(page, rounded);
    if (memory)
        madvise(memory, rounded, MADV_HUGEPAGE);
    return memory;
}

cl_mem pool_allocate(struct device *dev, cl_mem_flags flags, size_t bytes, void *host, cl_int *code)
{
    struct pool *pool = dev->pool;
    *code = CL_MEM_OBJECT_ALLOCATION_FAILURE;
    if (pool->limit && (bytes > pool->limit || pool->allocated > pool->limit - bytes))
        return NULL;
    cl_mem memory = clCreateBuffer(dev->context, flags, bytes, host, code);
    if (*code != CL_SUCCESS)
        return NULL;
    pool->allocated += bytes;
    dev->counters.buffers_created++;
    return memory;
}

void pool_count_use(struct pool *pool, size_t bytes)
{
    pool->in_use += bytes;
    if (pool->in_use > pool->peak)
        pool->peak = pool->in_use;
}

static cl_int slab_create(struct slab **out, struct device *dev, size_t bytes)
{
    cl_int code;
    struct slab *slab = mem_new(1, sizeof *slab);
    *slab = (struct slab){.dev = dev, .bytes = bytes, .host = new_huge_pages(dev, bytes)};
    cl_mem_flags flags = CL_MEM_READ_WRITE | (slab->host ? CL_MEM_USE_HOST_PTR : 0);
    slab->memory = pool_allocate(dev, flags, bytes, slab->host, &code);
    if (code != CL_SUCCESS) {
        free(slab->host);
        free(slab);
        return code;
    }
    slab->next = dev->pool->slabs;
    *out = dev->pool->slabs = slab;
    return CL_SUCCESS;
}

static void slab_free(struct slab *slab)
{
    slab->dev->pool->allocated -= slab->bytes;
    clReleaseMemObject(slab->memory);
    free(slab->host);
    free(slab);
}

/* ---- the list of free ranges ---- */

static void list_add(struct pool *pool, struct range *range)
{
    range->next_free = pool->free;
    range->linked = &pool->free;
    if (pool->free)
        pool->free->linked = &range->next_free;
    pool->free = range;
}

static void list_remove(struct range *range)
{
    *range->linked = range->next_free;
    if (range->next_free)
        range->next_free->linked = range->linked;
}

/* The smallest that is large enough. */
static struct range *best_fit(const struct pool *pool, size_t bytes)
{
    struct range *best = NULL;
    for (struct range *range = pool->free; range; range = range->next_free)
        if (range->bytes >= bytes && (!best || range->bytes < best->bytes))
            best = range;
    return best && pool->whole_slabs && best->bytes != bytes ? NULL : best;
}

void pool_release_free(struct pool *pool)
{
    for (struct slab **link = &pool->slabs; *link;) {
        struct slab *slab = *link;
        struct range *whole = NULL;
        for (struct range *range = pool->free; range && !whole; range = range->next_free)
            if (range->slab == slab && range->bytes == slab->bytes)
                whole = range;
        if (!whole) {
            link = &slab->next;
            continue;
        }
        list_remove(whole);
        free(whole);
        *link = slab->next;
        slab_free(slab);
    }
}

void pool_free(struct pool *pool)
{
    pool_release_free(pool);
    free(pool);
}

/* ---- ranges ---- */

static size_t slab_bytes(const struct device *dev, size_t bytes)
{
    size_t usual = SLAB_BYTES;
    if (usual > dev->info.memory_bytes / 16)
        usual = dev->info.memory_bytes / 16 / POOL_ALIGNMENT * POOL_ALIGNMENT;
    if (dev->pool->limit && usual > dev->pool->limit / 16)
        usual = dev->pool->limit / 16 / POOL_ALIGNMENT * POOL_ALIGNMENT;
    if (dev->info.largest_bytes && usual > dev->info.largest_bytes)
        usual = dev->info.largest_bytes / POOL_ALIGNMENT * POOL_ALIGNMENT;
    return dev->pool->whole_slabs || bytes > usual ? bytes : usual;
}

static struct range *new_slab(struct device *dev, size_t bytes)
{
    struct pool *pool = dev->pool;
    struct slab *slab;
    cl_int code = slab_create(&slab, dev, slab_bytes(dev, bytes));
    if (code != CL_SUCCESS) { /* what the pool keeps may be what is missing */
        clFinish(dev->queue);
        pool_release_free(pool);
        code = slab_create(&slab, dev, bytes);
    }
    char limit[80] = "";
    if (bytes > dev->info.largest_bytes)
        snprintf(limit, sizeof limit, ", of which the device gives %.1f MB at most at once",
                 (double)dev->info.largest_bytes / 1e6);
    if (opencl_failed(dev, code, "cannot allocate %.1f MB%s, beside %.1f MB in use", (double)bytes / 1e6, limit,
                      (double)pool->in_use / 1e6))
        return NULL;
    struct range *range = mem_new(1, sizeof *range);
    *range = (struct range){.slab = slab, .bytes = slab->bytes};
    list_add(pool, range);
    return range;
}

/* Leaves `bytes` in the range; the rest becomes a free one behind it. */
static void split(struct pool *pool, struct range *range, size_t bytes)
{
    if (range->bytes == bytes)
        return;
    struct range *rest = mem_new(1, sizeof *rest);
    *rest = (struct range){.slab = range->slab,
                           .start = range->start + bytes,
                           .bytes = range->bytes - bytes,
                           .before = range,
                           .after = range->after};
    if (rest->after)
        rest->after->before = rest;
    range->after = rest;
    range->bytes = bytes;
    list_add(pool, rest);
}

/* Joins a range with the one behind it, which is free. */
static void swallow_next(struct range *range)
{
    struct range *next = range->after;
    list_remove(next);
    range->bytes += next->bytes;
    range->after = next->after;
    if (range->after)
        range->after->before = range;
    free(next);
}

cl_mem pool_part(const struct range *range, size_t start, size_t bytes)
{
    struct slab *slab = range->slab;
    cl_int code = CL_SUCCESS;
    cl_mem memory = slab->memory;
    cl_buffer_region region = {.origin = range->start + start, .size = bytes};
    if (bytes == slab->bytes)
        code = clRetainMemObject(memory);
    else
        memory = clCreateSubBuffer(memory, CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION, &region, &code);
    return opencl_failed(slab->dev, code, "cannot cut %zu bytes out of a slab of memory", bytes) ? NULL : memory;
}

struct range *pool_take(struct device *dev, size_t bytes)
{
    struct pool *pool = dev->pool;
    bytes = (bytes + pool->guard + POOL_ALIGNMENT - 1) / POOL_ALIGNMENT * POOL_ALIGNMENT;
    bytes = bytes ? bytes : POOL_ALIGNMENT;
    struct range *range = best_fit(pool, bytes);
    if (!range)
        range = new_slab(dev, bytes);
    if (!range)
        return NULL;
    list_remove(range);
    split(pool, range, bytes);
    range->taken = true;
    range->memory = pool_part(range, 0, bytes);
    pool_count_use(pool, bytes);
    return range;
}

void pool_give(struct range *range)
{
    struct pool *pool = range->slab->dev->pool;
    pool->in_use -= range->bytes;
    if (range->memory)
        clReleaseMemObject(range->memory);
    range->memory = NULL;
    range->taken = false;
    list_add(pool, range);
    if (range->after && !range->after->taken)
        swallow_next(range);
    if (range->before && !range->before->taken)
        swallow_next(range->before);
}
