/* The similarities of all images with all texts of a batch, a block at a time, so that a loss over all pairs of them
 * never stores the batch x batch matrix.
 *
 *     struct pair_blocks block = pair_blocks_begin(image, text);
 *     while (pair_blocks_next(&block)) {
 *         LAUNCH(dev, ..., ARG_BUFFER(block.similarities), ARG_INT(block.row), ARG_INT(block.column), ...);
 *         pair_blocks_backward(&block, dimage, dtext, false, false);     // once they have become their own gradient
 *     }
 */
#ifndef OCLIP_PAIR_BLOCKS_H
#define OCLIP_PAIR_BLOCKS_H

#include "runtime/ops/ops.h"

enum { PAIR_BLOCK = 1024 }; /* images and texts of a block: a multiple of 256, so that buffers may be viewed there */

struct pair_blocks {
    struct tensor *image, *text; // [batch, width]
    struct tensor *similarities; // [rows, columns]; freed by the next pair_blocks_next()
    int row, column;             /* the block's first image and text */
    int rows, columns;
};

struct pair_blocks pair_blocks_begin(struct tensor *image, struct tensor *text);
bool pair_blocks_next(struct pair_blocks *block);

/* The one block that begins there; the caller frees its similarities. */
struct pair_blocks pair_blocks_at(struct tensor *image, struct tensor *text, int row, int column);

/* The block's share of dimage = dsimilarities text and dtext = dsimilarities^T image; either may be NULL. add_...: what
 * is in it before the first block counts. */
void pair_blocks_backward(const struct pair_blocks *block, struct tensor *dimage, struct tensor *dtext, bool add_image,
                          bool add_text);

/* Whose photo each pair shows, for kernels: photos [batch] on the host, or NULL for all different; filled up to a
 * multiple of 16 with -1. The tape owns it. [batch, rounded up] int */
struct tensor *pair_photos(struct tape *tape, const int *photos, int batch);

#endif
