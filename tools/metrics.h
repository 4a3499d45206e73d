/* What a server has done, as numbers for Prometheus (text format 0.0.4).
 *
 *     struct metrics *metrics = metrics_new();
 *     metrics_count_request(metrics, "/knn-service", 200, 0.012);      // seconds from the first byte to the answer
 *     metrics_count_batch(metrics, 17, 12, 0.010);
 *     metrics_write(stream, metrics);
 *     metrics_free(metrics);
 *
 * For any number of threads.
 */
#ifndef OCLIP_METRICS_H
#define OCLIP_METRICS_H

#include <stddef.h>
#include <stdio.h>

struct metrics;

struct metrics *metrics_new(void);
void metrics_free(struct metrics *metrics); /* NULL is fine */

/* route is constant; requests are counted by it and by the status. */
void metrics_count_request(struct metrics *metrics, const char *route, int status, double seconds);

/* So many asks were answered together, and so many texts were known before. */
void metrics_count_batch(struct metrics *metrics, size_t asks, size_t known, double seconds);

void metrics_write(FILE *stream, struct metrics *metrics);

#endif
