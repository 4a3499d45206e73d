#include "runtime/ops/pair_blocks.h"

#include "runtime/gemm/gemm.h"

#include <stdlib.h>

/* Rows first to first + rows of x [batch, width], in the same memory. */
static struct tensor view_rows(const struct tensor *x, int first, int rows)
{
    size_t row = (size_t)tensor_width(x) * sizeof(float);
    struct tensor view = *x;
    view.dim[0] = rows;
    view.buffer = buffer_view(x->buffer, (size_t)first * row, (size_t)rows * row);
    view.grad = NULL;
    view.packed = NULL;
    view.constant = false;
    return view;
}

static int block_size(int first, int batch)
{
    return batch - first < PAIR_BLOCK ? batch - first : PAIR_BLOCK;
}

static void multiply(struct tensor *similarities, const struct tensor *image, const struct tensor *text, int row,
                     int column)
{
    struct tensor a = view_rows(image, row, similarities->dim[0]), b = view_rows(text, column, similarities->dim[1]);
    gemm(&(struct gemm){
        .m = a.dim[0], .n = b.dim[0], .k = a.dim[1], .a = &a, .b = &b, .b_transposed = true, .c = similarities});
    buffer_drop(a.buffer);
    buffer_drop(b.buffer);
}

struct pair_blocks pair_blocks_at(struct tensor *image, struct tensor *text, int row, int column)
{
    int batch = image->dim[0], rows = block_size(row, batch), columns = block_size(column, batch);
    struct tensor *similarities = tensor_new(image->dev, DTYPE_F32, 2, (int[]){rows, columns});
    multiply(similarities, image, text, row, column);
    return (struct pair_blocks){image, text, similarities, row, column, rows, columns};
}

struct pair_blocks pair_blocks_begin(struct tensor *image, struct tensor *text)
{
    return (struct pair_blocks){.image = image, .text = text};
}

bool pair_blocks_next(struct pair_blocks *block)
{
    int batch = block->image->dim[0];
    if (block->similarities) {
        tensor_free(block->similarities);
        block->column += PAIR_BLOCK;
    }
    if (block->column >= batch) {
        block->column = 0;
        block->row += PAIR_BLOCK;
    }
    if (block->row >= batch)
        return false;
    *block = pair_blocks_at(block->image, block->text, block->row, block->column);
    return true;
}

void pair_blocks_backward(const struct pair_blocks *block, struct tensor *dimage, struct tensor *dtext, bool add_image,
                          bool add_text)
{
    int width = block->image->dim[1];
    if (dimage) {
        struct tensor text = view_rows(block->text, block->column, block->columns),
                      grad = view_rows(dimage, block->row, block->rows);
        gemm(&(struct gemm){.m = block->rows,
                            .n = width,
                            .k = block->columns,
                            .a = block->similarities,
                            .b = &text,
                            .c = &grad,
                            .accumulate = add_image || block->column > 0});
        buffer_drop(text.buffer);
        buffer_drop(grad.buffer);
    }
    if (dtext) {
        struct tensor image = view_rows(block->image, block->row, block->rows),
                      grad = view_rows(dtext, block->column, block->columns);
        gemm(&(struct gemm){.m = block->columns,
                            .n = width,
                            .k = block->rows,
                            .a = block->similarities,
                            .a_transposed = true,
                            .b = &image,
                            .c = &grad,
                            .accumulate = add_text || block->row > 0});
        buffer_drop(image.buffer);
        buffer_drop(grad.buffer);
    }
}

struct tensor *pair_photos(struct tape *tape, const int *photos, int batch)
{
    int padded = (batch + 15) / 16 * 16;
    int *numbers = mem_new((size_t)padded, sizeof *numbers); // [padded]
    for (int i = 0; i < padded; i++)
        numbers[i] = i >= batch ? -1 : photos ? photos[i] : i;
    struct tensor *tensor = tape_upload(tape, DTYPE_I32, 1, &padded, numbers);
    free(numbers);
    return tensor;
}
