/* Exact search: the rows with the largest dot product with each query.
 *
 *     struct search *search = search_open(dev, rows, n, dim);            // uploads them once
 *     struct hit *hits = mem_new(q * k, sizeof *hits);
 *     if (search_run(hits, search, queries, q, k, &err) != 0) return -1;
 *     for (size_t i = 0; i < k; i++)
 *         printf("%.3f  row %zu\n", hits[i].score, hits[i].row);         // of query 0, best first
 *     search_close(search);
 *
 * Scores are made on the device, the best are kept on the host. Among equal scores the lower row comes first, so a
 * search gives the same answer each time.
 */
#ifndef OCLIP_SEARCH_H
#define OCLIP_SEARCH_H

#include "runtime/device.h"

struct search;

struct hit {
    size_t row;
    float score;
};

/* rows [n, dim]; copied to the device, failures of which come back from search_run. */
struct search *search_open(struct device *dev, const float *rows, size_t n, size_t dim);
void search_close(struct search *search); /* NULL is fine */

/* hits [q, k], queries [q, dim]; k is at most n. */
int search_run(struct hit *hits, struct search *search, const float *queries, size_t q, size_t k,
               struct error *err) MUST_CHECK;

#endif
