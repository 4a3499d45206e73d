#include "runtime/buffer.h"

#include "runtime/pool.h"
#include "runtime/upload.h"

#include <stdlib.h>
#include <string.h>

enum { GUARD_BYTES = 256 };
static const cl_uint guard_pattern = 0xffffffff; /* as a float: NaN */

struct buffer *buffer_new(struct device *dev, size_t bytes)
{
    struct buffer *buffer = mem_new(1, sizeof *buffer);
    *buffer = (struct buffer){.dev = dev, .bytes = bytes, .references = 1};
    buffer->range = device_failed(dev) ? NULL : pool_take(dev, bytes);
    buffer->memory = buffer->range ? buffer->range->memory : NULL;
    if (dev->pool->guard && buffer->memory)
        clEnqueueFillBuffer(dev->queue, buffer->memory, &guard_pattern, sizeof guard_pattern, 0, buffer->range->bytes,
                            0, NULL, NULL);
    return buffer;
}

struct buffer *buffer_over(struct device *dev, const void *memory, size_t bytes)
{
    cl_int code;
    struct buffer *buffer = mem_new(1, sizeof *buffer);
    *buffer = (struct buffer){.dev = dev, .bytes = bytes, .references = 1};
    buffer->memory = clCreateBuffer(dev->context, CL_MEM_READ_ONLY | CL_MEM_USE_HOST_PTR, bytes, (void *)memory, &code);
    opencl_failed(dev, code, "using %zu bytes of the host", bytes);
    return buffer;
}

void buffer_guard(struct device *dev)
{
    dev->pool->guard = GUARD_BYTES;
    dev->pool->whole_slabs = true;
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
    struct buffer *whole = parent->parent ? parent->parent : parent, *view = mem_new(1, sizeof *view);
    *view = (struct buffer){.dev = parent->dev,
                            .bytes = bytes,
                            .references = 1,
                            .parent = buffer_share(whole),
                            .start = parent->start + offset};
    if (whole->memory)
        view->memory =
            whole->piece ? upload_part(whole->piece, view->start, bytes) : pool_part(whole->range, view->start, bytes);
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
    if (buffer->dev->pool->guard && buffer->range && buffer->memory)
        check_guard(buffer);
    if (buffer->range)
        pool_give(buffer->range);
    else if (buffer->piece)
        upload_give(buffer->piece);
    else if (buffer->memory)
        clReleaseMemObject(buffer->memory);
    buffer_drop(buffer->parent);
    free(buffer);
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
    struct patience_wait wait = patience_begin(buffer->dev, &buffer->dev->download_wait);
    cl_int code =
        clEnqueueReadBuffer(buffer->dev->queue, buffer->memory, CL_TRUE, offset, count, bytes, 0, NULL,
                            PROFILE_EVENT(buffer->dev, .name = "download", .category = "buffer", .bytes = count));
    patience_end(&wait);
    profile_waited(buffer->dev, "download");
    if (opencl_failed(buffer->dev, code, "downloading %zu bytes", count))
        memset(bytes, 0, count);
}

/* event NULL: it failed, and the bytes are zeros. */
struct fetch {
    struct device *dev;
    cl_event event;
    void *bytes;
    size_t count;
};

struct fetch *buffer_fetch(void *bytes, struct buffer *buffer, size_t offset, size_t count)
{
    struct device *dev = buffer->dev;
    struct fetch *fetch = mem_new(1, sizeof *fetch);
    *fetch = (struct fetch){.dev = dev, .bytes = bytes, .count = count};
    cl_int code = unusable(buffer, offset, count) ? CL_SUCCESS
                                                  : clEnqueueReadBuffer(dev->queue, buffer->memory, CL_FALSE, offset,
                                                                        count, bytes, 0, NULL, &fetch->event);
    opencl_failed(dev, code, "downloading %zu bytes", count);
    return fetch;
}

void buffer_fetched(struct fetch *fetch)
{
    struct device *dev = fetch->dev;
    if (fetch->event) {
        dev->counters.waits++;
        opencl_failed(dev, clWaitForEvents(1, &fetch->event), "downloading %zu bytes", fetch->count);
        clReleaseEvent(fetch->event);
    }
    if (device_failed(dev))
        memset(fetch->bytes, 0, fetch->count);
    free(fetch);
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
    static const cl_uint zeros[16]; /* drivers fill a pattern at a time */
    size_t pattern = (offset | count) % sizeof zeros ? sizeof *zeros : sizeof zeros;
    cl_int code =
        clEnqueueFillBuffer(buffer->dev->queue, buffer->memory, zeros, pattern, offset, count / pattern * pattern, 0,
                            NULL, PROFILE_EVENT(buffer->dev, .name = "fill", .category = "buffer", .bytes = count));
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

size_t buffer_bytes_allocated(const struct device *dev)
{
    return dev->pool->allocated;
}

void buffer_limit(struct device *dev, size_t bytes)
{
    dev->pool->limit = bytes;
}

bool buffer_recover(struct device *dev)
{
    if (device_failed(dev) && (dev->failure.code != EXIT_NO_MEMORY || !device_forgive(dev)))
        return false;
    clFinish(dev->queue);
    uploads_release_free(dev->uploads);
    pool_release_free(dev->pool);
    dev->pool->peak = dev->pool->in_use;
    return true;
}
