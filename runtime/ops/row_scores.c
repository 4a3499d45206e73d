#include "runtime/ops/row_scores.h"

#include "runtime/gemm/gemm.h"
#include "runtime/launch.h"
#include "runtime/ops/row_codes.h"

enum { SLICE = 64 }; /* rows a work-group takes */

void row_scores(struct tensor *scores, const struct tensor *rows, struct tensor *queries)
{
    EXPECT(rows, "row_scores: rows", DTYPE_F32, -1, -1);
    int n = rows->dim[0], dim = rows->dim[1];
    EXPECT(queries, "row_scores: queries", DTYPE_F32, -1, dim);
    int count = queries->dim[0];
    EXPECT(scores, "row_scores: scores", DTYPE_F32, n, count);
    if (count <= ROW_SCORES_FEW)
        LAUNCH(rows->dev, "row_scores.cl", "row_scores", range_rows(rows->dev, ((size_t)n + SLICE - 1) / SLICE),
               ARG_BUFFER(scores), ARG_BUFFER(rows), ARG_BUFFER(queries), ARG_INT(n), ARG_INT(dim), ARG_INT(count),
               ARG_INT(SLICE));
    else
        gemm(&(struct gemm){.m = n, .n = count, .k = dim, .a = rows, .b = queries, .b_transposed = true, .c = scores});
}

void row_scores_wanted(struct tensor *scores, const struct row_scores_wanted *wanted, const struct tensor *rows,
                       const struct tensor *query)
{
    EXPECT(rows, "row_scores: rows", DTYPE_F32, -1, -1);
    EXPECT(scores, "row_scores: scores", DTYPE_F32, -1, ROW_CODES_SLICE);
    EXPECT(wanted->slices, "row_scores: slices", DTYPE_I32, scores->dim[0]);
    EXPECT(wanted->upper, "row_scores: upper", DTYPE_F32, -1, ROW_CODES_SLICE);
    EXPECT(query, "row_scores: query", DTYPE_F32, row_codes_pitch(rows->dim[1]));
    LAUNCH(rows->dev, "row_scores.cl", "row_scores_wanted",
           range_rows(rows->dev, (size_t)(wanted->end - wanted->begin)), ARG_BUFFER(scores), ARG_BUFFER(wanted->slices),
           ARG_BUFFER(wanted->upper), ARG_BUFFER(rows), ARG_BUFFER(query), ARG_FLOAT(wanted->threshold),
           ARG_INT(rows->dim[0]), ARG_INT(rows->dim[1]), ARG_INT(ROW_CODES_SLICE), ARG_INT(wanted->first_slice),
           ARG_INT(wanted->begin));
}
