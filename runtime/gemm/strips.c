#include "runtime/gemm/strips.h"

#include <limits.h>

/* By vector width: at the full height the sums, one row of B and a broadcast fill the registers (16 of 8 floats with
 * AVX2, 32 of 16 with AVX-512). */
struct tile tile_largest(const struct device *dev)
{
    static const struct tile tiles[] = {{16, 8, 3}, {8, 6, 2}};
    return tiles[device_vector_width(dev) == 16 ? 0 : 1];
}

/* Rows computed in vain cost as much as others, and a pass over B about as much as a row. */
int tile_height(const struct tile *tile, int m)
{
    int best = tile->most_rows, least = INT_MAX;
    for (int rows = tile->most_rows; rows > 0 && m < 1024; rows--) {
        int cost = (m + rows - 1) / rows * (rows + 1);
        if (cost < least) {
            least = cost;
            best = rows;
        }
    }
    return best;
}

/* Tall ones read a panel of B from afar less often; but all are to be equal, since a driver hands out work-items by
 * number, and there are to be a few for each compute unit. */
int strip_rows(const struct device *dev, int height, int tallest, int panels, int m)
{
    int high = (m + height - 1) / height, wanted = 4 * device_info(dev)->units;
    int strips = (high + tallest - 1) / tallest, for_all = (wanted + panels - 1) / panels;
    strips = strips < for_all ? for_all : strips;
    return (high + strips - 1) / strips * height;
}
