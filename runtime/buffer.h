/* Device memory from a caching pool (pool.h): what is released is handed out again, so a steady state asks the driver
 * for none.
 *
 *     struct buffer *b = buffer_new(dev, bytes);          // contents undefined
 *     buffer_upload(b, 0, numbers, bytes);                // copies at once, does not wait for the device
 *     buffer_download(numbers, b, 0, bytes);              // waits
 *     buffer_drop(b);
 *
 * Work is queued in order, so a buffer may be dropped while kernels that use it are still queued. When the device is
 * out of memory the failure sticks to it (device.h) and the buffer has no memory.
 */
#ifndef OCLIP_BUFFER_H
#define OCLIP_BUFFER_H

#include "runtime/device.h"

#include <stddef.h>

enum { BUFFER_ALIGNMENT = 1024 }; /* of views: no device asks for more than 4,096 bits */

struct buffer {
    struct device *dev;
    void *memory; /* cl_mem; NULL after a failed allocation */
    size_t bytes;
    int references;
    struct range *range;        /* of the pool; NULL for a view */
    struct buffer *parent;      /* of a view: the buffer that it is part of, */
    size_t start;               /* from this byte on */
    struct upload_piece *piece; /* of upload.c; NULL for most */
};

struct buffer *buffer_new(struct device *dev, size_t bytes);
struct buffer *buffer_over(struct device *dev, const void *memory,
                           size_t bytes); /* the host's, read in place: neither freed nor changed until it is dropped */
struct buffer *buffer_view(struct buffer *parent, size_t offset,
                           size_t bytes);           /* offset: multiple of BUFFER_ALIGNMENT */
struct buffer *buffer_share(struct buffer *buffer); /* one more reference */
void buffer_drop(struct buffer *buffer);            /* NULL is fine */

void buffer_upload(struct buffer *buffer, size_t offset, const void *bytes, size_t count);
void buffer_download(void *bytes, struct buffer *buffer, size_t offset, size_t count);

/* The same in two halves: the second waits until the device has come to where it was queued, and no further. */
struct fetch *buffer_fetch(void *bytes, struct buffer *buffer, size_t offset, size_t count);
void buffer_fetched(struct fetch *fetch);

/* Memory of the host that becomes bytes `offset` to offset + count of the buffer when it is unmapped; all of it must be
 * written. Where the device's memory is the host's it is that memory itself. NULL after a failure. Waits. */
void *buffer_map(struct buffer *buffer, size_t offset, size_t count);
void buffer_unmap(struct buffer *buffer, void *mapped); /* NULL is fine */

void buffer_copy(struct buffer *to, size_t to_offset, struct buffer *from, size_t from_offset, size_t count);
void buffer_zero(struct buffer *buffer, size_t offset, size_t count);

/* For tests: from now on (before the first buffer) every buffer is filled with NaN when it is handed out, and carries
 * a guard behind its last byte that is looked at when it is dropped. Returns through buffer_guard_faults() how many
 * guards were overwritten. */
void buffer_guard(struct device *dev);
long buffer_guard_faults(const struct device *dev);

/* What the driver is asked for at most, from now on, as if the device had no more; 0: all that it has. */
void buffer_limit(struct device *dev, size_t bytes);
size_t buffer_bytes_allocated(const struct device *dev); /* what was asked for and not given back */

/* After a step that was tried, whether or not memory ran out: the device can be used again, what is not in use goes
 * back to the driver, and the peak counts from here. False: the device failed otherwise. */
bool buffer_recover(struct device *dev);

/* Bytes in use and the most that ever were, on this device. */
size_t buffer_bytes_in_use(const struct device *dev);
size_t buffer_bytes_peak(const struct device *dev);

#endif
