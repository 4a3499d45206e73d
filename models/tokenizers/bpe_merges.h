/* The merges of a byte-pair encoding: which two neighbours become one, and in which order.
 *
 *     struct bpe_merges *merges = bpe_merges_new(48894);
 *     bpe_merges_add(merges, left, right, rank, merged);          // lower ranks go first
 *     struct bpe_room *room = bpe_room_new(count);
 *     count = bpe_merges_apply(merges, ids, count, room);         // [c a t</w>] -> [cat</w>]
 *     bpe_room_free(room);
 *     bpe_merges_free(merges);
 *
 * As long as there is one, the merge of the lowest rank is done, the leftmost of several; a heap finds it, so that a
 * word takes n log n. Source: Sennrich et al. 2016, algorithm 1. Any number of threads may apply the same merges.
 */
#ifndef OCLIP_BPE_MERGES_H
#define OCLIP_BPE_MERGES_H

#include <stddef.h>

struct bpe_merges;

struct bpe_merges *bpe_merges_new(size_t count); /* for at most so many */
void bpe_merges_free(struct bpe_merges *merges); /* NULL is allowed */

/* Ids and ranks are not negative. Of two merges of one pair the later is kept. */
void bpe_merges_add(struct bpe_merges *merges, int left, int right, int rank, int merged);

/* What applying needs besides the ids, for words of at most `count`; one thread's. */
struct bpe_room;
struct bpe_room *bpe_room_new(size_t count);
void bpe_room_free(struct bpe_room *room);

/* Merges the symbols of one word in place; returns how many are left. */
size_t bpe_merges_apply(const struct bpe_merges *merges, int *ids, size_t count,
                        struct bpe_room *room); // ids: [count]

#endif
