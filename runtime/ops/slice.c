#include "runtime/ops/slice.h"

#include <stdlib.h>
#include <string.h>

struct slice slice_of(struct ranks *ranks, const int *counts)
{
    struct slice slice = {.count = counts[ranks->rank], .ranks = ranks, .counts = counts};
    for (int r = 0; r < ranks->count; r++) {
        slice.first += r < ranks->rank ? counts[r] : 0;
        slice.batch += counts[r];
    }
    return slice;
}

struct slice slice_whole(int batch)
{
    return (struct slice){.count = batch, .batch = batch};
}

bool slice_is_whole(const struct slice *slice)
{
    return slice->count == slice->batch;
}

void slice_gather(const struct slice *slice, void *all, const void *own, size_t row_bytes)
{
    size_t *bytes = mem_new((size_t)slice->ranks->count, sizeof *bytes);
    for (int r = 0; r < slice->ranks->count; r++)
        bytes[r] = (size_t)slice->counts[r] * row_bytes;
    ranks_gather(slice->ranks, all, own, bytes);
    free(bytes);
}

struct tensor *slice_all_rows(struct tape *tape, const struct slice *slice, struct tensor *own)
{
    if (slice_is_whole(slice))
        return own;
    int width = tensor_width(own), batch = slice->batch;
    EXPECT(own, "slice: own rows", DTYPE_F32, slice->count, width);
    float *part = mem_new(tensor_count(own), sizeof *part), *all = mem_new((size_t)batch * (size_t)width, sizeof *all);
    tensor_download(part, own);
    slice_gather(slice, all, part, (size_t)width * sizeof *part);
    struct tensor *rows = tape_upload(tape, DTYPE_F32, 2, (int[]){batch, width}, all);
    free(part);
    free(all);
    return rows;
}

/* Copies columns of x [rows, batch] to `packed` [rows, count], or back. */
static void copy_columns(float *packed, float *x, int rows, int first, int count, int batch, bool back)
{
    for (int r = 0; r < rows; r++) {
        float *inside = x + (size_t)r * (size_t)batch + first, *outside = packed + (size_t)r * (size_t)count;
        memcpy(back ? inside : outside, back ? outside : inside, (size_t)count * sizeof *x);
    }
}

void slice_share_columns(const struct slice *slice, struct tensor *numbers)
{
    if (slice_is_whole(slice))
        return;
    int rows = tensor_rows(numbers), batch = slice->batch;
    CHECK(tensor_width(numbers) == batch, "slice: columns of %s in a batch of %d", tensor_shape(numbers).text, batch);
    float *x = mem_new(tensor_count(numbers), sizeof *x), *own = mem_new(tensor_count(numbers), sizeof *own),
          *all = mem_new(tensor_count(numbers), sizeof *all), *at = all;
    tensor_download(x, numbers);
    copy_columns(own, x, rows, slice->first, slice->count, batch, false);
    slice_gather(slice, all, own, (size_t)rows * sizeof *own);
    for (int r = 0, first = 0; r < slice->ranks->count; first += slice->counts[r++]) {
        copy_columns(at, x, rows, first, slice->counts[r], batch, true);
        at += (size_t)rows * (size_t)slice->counts[r];
    }
    tensor_upload(numbers, x);
    free(all);
    free(own);
    free(x);
}
