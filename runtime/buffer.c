#define _GNU_SOURCE
#include "runtime/buffer.h"

#include "runtime/opencl.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { CLASSES = 16, OCTAVES = 40 };

/* Free buffers, one list a size class. */
struct pool {
    struct buffer *free[OCTAVES * CLASSES];
    size_t in_use, peak;
    size_t guard; /* bytes behind each buffer; 0 unless buffer_guard() was called */
    long guard_faults;
};

enum { GUARD_BYTES = 256 };
static const cl_uint guard_pattern = 0xffffffff; /* as a float: NaN */

struct pool *pool_new(void)
{
    return mem_new(1, sizeof(struct pool));
}

/* CLASSES an octave, so that a buffer wastes at most a sixteenth. */
static int size_class(size_t bytes)
{
    int octave = 10;
    while (((size_t)1 << (octave + 1)) < bytes)
        octave++;
    size_t bottom = (size_t)1 << octave, step = bottom / CLASSES;
    int above = bytes <= bottom ? 0 : (int)((bytes - bottom + step - 1) / step);
    return (octave - 10) * CLASSES + above;
}

static size_t class_bytes(int class)
{
    size_t bottom = (size_t)1 << (class / CLASSES + 10);
    return bottom + (size_t)(class % CLASSES) * (bottom / CLASSES);
}

/* A free buffer of this class, or of one a little larger: batches of nearly equal shape share memory. */
static struct buffer *take_free(struct pool *pool, int class)
{
    for (int c = class; c < class + CLASSES / 4; c++) {
        struct buffer *buffer = pool->free[c];
        if (buffer) {
            pool->free[c] = buffer->next;
            return buffer;
        }
    }
    return NULL;
}

static void release_memory(struct buffer *buffer)
{
    if (buffer->memory)
        clReleaseMemObject(buffer->memory);
    free(buffer->host);
    free(buffer);
}

static void pool_empty(struct pool *pool)
{
    for (size_t i = 0; i < sizeof pool->free / sizeof *pool->free; i++) {
        while (pool->free[i]) {
            struct buffer *buffer = pool->free[i];
            pool->free[i] = buffer->next;
            release_memory(buffer);
        }
    }
}

void pool_free(struct pool *pool)
{
    pool_empty(pool);
    free(pool);
}

/* A CPU driver's own memory comes in pages of 4 kB, and a matrix product that streams weights then waits for the page
 * tables. Large buffers are put on huge pages of our own instead. NULL where that is not wanted or not to be had. */
static void *new_huge_pages(const struct device *dev, size_t bytes)
{
    const size_t page = 2 << 20;
    if (dev->info.device_class != DEVICE_CPU || bytes < page)
        return NULL;
    size_t rounded = (bytes + page - 1) / page * page;
    void *memory = aligned_alloc(page, rounded);
    if (memory)
        madvise(memory, rounded, MADV_HUGEPAGE);
    return memory;
}

static cl_int try_create(struct device *dev, struct buffer *buffer, size_t bytes)
{
    cl_int code;
    buffer->host = new_huge_pages(dev, bytes);
    cl_mem_flags flags = CL_MEM_READ_WRITE | (buffer->host ? CL_MEM_USE_HOST_PTR : 0);
    buffer->memory = clCreateBuffer(dev->context, flags, bytes, buffer->host, &code);
    if (code != CL_SUCCESS) {
        buffer->memory = NULL;
        free(buffer->host);
        buffer->host = NULL;
    }
    return code;
}

static void create(struct device *dev, struct buffer *buffer, size_t bytes)
{
    cl_int code = try_create(dev, buffer, bytes);
    if (code != CL_SUCCESS) { /* what the pool keeps may be what is missing */
        clFinish(dev->queue);
        pool_empty(dev->pool);
        code = try_create(dev, buffer, bytes);
    }
    dev->counters.buffers_created++;
    opencl_failed(dev, code, "cannot allocate %.1f MB (%.1f MB are in use); a smaller --batch-size needs less",
                  (double)bytes / 1e6, (double)dev->pool->in_use / 1e6);
}

