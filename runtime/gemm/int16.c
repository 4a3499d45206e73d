/* Products with constant weights in 16-bit integers on CPU-class devices (cl/gemm_int16.cl). */
#include "runtime/gemm/int16.h"

#include "runtime/gemm/gemm.h"
#include "runtime/gemm/strips.h"
#include "runtime/launch.h"
#include "runtime/opencl.h"
#include "runtime/paths.h"
#include "runtime/profile.h"
#include "runtime/program.h"

#include <stdio.h>

enum {
    BLOCK = 192 /* pairs that share a scale: fewer are more exact, and slower */,
    TALLEST_STRIP = 32 /* tiles */,
    PANEL_OF_INT16 = 1 << 16 /* packed so, a weight is not mistaken for floats */
};

struct build {
    char options[64];
};
static struct build build_options(const struct tile *tile, int rows)
{
    struct build build;
    snprintf(build.options, sizeof build.options, "-DMR=%d -DNV=%d -DBLOCK=%d", rows, tile->vectors, BLOCK);
    return build;
}

bool int16_compiles(struct device *dev)
{
    struct tile tile = tile_largest(dev);
    if (dev->info.device_class != DEVICE_CPU || device_failed(dev))
        return false;
    if (program_kernel(dev, "gemm_int16.cl", build_options(&tile, tile.most_rows).options, "gemm_int16"))
        return true;
    device_forgive(dev); /* a failure is an answer here */
    return false;
}

/* Of so many pairs, and their scales. The caller frees. */
static struct tensor *rows_new(struct device *dev, int rows, int pairs)
{
    return tensor_new(dev, DTYPE_I32, 2, (int[]){rows, pairs + (pairs + BLOCK - 1) / BLOCK});
}

/* x [rows, k] in integers; the caller frees. */
static struct tensor *quantise(const struct tensor *x, int rows, int k, const struct tile *tile)
{
    struct tensor *quantised = rows_new(x->dev, rows, (k + 1) / 2);
    LAUNCH_WITH(x->dev, "gemm_int16.cl", "quantise_rows", build_options(tile, tile->most_rows).options,
                range_rows(x->dev, (size_t)rows), ARG_BUFFER(quantised), ARG_BUFFER(x), ARG_INT(rows), ARG_INT(k),
                ARG_INT((k + 1) / 2));
    return quantised;
}

/* The weight in panels of integers, which are kept with it; the caller frees. */
static struct tensor *pack_weight(struct tensor *weight, int n, int k, int panels, const struct tile *tile)
{
    struct device *dev = weight->dev;
    int columns = tile->vectors * tile->vector, pairs = (k + 1) / 2, kind = PANEL_OF_INT16 + columns;
    if (weight->packed && weight->packed_panel == kind)
        return gemm_share(weight, DTYPE_I32, weight->packed);
    struct tensor *rows = quantise(weight, n, k, tile), *packed = rows_new(dev, panels * columns, pairs);
    LAUNCH_WITH(dev, "gemm_int16.cl", "pack_rows", build_options(tile, tile->most_rows).options,
                ((struct launch_range){{(size_t)panels, 1, 1}, 1}), ARG_BUFFER(packed), ARG_BUFFER(rows), ARG_INT(n),
                ARG_INT(pairs));
    tensor_free(rows);
    if (path_is_on(dev, PATH_PACKED_WEIGHTS) && !device_failed(dev)) {
        buffer_drop(weight->packed);
        weight->packed = buffer_share(packed->buffer);
        weight->packed_panel = kind;
    }
    return packed;
}

static bool supports(const struct device *dev, const struct gemm *call)
{
    return dev->precision == PRECISION_INT16 && gemm_has_weight(call);
}

static void run(struct device *dev, const struct gemm *call, const int *settings)
{
    (void)settings;
    struct tile tile = tile_largest(dev);
    int height = tile_height(&tile, call->m), columns = tile.vectors * tile.vector, pairs = (call->k + 1) / 2;
    int panels = (call->n + columns - 1) / columns, strip = strip_rows(dev, height, TALLEST_STRIP, panels, call->m);
    struct tensor *weight = pack_weight(call->b, call->n, call->k, panels, &tile);
    struct tensor *rows = quantise(call->a, call->m, call->k, &tile);
    struct launch_range range = {{(size_t)panels, (size_t)((call->m + strip - 1) / strip), 1}, 1};
    device_profile_shape(dev, call->m, call->n, call->k);
    LAUNCH_WITH(dev, "gemm_int16.cl", "gemm_int16", build_options(&tile, height).options, range, ARG_BUFFER(call->c),
                ARG_BUFFER(rows), ARG_BUFFER(weight), ARG_BUFFER(call->bias), ARG_BUFFER(call->residual),
                ARG_INT(call->m), ARG_INT(call->n), ARG_INT(pairs), ARG_INT(strip), ARG_INT(call->accumulate),
                ARG_INT((int)call->activation));
    tensor_free(weight);
    tensor_free(rows);
}

const struct gemm_backend gemm_int16 = {"int16", supports, run, NULL, NULL, 1e-3};
