/* How the products of CPU-class devices are cut: into tiles that registers hold, and strips of tiles for work-items. */
#ifndef OCLIP_STRIPS_H
#define OCLIP_STRIPS_H

#include "runtime/device.h"

/* Rows, and vectors of columns, whose sums the registers hold. */
struct tile {
    int vector, most_rows, vectors;
};

/* As high as the device's registers allow. */
struct tile tile_largest(const struct device *dev);

/* The height that suits m rows. */
int tile_height(const struct tile *tile, int m);

/* Rows of a strip of tiles of such a height, `tallest` of them at most, where there are so many panels of columns. */
int strip_rows(const struct device *dev, int height, int tallest, int panels, int m);

#endif
