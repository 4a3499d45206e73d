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

/* The images and texts of the strip that a block is of, and where they begin in the batch. */
struct strip {
    struct tensor *image, *text;
    int row, column;
};

static struct strip strip_of(const struct pair_sides *sides, bool own_images, bool own_texts)
{
    return (struct strip){.image = own_images ? sides->image : sides->all_image,
                          .text = own_texts ? sides->text : sides->all_text,
                          .row = own_images ? sides->first : 0,
                          .column = own_texts ? sides->first : 0};
}

static int block_size(int left)
{
    return left < PAIR_BLOCK ? left : PAIR_BLOCK;
}

struct tensor *pair_blocks_beside(const struct pair_blocks *block, const struct pair_sides *sides)
{
    struct strip strip = strip_of(sides, block->own_images, block->own_texts);
    struct tensor a = view_rows(strip.image, block->row - strip.row, block->rows),
                  b = view_rows(strip.text, block->column - strip.column, block->columns);
    struct tensor *similarities = tensor_new(a.dev, DTYPE_F32, 2, (int[]){block->rows, block->columns});
    gemm(&(struct gemm){
        .m = a.dim[0], .n = b.dim[0], .k = a.dim[1], .a = &a, .b = &b, .b_transposed = true, .c = similarities});
    buffer_drop(a.buffer);
    buffer_drop(b.buffer);
    return similarities;
}

struct pair_blocks pair_blocks_begin(const struct pair_sides *sides, bool columns_too)
{
    bool alone = sides->image == sides->all_image;
    return (struct pair_blocks){.sides = *sides,
                                .own_images = true,
                                .own_texts = alone,
                                .columns_too = columns_too && !alone,
                                .row = sides->first};
}

bool pair_blocks_next(struct pair_blocks *block)
{
    struct strip strip = strip_of(&block->sides, block->own_images, block->own_texts);
    if (block->similarities) {
        tensor_free(block->similarities);
        block->similarities = NULL;
        block->column += PAIR_BLOCK;
    }
    if (block->column >= strip.column + strip.text->dim[0]) {
        block->column = strip.column;
        block->row += PAIR_BLOCK;
    }
    if (block->row >= strip.row + strip.image->dim[0]) {
        if (!block->columns_too)
            return false;
        block->own_images = block->columns_too = false;
        block->own_texts = true;
        strip = strip_of(&block->sides, false, true);
        block->row = strip.row;
        block->column = strip.column;
    }
    block->rows = block_size(strip.row + strip.image->dim[0] - block->row);
    block->columns = block_size(strip.column + strip.text->dim[0] - block->column);
    block->similarities = pair_blocks_beside(block, &block->sides);
    return true;
}

void pair_blocks_backward(const struct pair_blocks *block, struct tensor *dimage, struct tensor *dtext, bool add_image,
                          bool add_text)
{
    struct strip strip = strip_of(&block->sides, block->own_images, block->own_texts);
    int width = strip.image->dim[1], row = block->row - strip.row, column = block->column - strip.column;
    if (dimage && block->own_images) {
        struct tensor text = view_rows(strip.text, column, block->columns), grad = view_rows(dimage, row, block->rows);
        gemm(&(struct gemm){.m = block->rows,
                            .n = width,
                            .k = block->columns,
                            .a = block->similarities,
                            .b = &text,
                            .c = &grad,
                            .accumulate = add_image || column > 0});
        buffer_drop(text.buffer);
        buffer_drop(grad.buffer);
    }
    if (dtext && block->own_texts) {
        struct tensor image = view_rows(strip.image, row, block->rows), grad = view_rows(dtext, column, block->columns);
        gemm(&(struct gemm){.m = block->columns,
                            .n = width,
                            .k = block->rows,
                            .a = block->similarities,
                            .a_transposed = true,
                            .b = &image,
                            .c = &grad,
                            .accumulate = add_text || row > 0});
        buffer_drop(image.buffer);
        buffer_drop(grad.buffer);
    }
}

struct tensor *pair_photos(struct tape *tape, const int *photos, int batch)
{
    int padded = batch + 16;                                 /* kernels read vectors from any column on */
    int *numbers = mem_new((size_t)padded, sizeof *numbers); // [padded]
    for (int i = 0; i < padded; i++)
        numbers[i] = i >= batch ? -1 : photos ? photos[i] : i;
    struct tensor *tensor = tape_upload(tape, DTYPE_I32, 1, &padded, numbers);
    free(numbers);
    return tensor;
}
