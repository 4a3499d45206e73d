/* Sums down the columns: first over slices of rows, then over the slices' sums. The order depends on the shape alone.
 */
#include "runtime/launch.h"
#include "runtime/ops/ops.h"

enum { STRIP = 1024 };   /* columns of a work-group, as in cl/column_sum.cl */
enum { ONE_SLICE = 64 }; /* rows that are not worth a second launch */

/* out[s] (+)= the sum of slice s.  x [rows, width] -> out [slices, width] */
static void sum_slices(struct tensor *out, const struct tensor *x, int slices, int slice, bool accumulate)
{
    int rows = tensor_rows(x), width = tensor_width(x);
    struct launch_range range = range_rows(x->dev, (size_t)(width + STRIP - 1) / STRIP);
    range.groups[1] = (size_t)slices;
    LAUNCH_AS(x, "column_sum.cl", "column_sum", range, ARG_BUFFER(out), ARG_BUFFER(x), ARG_INT(rows), ARG_INT(width),
              ARG_INT(slice), ARG_INT(accumulate));
}

/* About the square root: then both passes have equally many numbers to add one after another. */
static int rows_of_slice(int rows)
{
    int slice = 1;
    while ((long)slice * slice < rows)
        slice++;
    return slice;
}

void column_sum(struct tensor *out, const struct tensor *x, bool accumulate)
{
    int rows = tensor_rows(x), width = tensor_width(x);
    EXPECT(out, "column_sum: out", DTYPE_F32, width);
    if (rows <= ONE_SLICE) {
        sum_slices(out, x, 1, rows, accumulate);
        return;
    }
    int slice = rows_of_slice(rows), slices = (rows + slice - 1) / slice;
    struct tensor *partial = tensor_new(x->dev, DTYPE_F32, 2, (int[]){slices, width});
    sum_slices(partial, x, slices, slice, false);
    sum_slices(out, partial, 1, slices, accumulate);
    tensor_free(partial);
}
