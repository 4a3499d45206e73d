/* Rows as one byte a number, to find out quickly which few of many rows can be the best for a query.
 *
 *     struct row_codes *codes = row_codes_new(rows, &centre);      // rows [n, dim], once
 *     row_codes_bound(upper, bounds, codes, &query, first_slice);
 *     ... slices whose highest upper bound is too low are done with ...
 *     row_scores_wanted(scores, &wanted, rows, query.numbers);     // row_scores.h: float32 scores of the others
 *     row_codes_free(codes);
 *
 * A row x is kept as codes c (bytes, -127 to 127) and a step s = max |x - m| / 127, with x = m + s c + e. The centre m
 * is any vector; the mean of the rows gives the smallest steps, as embeddings have some large numbers in common. So
 * x.q = m.q + s c.q + e.q, and |e.q| <= |e| |q| (Cauchy-Schwarz), where |e| is measured, not estimated. Bounds leave
 * out m.q, which all rows have in common.
 *
 * What rounding adds, with u = 2^-24 and L = |x| + |m|: float32 sums of dim products, in any order, are off by at most
 * (dim + 1) u times the lengths: once for the float32 score of x, twice for s c.q, as |s c| <= 2 L (no number's error
 * is larger than the number). What is measured as |e| is off by (dim / 2 + 8) u L at most, the rest by a few u L. All
 * of it is under (4 dim + 16) u L |q|. A row's slack takes the double, and 2^-50 for what underflows:
 *
 *     slack = |e| + (dim + 8) 2^-21 L + 2^-50,      |float32 score - (m.q + s c.q)| <= |q| slack
 *
 * This holds for 2^-40 < |q| < 2^60 (row_codes_fit), |m| < 2^60 and |x| < 2^60, where nothing overflows and what
 * underflows sums to less than 2^-50 |q|. Longer rows and rows with NaN or infinity get an infinite slack: nothing is
 * claimed of them.
 */
#ifndef OCLIP_ROW_CODES_H
#define OCLIP_ROW_CODES_H

#include "runtime/tensor.h"

enum { ROW_CODES_SLICE = 64 }; /* rows bounded together */

struct row_codes;

/* A query, or the centre. */
struct row_vector {
    struct tensor *numbers; // [row_codes_pitch(dim)], zeros behind dim
    float length;           /* rounded up */
};

struct row_codes *row_codes_new(const struct tensor *rows, const struct row_vector *centre);
void row_codes_free(struct row_codes *codes); /* NULL is fine */

/* Numbers a coded row takes. */
int row_codes_pitch(int dim);

/* Whether the bounds hold for queries of this length: 2^-40 to 2^60. Centres may be shorter, too. */
bool row_codes_fit(double length);

/* Writes upper [slices, ROW_CODES_SLICE], an upper bound of each row's float32 score less m.q, and bounds [slices, 2],
 * each slice's highest upper and highest lower bound, both from `first_slice` on. */
void row_codes_bound(struct tensor *upper, struct tensor *bounds, const struct row_codes *codes,
                     const struct row_vector *query, int first_slice);

#endif