struct buffer *buffer_new(struct device *dev, size_t bytes)
{
    struct pool *pool = dev->pool;
    int class = size_class(bytes + pool->guard);
    struct buffer *buffer = take_free(pool, class);
    if (!buffer) {
        buffer = mem_new(1, sizeof *buffer);
        *buffer = (struct buffer){.dev = dev, .size_class = class};
        if (!device_failed(dev))
            create(dev, buffer, class_bytes(class));
    }
    buffer->bytes = bytes;
    buffer->references = 1;
    size_t room = class_bytes(buffer->size_class);
    pool->in_use += room;
    if (pool->in_use > pool->peak)
        pool->peak = pool->in_use;
    if (pool->guard && buffer->memory)
        clEnqueueFillBuffer(dev->queue, buffer->memory, &guard_pattern, sizeof guard_pattern, 0, room / 4 * 4, 0, NULL,
                            NULL);
    return buffer;
}

void buffer_guard(struct device *dev)
{
    dev->pool->guard = GUARD_BYTES;
}

long buffer_guard_faults(const struct device *dev)
{
    return dev->pool->guard_faults;
}

static void check_guard(struct buffer *buffer)
{
    unsigned char guard[GUARD_BYTES];
    if (clEnqueueReadBuffer(buffer->dev->queue, buffer->memory, CL_TRUE, buffer->bytes, sizeof guard, guard, 0, NULL,
                            NULL) != CL_SUCCESS)
        return;
    for (int i = 0; i < GUARD_BYTES; i++) {
        if (guard[i] != 0xff) {
            buffer->dev->pool->guard_faults++;
            return;
        }
    }
}

struct buffer *buffer_view(struct buffer *parent, size_t offset, size_t bytes)
{
    CHECK(offset % BUFFER_ALIGNMENT == 0 && offset + bytes <= parent->bytes && bytes > 0,
          "a view of %zu bytes at %zu does not fit a buffer of %zu", bytes, offset, parent->bytes);
    struct buffer *view = mem_new(1, sizeof *view);
    *view = (struct buffer){.dev = parent->dev, .bytes = bytes, .references = 1, .parent = buffer_share(parent)};
    if (parent->memory) {
        cl_int code;
        cl_buffer_region region = {.origin = offset, .size = bytes};
        view->memory =
            clCreateSubBuffer(parent->memory, CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION, &region, &code);
        if (opencl_failed(parent->dev, code, "cannot make a view at byte %zu", offset))
            view->memory = NULL;
    }
    return view;
}

struct buffer *buffer_share(struct buffer *buffer)
{
    buffer->references++;
    return buffer;
}

void buffer_drop(struct buffer *buffer)
{
    if (!buffer || --buffer->references > 0)
        return;
    if (buffer->parent) {
        buffer_drop(buffer->parent);
        release_memory(buffer);
        return;
    }
    struct pool *pool = buffer->dev->pool;
    if (pool->guard && buffer->memory)
        check_guard(buffer);
    pool->in_use -= class_bytes(buffer->size_class);
    if (!buffer->memory) {
        release_memory(buffer);
        return;
    }
    buffer->next = pool->free[buffer->size_class];
    pool->free[buffer->size_class] = buffer;
}

static void CL_CALLBACK free_staging(cl_event event, cl_int status, void *staging)
{
    (void)status;
    clReleaseEvent(event);
    free(staging);
}

static bool unusable(const struct buffer *buffer, size_t offset, size_t count)
{
    CHECK(offset + count <= buffer->bytes, "bytes %zu to %zu lie outside a buffer of %zu", offset, offset + count,
          buffer->bytes);
    return !buffer->memory || device_failed(buffer->dev) || count == 0;
}

