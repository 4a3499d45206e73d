/* Exact search: the rows with the largest dot product with each query.
 *
 *     struct search *search = search_open(dev, rows, n, dim);            // takes them to the device once
 *     struct hit *hits = mem_new(q * k, sizeof *hits);
 *     if (search_run(hits, search, queries, q, k, &err) != 0) return -1;
 *     for (size_t i = 0; i < k; i++)
 *         printf("%.3f  row %zu\n", hits[i].score, hits[i].row);         // of query 0, best first
 *     search_close(search);
 *
 * Scores are made on the device, the best are kept on the host. Among equal scores the lower row comes first, so a
 * search gives the same answer each time. A score that is not a number counts as -infinity.
 *
 * A few queries of many rows first read the rows as one byte a number (runtime/ops/row_codes.h), which takes a quarter
 * of the time and leaves a few rows to look at. Those codes are made when such queries come for the second time. The
 * answer is that of float32 scores of all rows, always:
 * The k-th largest of the slices' highest lower bounds, the threshold, is reached by k rows at least, one in each of k
 * slices; so the k best scores are all at or above it. A row with such a score has an upper bound at or above the
 * threshold too, and every row that has one gets its float32 score, from the code that scores all rows otherwise. (The
 * bounds leave out a part of the score that all rows share.)
 */
#ifndef OCLIP_SEARCH_H
#define OCLIP_SEARCH_H

#include "runtime/device.h"
#include "tools/ann.h"
#include "tools/hits.h"

struct search;

/* rows [n, dim] stay the caller's, as they are until search_close: a device whose memory is the host's reads them where
 * they are, others have a copy. Codes take one byte a number more. Failures come back from search_run. */
struct search *search_open(struct device *dev, const float *rows, size_t n, size_t dim);
void search_close(struct search *search); /* NULL is fine */

/* Makes the codes that a second search for few queries would make: for those who expect many. */
void search_prepare(struct search *search);

/* From now on only the rows that this index proposes are scored, where it can propose some. Takes it over; NULL: as
 * before. */
void search_use_ann(struct search *search, struct ann *ann);

/* hits [q, k], queries [q, dim]; k is at most n. */
int search_run(struct hit *hits, struct search *search, const float *queries, size_t q, size_t k,
               struct error *err) MUST_CHECK;

#endif
