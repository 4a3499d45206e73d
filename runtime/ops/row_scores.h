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

void row_scores(struct tensor *scores, const struct tensor *rows, struct tensor *queries);

#endif
