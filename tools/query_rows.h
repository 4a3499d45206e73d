/* From queries to vectors: texts and pictures through the model, added up by weight.
 *
 *     float *rows = mem_new(n * dim, sizeof *rows);
 *     bool *bad = mem_new(n, sizeof *bad);
 *     if (query_rows(rows, NULL, bad, queries, n, clip, NULL, &options, &err) != 0) return -1;
 *     ... rows + i * dim is of unit length, unless bad[i] ...
 *
 * A query of which a picture cannot be read, or whose terms cancel out, is bad, which is said on stderr.
 */
#ifndef OCLIP_QUERY_ROWS_H
#define OCLIP_QUERY_ROWS_H

#include "models/encoder.h"
#include "tools/query.h"

/* rows [n, dim], bad [n]. With mean [dim], what texts have in common, also probes [n, dim]: the same sums of texts less
 * their mean, of unit length; those of queries with pictures are zero. */
int query_rows(float *rows, float *probes, bool *bad, const struct query *queries, size_t n, const struct clip *clip,
               const float *mean, const struct encode_options *options, struct error *err) MUST_CHECK;

/* sum [dim] of what is looked for. False for one that points nowhere, which is left as it is. */
bool query_scale_to_unit(float *sum, size_t dim);

#endif
