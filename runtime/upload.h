/* A step's inputs on their way up through a queue of their own, while the step before computes.
 *
 *     struct buffer *buffer = upload_new(dev, pixels, bytes);   // copies at once; the path upload-queue must be on
 *     ... kernels that read it, on the device's queue: they wait for it there ...
 *     buffer_drop(buffer);                                      // as any other: when all of them are queued
 *
 * Memory for this is apart from the pool's, which hands out what queued kernels may still be using: that is right for
 * one queue in order, not for two. Each piece knows the event behind which it is free again; a step takes another piece
 * than the step before, and a third waits for the first. Bytes go up from memory that the driver has pinned.
 */
#ifndef OCLIP_UPLOAD_H
#define OCLIP_UPLOAD_H

#include "runtime/buffer.h"

struct buffer *upload_new(struct device *dev, const void *bytes, size_t count);

/* For buffer_view(): a cl_mem for bytes of a piece, for the caller to release; NULL after a failure. */
struct upload_piece;
void *upload_part(const struct upload_piece *piece, size_t start, size_t bytes);

/* For buffer_drop(): the piece is free when all that is queued now is done. */
void upload_give(struct upload_piece *piece);

/* For buffer_recover(), when all that was queued is done: pieces that are not in use go back to the driver. */
struct uploads;
void uploads_release_free(struct uploads *uploads); /* NULL is fine */

#endif
