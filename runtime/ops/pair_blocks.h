/* The similarities of all images with all texts of a batch, a block at a time, so that a loss over all pairs of them
 * never stores the batch x batch matrix.
 *
 *     struct pair_sides sides = {image, text, image, text, 0};
 *     struct pair_blocks block = pair_blocks_begin(&sides, true);
 *     while (pair_blocks_next(&block)) {
 *         LAUNCH(dev, ..., ARG_BUFFER(block.similarities), ARG_INT(block.row), ARG_INT(block.column), ...);
 *         pair_blocks_backward(&block, dimage, dtext, false, false);     // once they have become their own gradient
 *     }
 *
 * Of a batch that several ranks share (slice.h), these are the rows of this rank's images first, and then, if the
 * caller wants them, the columns of its texts: what is in both comes twice.
 */
#ifndef OCLIP_PAIR_BLOCKS_H
#define OCLIP_PAIR_BLOCKS_H

#include "runtime/ops/ops.h"

enum { PAIR_BLOCK = 1024 }; /* images and texts of a block: a multiple of 256, so that buffers may be viewed there */

struct pair_sides {
    struct tensor *image, *text;         // [count, width] of this rank
    struct tensor *all_image, *all_text; // [batch, width]: the same two tensors where one rank has all
    int first;                           /* this rank's first row among them */
};

struct pair_blocks {
    struct pair_sides sides;
    bool own_images, own_texts;  /* of which strip it is: all rows, all columns in it are this rank's; or of both */
    bool columns_too;            /* the second strip is to come */
    struct tensor *similarities; // [rows, columns]; freed by the next pair_blocks_next()
    int row, column;             /* the block's first image and text, in the batch */
    int rows, columns;
};

struct pair_blocks pair_blocks_begin(const struct pair_sides *sides, bool columns_too);
bool pair_blocks_next(struct pair_blocks *block);

/* The similarities of other sides of the same batch in the same place; the caller frees. */
struct tensor *pair_blocks_beside(const struct pair_blocks *block, const struct pair_sides *sides);

/* The block's share of the gradients [count, width] of this rank's images and texts, dimage = dsimilarities text and
 * dtext = dsimilarities^T image; either may be NULL. add_...: what is in it before the first block counts. */
void pair_blocks_backward(const struct pair_blocks *block, struct tensor *dimage, struct tensor *dtext, bool add_image,
                          bool add_text);

/* Whose photo each pair shows, for kernels: photos [batch] on the host, or NULL for all different; with 16 times
 * -1 behind them. The tape owns it. [batch + 16] int */
struct tensor *pair_photos(struct tape *tape, const int *photos, int batch);

#endif
