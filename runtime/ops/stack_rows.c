/* Matrices one below the other: the parts of a batch. Plain copies, no kernel of its own. */
#include "runtime/ops/ops.h"

#include <stdlib.h>

/* The parts, which may be more than a node has inputs. */
struct stacked {
    int count;
    struct tensor *parts[];
};

static void stack_rows_backward(struct tape *tape, const struct node *node)
{
    const struct stacked *stacked = node->owned;
    size_t offset = 0;
    for (int i = 0; i < stacked->count; i++) {
        size_t bytes = tensor_bytes(stacked->parts[i]);
        struct tensor *dx = tape_grad(tape, stacked->parts[i], NULL);
        if (dx)
            buffer_copy(dx->buffer, 0, node->out->grad->buffer, offset, bytes);
        offset += bytes;
    }
}
static const struct op stack_rows_op = {.name = "stack_rows", .backward = stack_rows_backward};

struct tensor *op_stack_rows(struct tape *tape, struct tensor *const *parts, int count)
{
    int rows = 0, width = tensor_width(parts[0]);
    struct tensor *trained = parts[0];
    for (int i = 0; i < count; i++) {
        EXPECT(parts[i], "stack_rows: part", DTYPE_F32, -1, width);
        rows += parts[i]->dim[0];
        trained = parts[i]->needs_grad ? parts[i] : trained;
    }
    struct tensor *y = TAPE_TENSOR(tape, DTYPE_F32, rows, width);
    struct stacked *stacked = mem_new(1, sizeof *stacked + (size_t)count * sizeof *stacked->parts);
    stacked->count = count;
    size_t offset = 0;
    for (int i = 0; i < count; i++) {
        size_t bytes = tensor_bytes(parts[i]);
        buffer_copy(y->buffer, offset, parts[i]->buffer, 0, bytes);
        offset += bytes;
        stacked->parts[i] = parts[i];
    }
    if (tape_recording(tape) && trained->needs_grad)
        tape_push(tape, (struct node){.op = &stack_rows_op, .in = {trained}, .out = y, .owned = stacked});
    else
        free(stacked);
    return y;
}
