/* The best k of many rows, kept while they pass by.
 *
 *     for (size_t r = 0; r < n; r++)
 *         hits_offer(hits, k, r, (struct hit){r, scores[r]});   // hits [k]
 *     hits_sort(hits, k);                                       // best first
 */
#ifndef OCLIP_HITS_H
#define OCLIP_HITS_H

#include <stddef.h>

struct hit {
    size_t row;
    float score;
};

void hits_weigh(struct hit *hits, size_t k, size_t seen, struct hit hit); /* hits_offer() behind its quick look */

/* Offers one more hit; `seen` have been offered before. Of equal scores the lower row is better; a score that is not a
 * number counts as -infinity. From the k-th offer on until they are sorted, hits[0] is the worst of the best. */
static inline void hits_offer(struct hit *hits, size_t k, size_t seen, struct hit hit)
{
    if (seen < k || !(hit.score < hits[0].score))
        hits_weigh(hits, k, seen, hit);
}

void hits_sort(struct hit *hits, size_t k);

/* The dot product of row [dim] and query [dim], summed in double precision. */
float hits_score(const float *row, const float *query, size_t dim);

#endif
