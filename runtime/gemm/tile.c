/* The packed register-tile kernel for CPU-class devices (cl/gemm_tile.cl). */
#include "runtime/gemm/gemm.h"
#include "runtime/launch.h"
#include "runtime/profile.h"

#include <limits.h>
#include <stdio.h>

/* Tile shapes by vector width: at the full height the accumulators, one row of B and a broadcast fill the registers (16
 * of 8 floats with AVX2, 32 of 16 with AVX-512). */
static const struct tile {
    int vector, most_rows, vectors;
} tiles[] = {{16, 8, 3}, {8, 6, 2}};
enum { STRIP = 16, PACK_STEPS = 16, ROWS_TURNED = 64, COLUMNS_TURNED = 16 };

static const struct tile *tile_of(const struct device *dev)
{
    return &tiles[device_vector_width(dev) == 16 ? 0 : 1];
}

/* The height that suits m: rows computed in vain cost as much as others, and a pass over B about as much as a row. */
static int tile_rows(const struct tile *tile, int m)
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

static size_t divide_up(size_t count, size_t by)
{
    return (count + by - 1) / by;
}

struct tile_build {
    char options[128];
};
static struct tile_build build_options(const struct tile *tile, int rows)
{
    struct tile_build build;
    snprintf(build.options, sizeof build.options,
             "-DMR=%d -DNV=%d -DSTRIP=%d -DPACK_STEPS=%d -DROWS_TURNED=%d -DCOLUMNS_TURNED=%d", rows, tile->vectors,
             STRIP, PACK_STEPS, ROWS_TURNED, COLUMNS_TURNED);
    return build;
}

static void launch_one_item(struct device *dev, const char *kernel, struct launch_range range, struct tensor *out,
                            const struct tensor *in, int size0, int size1)
{
    const struct tile *tile = tile_of(dev);
    struct tile_build build = build_options(tile, tile->most_rows);
    LAUNCH_WITH(dev, "gemm_tile.cl", kernel, build.options, range, ARG_BUFFER(out), ARG_BUFFER(in), ARG_INT(size0),
                ARG_INT(size1));
}

/* B in panels. What comes of a constant weight is kept with it; otherwise the caller frees. */
static struct tensor *pack(struct device *dev, const struct gemm *call)
{
    const struct tile *tile = tile_of(dev);
    int panel = tile->vectors * tile->vector;
    size_t panels = divide_up((size_t)call->n, (size_t)panel);
    bool keep = call->b->constant && call->b_transposed;
    struct tensor *packed = tensor_new(dev, DTYPE_F32, 2, (int[]){(int)panels * panel, call->k});
    if (keep && call->b->packed) {
        buffer_drop(packed->buffer);
        packed->buffer = buffer_share(call->b->packed);
        return packed;
    }
    if (call->b_transposed)
        launch_one_item(dev, "pack_transposed", (struct launch_range){{panels, 1, 1}, 1}, packed, call->b, call->n,
                        call->k);
    else
        launch_one_item(dev, "pack_straight", (struct launch_range){{divide_up((size_t)call->k, PACK_STEPS), 1, 1}, 1},
                        packed, call->b, call->n, call->k);
    if (keep)
        call->b->packed = buffer_share(packed->buffer);
    return packed;
}

static bool supports(const struct device *dev, const struct gemm *call)
{
    (void)call;
    return device_info(dev)->device_class == DEVICE_CPU;
}

static void run(struct device *dev, const struct gemm *call)
{
    const struct tile *tile = tile_of(dev);
    int height = tile_rows(tile, call->m);
    struct tile_build build = build_options(tile, height);
    struct tensor *packed = pack(dev, call), *rows = NULL;
    if (call->a_transposed) {
        rows = tensor_new(dev, DTYPE_F32, 2, (int[]){call->m, call->k});
        struct launch_range blocks = {
            {divide_up((size_t)call->m, COLUMNS_TURNED), divide_up((size_t)call->k, ROWS_TURNED), 1}, 1};
        launch_one_item(dev, "transpose", blocks, rows, call->a, call->k, call->m);
    }
    struct launch_range range = {{divide_up((size_t)call->n, (size_t)(tile->vectors * tile->vector)),
                                  divide_up((size_t)call->m, (size_t)(height * STRIP)), 1},
                                 1};
    device_profile_shape(dev, call->m, call->n, call->k);
    LAUNCH_WITH(dev, "gemm_tile.cl", "gemm_tile", build.options, range, ARG_BUFFER(call->c),
                ARG_BUFFER(rows ? rows : call->a), ARG_BUFFER(packed), ARG_BUFFER(call->bias),
                ARG_BUFFER(call->residual), ARG_INT(call->m), ARG_INT(call->n), ARG_INT(call->k),
                ARG_INT(call->accumulate), ARG_INT((int)call->activation));
    tensor_free(packed);
    tensor_free(rows);
}

const struct gemm_backend gemm_tile = {"tile", supports, run};
