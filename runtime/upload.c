#include "runtime/upload.h"

#include "runtime/opencl.h"
#include "runtime/pool.h"

#include <stdlib.h>
#include <string.h>

/* Pieces of one size that may be in use by queued work before one of them is waited for: of large ones two, which is
 * what one step computes with and the next goes up to. */
enum { LARGE = 1 << 20, MOST_LARGE = 2, MOST_SMALL = 64, LEAST_BYTES = 4096 };

struct upload_piece {
    struct device *dev;
    cl_mem memory, pinned;
    void *host;   /* where `pinned` is mapped, as long as it lives */
    size_t bytes; /* a power of two */
    bool taken;
    cl_event sent, finished; /* its last write, and all work queued when it was given back; NULL: none */
    long given;              /* when: a count of pieces */
    struct upload_piece *next;
};

struct uploads {
    cl_command_queue queue;
    struct upload_piece *pieces;
    long given;
};

static void forget(cl_event *event)
{
    if (*event)
        clReleaseEvent(*event);
    *event = NULL;
}

static bool is_done(cl_event event)
{
    cl_int status = CL_COMPLETE;
    return !event ||
           clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof status, &status, NULL) != CL_SUCCESS ||
           status <= CL_COMPLETE;
}

/* The queue is made with the first upload, when it is known whether the device is profiled. */
static struct uploads *uploads_of(struct device *dev)
{
    if (dev->uploads)
        return dev->uploads;
    cl_int code;
    cl_command_queue_properties properties = dev->profile ? CL_QUEUE_PROFILING_ENABLE : 0;
    cl_command_queue queue = clCreateCommandQueue(dev->context, dev->id, properties, &code);
    if (opencl_failed(dev, code, "cannot create a queue for uploads; --without upload-queue goes without"))
        return NULL;
    dev->uploads = mem_new(1, sizeof *dev->uploads);
    dev->uploads->queue = queue;
    return dev->uploads;
}

static struct upload_piece *piece_new(struct device *dev, size_t bytes)
{
    struct upload_piece *piece = mem_new(1, sizeof *piece);
    *piece = (struct upload_piece){.dev = dev, .bytes = bytes};
    cl_int code, host_code = CL_SUCCESS;
    piece->memory = pool_allocate(dev, CL_MEM_READ_WRITE, bytes, NULL, &code);
    if (code == CL_SUCCESS)
        piece->pinned =
            clCreateBuffer(dev->context, CL_MEM_READ_WRITE | CL_MEM_ALLOC_HOST_PTR, bytes, NULL, &host_code);
    if (code == CL_SUCCESS && host_code == CL_SUCCESS)
        piece->host = clEnqueueMapBuffer(dev->uploads->queue, piece->pinned, CL_TRUE, CL_MAP_WRITE, 0, bytes, 0, NULL,
                                         NULL, &host_code);
    piece->next = dev->uploads->pieces;
    dev->uploads->pieces = piece;
    opencl_failed(dev, code != CL_SUCCESS ? code : host_code, "cannot allocate %zu bytes for uploads", bytes);
    return piece;
}

/* One that is idle, else a new one, else the one that was given back first. */
static struct upload_piece *take(struct device *dev, size_t bytes)
{
    struct upload_piece *oldest = NULL;
    int busy = 0;
    for (struct upload_piece *piece = dev->uploads->pieces; piece; piece = piece->next) {
        if (piece->taken || piece->bytes != bytes || !piece->host)
            continue;
        if (is_done(piece->finished))
            return piece;
        busy++;
        oldest = !oldest || piece->given < oldest->given ? piece : oldest;
    }
    return busy >= (bytes > LARGE ? MOST_LARGE : MOST_SMALL) ? oldest : piece_new(dev, bytes);
}

