/* How the pairs of a step are shared among ranks (runtime/ranks/ranks.h): equally at first, then by the speed that they
 * show, so that none waits long for another.
 *
 *     struct share share = share_equally(ranks, pairs_of_a_step);
 *     share_part(&first, &count, &share, rank, drawn);       // which of the `drawn` samples of a step are this rank's
 *     if (share_measure(&share, seconds)) ...                // after each step: the shares are new
 *     share_free(&share);
 *
 * All of it depends on what it is given alone, so that ranks that are given the same come to the same.
 */
#ifndef OCLIP_SHARE_H
#define OCLIP_SHARE_H

#include "runtime/util/json.h"

struct share {
    int ranks;
    int *pairs;      // [ranks] of a whole step, one at least
    double *seconds; // [ranks] that they worked since the shares are as they are
    int steps;       /* in which they did */
};

struct share share_equally(int ranks, int pairs);
void share_free(struct share *share);

/* Of `drawn` samples, as many as ranks at least, those from *first on; everybody has one. */
void share_part(int *first, int *count, const struct share *share, int rank, int drawn);

/* What each rank worked in a step, without waiting for others.  seconds [ranks] */
bool share_measure(struct share *share, const double *seconds);

/* The pairs of each, for a checkpoint; and back, unless it was of other ranks or steps. */
json_t *share_json(const struct share *share);
void share_from_json(struct share *share, const json_t *pairs);

#endif
