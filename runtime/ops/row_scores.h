/* How well each of many rows fits each of some queries: their dot products.
 *
 *     row_scores(scores, rows, queries);      // rows [n, dim], queries [count, dim] -> scores [n, count]
 *
 * Few queries are bound by reading the rows and have a kernel of their own; many are a matrix product. The rows are
 * its left side, which is used as it lies in memory: nothing but the queries is ever packed.
 */
#ifndef OCLIP_ROW_SCORES_H
#define OCLIP_ROW_SCORES_H

#include "runtime/tensor.h"

enum { ROW_SCORES_FEW = 3 }; /* queries; up to here a matrix product would waste most of its tile */

void row_scores(struct tensor *scores, const struct tensor *rows, struct tensor *queries);

/* The rows of some slices (row_codes.h) among which the best of one query must be. */
struct row_scores_wanted {
    const struct tensor *slices; // [.] i32, numbers of slices, counted over all codes
    const struct tensor *upper;  // [all slices, ROW_CODES_SLICE]
    float threshold;             /* rows with an upper bound below it get -infinity for a score */
    int begin, end;              /* those of `slices` that are among `rows`, */
    int first_slice;             /* whose first slice has this number */
};

/* Writes rows `begin` to `end` of scores [., ROW_CODES_SLICE]; what lies behind the last of `rows` keeps its value. */
void row_scores_wanted(struct tensor *scores, const struct row_scores_wanted *wanted, const struct tensor *rows,
                       const struct tensor *query);

#endif