/* Queues the write behind the work that still uses the piece, and the device's further work behind the write. */
static void send(struct upload_piece *piece, const void *bytes, size_t count)
{
    struct device *dev = piece->dev;
    if (piece->sent) /* its bytes may be on their way still */
        clWaitForEvents(1, &piece->sent);
    forget(&piece->sent);
    memcpy(piece->host, bytes, count);
    if (piece->finished)
        clFlush(dev->queue); /* what another queue waits for must have been sent to the device */
    cl_event *kept = PROFILE_EVENT(dev, .name = "upload ahead", .category = "buffer", .bytes = count);
    cl_int code =
        clEnqueueWriteBuffer(dev->uploads->queue, piece->memory, CL_FALSE, 0, count, piece->host,
                             piece->finished != NULL, piece->finished ? &piece->finished : NULL, &piece->sent);
    if (opencl_failed(dev, code, "uploading %zu bytes", count))
        return;
    if (kept) {
        clRetainEvent(piece->sent);
        *kept = piece->sent;
    }
    clFlush(dev->uploads->queue);
    opencl_failed(dev, clEnqueueBarrierWithWaitList(dev->queue, 1, &piece->sent, NULL), "waiting for an upload");
}

struct buffer *upload_new(struct device *dev, const void *bytes, size_t count)
{
    struct buffer *buffer = mem_new(1, sizeof *buffer);
    *buffer = (struct buffer){.dev = dev, .bytes = count, .references = 1};
    if (device_failed(dev) || !uploads_of(dev))
        return buffer;
    size_t rounded = LEAST_BYTES;
    while (rounded < count)
        rounded *= 2;
    struct upload_piece *piece = take(dev, rounded);
    if (device_failed(dev))
        return buffer;
    send(piece, bytes, count);
    forget(&piece->finished);
    piece->taken = true;
    pool_count_use(dev->pool, rounded);
    buffer->piece = piece;
    buffer->memory = piece->memory;
    return buffer;
}

void *upload_part(const struct upload_piece *piece, size_t start, size_t bytes)
{
    cl_int code;
    cl_buffer_region region = {.origin = start, .size = bytes};
    cl_mem part = clCreateSubBuffer(piece->memory, CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION, &region, &code);
    return opencl_failed(piece->dev, code, "cannot cut %zu bytes out of an upload", bytes) ? NULL : part;
}

void upload_give(struct upload_piece *piece)
{
    struct device *dev = piece->dev;
    piece->taken = false;
    piece->given = dev->uploads->given++;
    dev->pool->in_use -= piece->bytes;
    if (!device_failed(dev))
        opencl_failed(dev, clEnqueueMarkerWithWaitList(dev->queue, 0, NULL, &piece->finished),
                      "marking an upload's end");
    clFlush(dev->queue); /* else nobody might ever learn of it */
}

static void piece_free(struct uploads *uploads, struct upload_piece *piece)
{
    if (piece->host)
        clEnqueueUnmapMemObject(uploads->queue, piece->pinned, piece->host, 0, NULL, NULL);
    forget(&piece->sent);
    forget(&piece->finished);
    if (piece->pinned)
        clReleaseMemObject(piece->pinned);
    if (piece->memory) {
        clReleaseMemObject(piece->memory);
        piece->dev->pool->allocated -= piece->bytes;
    }
    free(piece);
}

void uploads_release_free(struct uploads *uploads)
{
    for (struct upload_piece **link = uploads ? &uploads->pieces : NULL; link && *link;) {
        struct upload_piece *piece = *link;
        if (piece->taken) {
            link = &piece->next;
            continue;
        }
        *link = piece->next;
        piece_free(uploads, piece);
    }
}

void uploads_free(struct uploads *uploads)
{
    if (!uploads)
        return;
    while (uploads->pieces) {
        struct upload_piece *piece = uploads->pieces;
        uploads->pieces = piece->next;
        piece_free(uploads, piece);
    }
    clFinish(uploads->queue);
    clReleaseCommandQueue(uploads->queue);
    free(uploads);
}
