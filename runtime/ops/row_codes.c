#include "runtime/ops/row_codes.h"

#include "runtime/launch.h"

#include <stdlib.h>

struct row_codes {
    int n, dim, slices;
    struct tensor *codes;         // [slices * ROW_CODES_SLICE, pitch], signed
    struct tensor *scale, *slack; // [slices * ROW_CODES_SLICE]
};

int row_codes_pitch(int dim)
{
    return (dim + 15) / 16 * 16; /* the widest vectors are 16 numbers */
}

bool row_codes_fit(double length)
{
    return length > 0x1p-40 && length < 0x1p60;
}

struct row_codes *row_codes_new(const struct tensor *rows, const struct row_vector *centre)
{
    EXPECT(rows, "row_codes: rows", DTYPE_F32, -1, -1);
    int n = rows->dim[0], dim = rows->dim[1], pitch = row_codes_pitch(dim);
    EXPECT(centre->numbers, "row_codes: centre", DTYPE_F32, pitch);
    struct device *dev = rows->dev;
    struct row_codes *codes = mem_new(1, sizeof *codes);
    *codes = (struct row_codes){.n = n, .dim = dim, .slices = (n + ROW_CODES_SLICE - 1) / ROW_CODES_SLICE};
    int room = codes->slices * ROW_CODES_SLICE;
    codes->codes = tensor_new(dev, DTYPE_U8, 2, (int[]){room, pitch});
    codes->scale = tensor_new(dev, DTYPE_F32, 1, &room);
    codes->slack = tensor_new(dev, DTYPE_F32, 1, &room);
    LAUNCH(dev, "row_codes.cl", "row_codes", range_rows(dev, (size_t)n), ARG_BUFFER(codes->codes),
           ARG_BUFFER(codes->scale), ARG_BUFFER(codes->slack), ARG_BUFFER(rows), ARG_BUFFER(centre->numbers),
           ARG_FLOAT(centre->length), ARG_INT(dim), ARG_INT(pitch));
    return codes;
}

void row_codes_free(struct row_codes *codes)
{
    if (!codes)
        return;
    tensor_free(codes->codes);
    tensor_free(codes->scale);
    tensor_free(codes->slack);
    free(codes);
}

void row_codes_bound(struct tensor *upper, struct tensor *bounds, const struct row_codes *codes,
                     const struct row_vector *query, int first_slice)
{
    int pitch = row_codes_pitch(codes->dim);
    EXPECT(query->numbers, "row_codes: query", DTYPE_F32, pitch);
    EXPECT(upper, "row_codes: upper", DTYPE_F32, -1, ROW_CODES_SLICE);
    EXPECT(bounds, "row_codes: bounds", DTYPE_F32, upper->dim[0], 2);
    CHECK(first_slice + codes->slices <= upper->dim[0], "slices %d to %d of %d", first_slice,
          first_slice + codes->slices, upper->dim[0]);
    LAUNCH(upper->dev, "row_codes.cl", "row_codes_bound", range_rows(upper->dev, (size_t)codes->slices),
           ARG_BUFFER(upper), ARG_BUFFER(bounds), ARG_BUFFER(codes->codes), ARG_BUFFER(codes->scale),
           ARG_BUFFER(codes->slack), ARG_BUFFER(query->numbers), ARG_FLOAT(query->length), ARG_INT(codes->n),
           ARG_INT(pitch), ARG_INT(first_slice));
}
