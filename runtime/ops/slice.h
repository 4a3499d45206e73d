/* The rows of a batch that one of several ranks works on, and what the ranks show each other of theirs.
 *
 *     struct slice slice = slice_of(ranks, counts);                     // counts [ranks->count]: rows of each rank
 *     struct tensor *all = slice_all_rows(tape, &slice, own);           // [count, width] -> [batch, width]
 *     slice_share_columns(&slice, sums);                                // [k, batch], of which own columns are filled
 *
 * Of one rank the slice is the whole batch, `all` is `own`, and nothing is moved.
 */
#ifndef OCLIP_SLICE_H
#define OCLIP_SLICE_H

#include "runtime/ranks/ranks.h"
#include "runtime/tape.h"

struct slice {
    int first, count, batch; /* rows `first` to first + count of `batch` */
    struct ranks *ranks;     /* NULL: the slice is the whole */
    const int *counts;       // [ranks->count] rows of each rank
};

struct slice slice_of(struct ranks *ranks, const int *counts);
struct slice slice_whole(int batch);
bool slice_is_whole(const struct slice *slice);

/* all [batch]: the rows of every rank, in order, of row_bytes each. There must be ranks.  own [count] */
void slice_gather(const struct slice *slice, void *all, const void *own, size_t row_bytes);

/* The rows of all ranks, through the host; no gradient flows back. The tape owns what is new.  own float */
struct tensor *slice_all_rows(struct tape *tape, const struct slice *slice, struct tensor *own);

/* Fills in the columns that other ranks have computed.  numbers [k, batch] float */
void slice_share_columns(const struct slice *slice, struct tensor *numbers);

#endif