void buffer_upload(struct buffer *buffer, size_t offset, const void *bytes, size_t count)
{
    if (unusable(buffer, offset, count))
        return;
    /* A write that waits would wait for everything queued before it; a copy that frees itself does not. */
    void *staging = mem_new(count, 1);
    memcpy(staging, bytes, count);
    cl_event event, *kept = PROFILE_EVENT(buffer->dev, .name = "upload", .category = "buffer", .bytes = count);
    cl_int code =
        clEnqueueWriteBuffer(buffer->dev->queue, buffer->memory, CL_FALSE, offset, count, staging, 0, NULL, &event);
    if (opencl_failed(buffer->dev, code, "uploading %zu bytes", count)) {
        free(staging);
        return;
    }
    if (kept) {
        clRetainEvent(event);
        *kept = event;
    }
    if (clSetEventCallback(event, CL_COMPLETE, free_staging, staging) != CL_SUCCESS) {
        clWaitForEvents(1, &event);
        free_staging(event, CL_COMPLETE, staging);
    }
}

void buffer_download(void *bytes, struct buffer *buffer, size_t offset, size_t count)
{
    if (unusable(buffer, offset, count)) {
        memset(bytes, 0, count);
        return;
    }
    buffer->dev->counters.waits++;
    profile_waiting(buffer->dev);
    cl_int code =
        clEnqueueReadBuffer(buffer->dev->queue, buffer->memory, CL_TRUE, offset, count, bytes, 0, NULL,
                            PROFILE_EVENT(buffer->dev, .name = "download", .category = "buffer", .bytes = count));
    profile_waited(buffer->dev, "download");
    if (opencl_failed(buffer->dev, code, "downloading %zu bytes", count))
        memset(bytes, 0, count);
}

void *buffer_map(struct buffer *buffer, size_t offset, size_t count)
{
    if (unusable(buffer, offset, count))
        return NULL;
    cl_int code;
    void *mapped = clEnqueueMapBuffer(buffer->dev->queue, buffer->memory, CL_TRUE, CL_MAP_WRITE_INVALIDATE_REGION,
                                      offset, count, 0, NULL, NULL, &code);
    return opencl_failed(buffer->dev, code, "mapping %zu bytes", count) ? NULL : mapped;
}

void buffer_unmap(struct buffer *buffer, void *mapped)
{
    if (mapped)
        opencl_failed(buffer->dev, clEnqueueUnmapMemObject(buffer->dev->queue, buffer->memory, mapped, 0, NULL, NULL),
                      "unmapping a buffer");
}

void buffer_copy(struct buffer *to, size_t to_offset, struct buffer *from, size_t from_offset, size_t count)
{
    if (unusable(to, to_offset, count) || unusable(from, from_offset, count))
        return;
    cl_int code = clEnqueueCopyBuffer(to->dev->queue, from->memory, to->memory, from_offset, to_offset, count, 0, NULL,
                                      PROFILE_EVENT(to->dev, .name = "copy", .category = "buffer", .bytes = 2 * count));
    opencl_failed(to->dev, code, "copying %zu bytes", count);
}

void buffer_zero(struct buffer *buffer, size_t offset, size_t count)
{
    if (unusable(buffer, offset, count))
        return;
    cl_uint zero = 0;
    cl_int code = clEnqueueFillBuffer(buffer->dev->queue, buffer->memory, &zero, sizeof zero, offset,
                                      count / sizeof zero * sizeof zero, 0, NULL,
                                      PROFILE_EVENT(buffer->dev, .name = "fill", .category = "buffer", .bytes = count));
    opencl_failed(buffer->dev, code, "clearing %zu bytes", count);
}

size_t buffer_bytes_in_use(const struct device *dev)
{
    return dev->pool->in_use;
}

size_t buffer_bytes_peak(const struct device *dev)
{
    return dev->pool->peak;
}
