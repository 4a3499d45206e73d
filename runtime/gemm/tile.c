/* The packed register-tile kernel for CPU-class devices (cl/gemm_tile.cl). */
#include "runtime/gemm/gemm.h"
#include "runtime/gemm/strips.h"
#include "runtime/launch.h"
#include "runtime/paths.h"
#include "runtime/profile.h"

#include <stdio.h>

enum { TALLEST_STRIP = 64 /* tiles */, PACK_STEPS = 16 };

/* What can be tuned: the most rows of a tile and its vectors, tiles one above another that a work-item computes, and
 * steps of k that all of them go before the next. */
enum { ROWS, VECTORS, STRIP, BLOCK };
static const struct tuning_parameter parameters[] = {
    {"rows", false, {0, 4, 5, 6, 8, 10, 12, 14}},
    {"vectors", false, {0, 1, 2, 3, 4}},
    {"strip", true, {0, 8, 16, 32, 128, 256}},
    {"block", true, {0, 256, 384, 512, 1024}},
    {0},
};

static struct tile tile_of(const struct device *dev, const int *settings)
{
    struct tile tile = tile_largest(dev);
    tile.most_rows = settings[ROWS] ? settings[ROWS] : tile.most_rows;
    tile.vectors = settings[VECTORS] ? settings[VECTORS] : tile.vectors;
    return tile;
}

/* Accumulators, a row of B and a broadcast are to fit the registers. */
static bool allows(const struct device *dev, const int *settings)
{
    struct tile tile = tile_of(dev, settings);
    int registers = tile.vector == 16 ? 32 : 16;
    return tile.most_rows * tile.vectors + tile.vectors + 1 <= registers;
}

static size_t divide_up(size_t count, size_t by)
{
    return (count + by - 1) / by;
}

struct tile_build {
    char options[128];
};
static struct tile_build build_options(const struct tile *tile, int rows, bool a_packed, int panel, enum dtype dtype)
{
    struct tile_build build;
    snprintf(build.options, sizeof build.options, "-DMR=%d -DNV=%d -DA_PACKED=%d -DPANEL=%d -DPACK_STEPS=%d%s%s", rows,
             tile->vectors, a_packed, panel, PACK_STEPS, dtype == DTYPE_F32 ? "" : " ", dtype_options(dtype));
    return build;
}

/* x [rows, width] in panels of so many columns, zeros beyond the width; the caller frees. */
static struct tensor *pack(struct device *dev, const struct tensor *x, bool transposed, int rows, int width, int panel,
                           const struct tile *tile)
{
    struct tile_build build = build_options(tile, tile->most_rows, false, panel, x->dtype);
    size_t panels = divide_up((size_t)width, (size_t)panel);
    size_t items = transposed ? panels : divide_up((size_t)rows, PACK_STEPS);
    struct tensor *packed = tensor_new(dev, DTYPE_F32, 2, (int[]){(int)panels * panel, rows});
    LAUNCH_WITH(dev, "gemm_tile.cl", transposed ? "pack_transposed" : "pack_columns", build.options,
                ((struct launch_range){{items, 1, 1}, 1}), ARG_BUFFER(packed), ARG_BUFFER(x), ARG_INT(width),
                ARG_INT(rows));
    return packed;
}

/* What comes of a constant weight is kept with it, as long as panels stay as wide. */
static struct tensor *pack_b(struct device *dev, const struct gemm *call, const struct tile *tile)
{
    int panel = tile->vectors * tile->vector;
    bool keep = call->b->constant && call->b_transposed && path_is_on(dev, PATH_PACKED_WEIGHTS);
    enum dtype dtype = call->a->dtype;
    if (keep && call->b->packed && call->b->packed_panel == panel && call->b->packed_for == dtype)
        return gemm_share(call->b, DTYPE_F32, call->b->packed);
    struct tensor *rounded = call->b->dtype == dtype ? NULL : cast_copy(call->b, dtype);
    struct tensor *packed = pack(dev, rounded ? rounded : call->b, call->b_transposed, call->k, call->n, panel, tile);
    tensor_free(rounded);
    if (keep && !device_failed(dev)) {
        buffer_drop(call->b->packed);
        call->b->packed = buffer_share(packed->buffer);
        call->b->packed_panel = panel;
        call->b->packed_for = dtype;
    }
    return packed;
}

static bool supports(const struct device *dev, const struct gemm *call)
{
    (void)call;
    return device_info(dev)->device_class == DEVICE_CPU && path_is_on(dev, PATH_TILE);
}

/* Sums that are parted go on from what lies in c, so that they come out the same to the bit; what was there before
 * would come first. */
static void run(struct device *dev, const struct gemm *call, const int *settings)
{
    struct tile tile = tile_of(dev, settings);
    int height = tile_height(&tile, call->m);
    struct tile_build build = build_options(&tile, height, call->a_transposed, 1, call->c->dtype);
    struct tensor *columns = pack_b(dev, call, &tile), *rows = NULL;
    if (call->a_transposed)
        rows = pack(dev, call->a, false, call->k, call->m, height, &tile);
    else if (call->a->dtype != DTYPE_F32)
        rows = cast_copy(call->a, DTYPE_F32); /* read once for each panel of B */
    size_t panels = divide_up((size_t)call->n, (size_t)(tile.vectors * tile.vector));
    int tallest = settings[STRIP] ? settings[STRIP] : TALLEST_STRIP;
    int strip = strip_rows(dev, height, tallest, (int)panels, call->m);
    bool parted = settings[BLOCK] && !call->accumulate && call->c->dtype == DTYPE_F32;
    int block = parted ? settings[BLOCK] : call->k;
    struct launch_range range = {{panels, divide_up((size_t)call->m, (size_t)strip), 1}, 1};
    device_profile_shape(dev, call->m, call->n, call->k);
    LAUNCH_WITH(dev, "gemm_tile.cl", "gemm_tile", build.options, range, ARG_BUFFER(call->c),
                ARG_BUFFER(rows ? rows : call->a), ARG_BUFFER(columns), ARG_BUFFER(call->bias),
                ARG_BUFFER(call->residual), ARG_INT(call->m), ARG_INT(call->n), ARG_INT(call->k), ARG_INT(strip),
                ARG_INT(block), ARG_INT(call->accumulate), ARG_INT((int)call->activation));
    tensor_free(columns);
    tensor_free(rows);
}

const struct gemm_backend gemm_tile = {"tile", supports, run, parameters, allows, ERROR_OF_FLOAT32};
