#include "runtime/launch.h"
#include "runtime/ops/ops.h"

#include <stdlib.h>
#include <string.h>

/* Which tokens used which row of a table, so that one work-group can sum all that flows back to a row. */
struct uses {
    struct tensor *groups; // [rows used, 3]: the row, begin and end of its tokens in `order`
    struct tensor *order;  // [total]: tokens sorted by row, then by number
};

/* A counting sort.  rows [total]: each token's row of a table of `table_rows` */
static struct uses sort_by_row(struct tape *tape, const int *rows, int total, int table_rows)
{
    int *next = mem_new((size_t)table_rows + 1, sizeof *next); /* where the next token of each row goes */
    int *order = mem_new((size_t)total, sizeof *order);
    int(*groups)[3] = mem_new((size_t)total, sizeof *groups);
    int used = 0;
    for (int t = 0; t < total; t++)
        next[rows[t] + 1]++;
    for (int row = 0; row < table_rows; row++) {
        int begin = next[row], count = next[row + 1];
        if (count > 0)
            memcpy(groups[used++], (int[]){row, begin, begin + count}, sizeof *groups);
        next[row + 1] = begin + count;
    }
    for (int t = 0; t < total; t++)
        order[next[rows[t]]++] = t;
    struct uses uses = {.groups = tape_upload(tape, DTYPE_I32, 2, (int[]){used, 3}, groups),
                        .order = tape_upload(tape, DTYPE_I32, 1, &total, order)};
    free(next);
    free(order);
    free(groups);
    return uses;
}

/* Where to add rows: the rest of a gradient that did not exist is zero. NULL when none is needed. */
static struct tensor *table_grad(struct tape *tape, struct tensor *table)
{
    int accumulate;
    struct tensor *grad = tape_grad(tape, table, &accumulate);
    if (grad && !accumulate)
        buffer_zero(grad->buffer, 0, tensor_bytes(grad));
    return grad;
}

static void scatter(struct tape *tape, struct tensor *table, const struct tensor *dy, struct uses uses)
{
    struct device *dev = tape_device(tape);
    struct tensor *dtable = table_grad(tape, table);
    if (dtable)
        LAUNCH_AS(dy, "text_tokens.cl", "text_tokens_scatter", range_rows(dev, (size_t)uses.groups->dim[0]),
                  ARG_BUFFER(dtable), ARG_BUFFER(dy), ARG_BUFFER(uses.groups), ARG_BUFFER(uses.order),
                  ARG_INT(tensor_width(dy)));
}

static void text_tokens_backward(struct tape *tape, const struct node *node)
{
    const struct tensor *dy = node->out->grad;
    scatter(tape, node->in[0], dy, (struct uses){node->saved[0], node->saved[1]});
    scatter(tape, node->in[1], dy, (struct uses){node->saved[2], node->saved[3]});
    struct tensor *dtype = table_grad(tape, node->in[2]);
    if (dtype) {
        struct tensor first_row = *dtype;
        first_row.ndim = 1;
        first_row.dim[0] = tensor_width(dy);
        column_sum(&first_row, dy, true);
    }
}
static const struct op text_tokens_op = {.name = "text_tokens", .backward = text_tokens_backward};

/* rows [2, total]: each token's row of the word table (its id), then of the position table */
static int *table_rows(const int *ids, const struct segments *segments, const int *lengths, int vocabulary,
                       int positions)
{
    int total = segments->total, token = 0;
    int *rows = mem_new(2 * (size_t)total, sizeof *rows);
    for (int s = 0; s < segments->count; s++) {
        CHECK(lengths[s] <= positions && lengths[s] <= total - token,
              "text_tokens: text %d has %d tokens, for %d positions and %d packed tokens", s, lengths[s], positions,
              total);
        for (int i = 0; i < lengths[s]; i++, token++) {
            CHECK(ids[token] >= 0 && ids[token] < vocabulary, "text_tokens: token %d is %d, the vocabulary has %d",
                  token, ids[token], vocabulary);
            rows[token] = ids[token];
            rows[total + token] = i;
        }
    }
    CHECK(token == total, "text_tokens: lengths add up to %d of %d packed tokens", token, total);
    return rows;
}

struct tensor *op_text_tokens(struct tape *tape, struct tensor *word, struct tensor *position, struct tensor *type,
                              const int *ids, const struct segments *segments, const int *lengths)
{
    EXPECT(word, "text_tokens: word", DTYPE_F32, -1, -1);
    int width = tensor_width(word), total = segments->total;
    EXPECT(position, "text_tokens: position", DTYPE_F32, -1, width);
    if (type)
        EXPECT(type, "text_tokens: type", DTYPE_F32, -1, width);

    int *rows = table_rows(ids, segments, lengths, word->dim[0], position->dim[0]);
    struct device *dev = tape_device(tape);
    struct tensor *on_device = tape_upload(tape, DTYPE_I32, 2, (int[]){2, total}, rows);
    struct tensor *y = TAPE_TENSOR(tape, tape_dtype(tape), total, width);
    LAUNCH_AS(y, "text_tokens.cl", "text_tokens_forward", range_rows(dev, (size_t)total), ARG_BUFFER(y),
              ARG_BUFFER(word), ARG_BUFFER(position), ARG_BUFFER(type), ARG_BUFFER(on_device), ARG_INT(total),
              ARG_INT(width));

    struct uses words = {0}, positions = {0};
    if (tape_recording(tape) && word->needs_grad)
        words = sort_by_row(tape, rows, total, word->dim[0]);
    if (tape_recording(tape) && position->needs_grad)
        positions = sort_by_row(tape, rows + total, total, position->dim[0]);
    free(rows);
    tape_push(tape, (struct node){.op = &text_tokens_op,
                                  .in = {word, position, type},
                                  .out = y,
                                  .saved = {words.groups, words.order, positions.groups, positions.order}});
    return y;
}
