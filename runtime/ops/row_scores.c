#include "runtime/ops/row_scores.h"

#include "runtime/gemm/gemm.h"
#include "runtime/launch.h"

enum {
    FEW_QUERIES = 3, /* up to here a matrix product would waste most of its tile */
    SLICE = 64,      /* rows a work-group takes */
};

void row_scores(struct tensor *scores, const struct tensor *rows, struct tensor *queries)
{
    EXPECT(rows, "row_scores: rows", DTYPE_F32, -1, -1);
    int n = rows->dim[0], dim = rows->dim[1];
    EXPECT(queries, "row_scores: queries", DTYPE_F32, -1, dim);
    int count = queries->dim[0];
    EXPECT(scores, "row_scores: scores", DTYPE_F32, n, count);
    if (count <= FEW_QUERIES)
        LAUNCH(rows->dev, "row_scores.cl", "row_scores", range_rows(rows->dev, ((size_t)n + SLICE - 1) / SLICE),
               ARG_BUFFER(scores), ARG_BUFFER(rows), ARG_BUFFER(queries), ARG_INT(n), ARG_INT(dim), ARG_INT(count),
               ARG_INT(SLICE));
    else
        gemm(&(struct gemm){.m = n, .n = count, .k = dim, .a = rows, .b = queries, .b_transposed = true, .c = scores});
}
