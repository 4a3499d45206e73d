#define _GNU_SOURCE
#include "runtime/gemm/matrix.h"

#include "runtime/launch.h"
#include "runtime/opencl.h"
#include "runtime/paths.h"
#include "runtime/profile.h"
#include "runtime/program.h"

#include <stdio.h>
#include <string.h>

/* Of a vendor's the newest first: the first that compiles is used. Tiles are as large as the registers allow. */
#define AMD "Advanced Micro Devices"
#define WIDE_REGISTERS "-cl-intel-256-GRF-per-thread"
const struct matrix_unit matrix_units[] = {
    {"NVIDIA_SM80", "NVIDIA", true, 32, 2, 4, 128, 64, 16, {{64, 4, 32, true}, {112, 8, 16, true}}, ""},
    {"NVIDIA_SM75", "NVIDIA", false, 32, 2, 4, 128, 64, 16, {{64, 4, 32, true}, {112, 8, 16, true}}, ""},
    {"AMD_RDNA4", AMD, true, 32, 2, 4, 128, 64, 16, {{80, 4, 16, true}}, ""},
    {"AMD_RDNA3", AMD, true, 32, 2, 4, 128, 64, 16, {{64, 4, 16, true}}, ""},
    {"AMD_CDNA", AMD, true, 64, 2, 2, 128, 64, 16, {{64, 4, 32, true}, {128, 4, 16, true}}, ""},
    {"INTEL_XE2", "Intel", true, 16, 4, 4, 64, 64, 16, {{64, 4, 16, false}}, WIDE_REGISTERS},
    {"INTEL_DG2", "Intel", true, 8, 4, 8, 64, 64, 8, {{64, 8, 16, false}}, WIDE_REGISTERS},
    {0},
};

struct matrix_build {
    char options[256];
};
static struct matrix_build build_options(const struct matrix_unit *unit, enum precision precision, enum dtype c,
                                         int tile, bool aligned, bool emulated)
{
    struct matrix_build build;
    snprintf(build.options, sizeof build.options,
             "-DUNIT=%s -DBF16=%d %s -DTILE=%d -DSUBGROUPS_M=%d -DSUBGROUPS_N=%d -DSTORED16=1 -DALIGNED=%d %s %s",
             unit->name, precision == PRECISION_BF16, emulated ? MATRIX_EMULATED : "-DEMULATED=0", tile,
             unit->subgroups_m, unit->subgroups_n, aligned, dtype_options(c), emulated ? "" : unit->options);
    return build;
}

/* A failure is an answer here, and does not stay with the device. */
static bool compiles(struct device *dev, const struct matrix_unit *unit, enum precision precision)
{
    struct matrix_build build = build_options(unit, precision, DTYPE_F32, unit->tile, true, false);
    bool compiled = program_kernel(dev, "gemm_matrix.cl", build.options, "gemm_matrix") != NULL;
    if (!compiled)
        device_forgive(dev);
    return compiled;
}

const struct matrix_unit *matrix_find(struct device *dev, enum precision precision)
{
    if (dtype_of_precision(precision) == DTYPE_F32 || dev->info.device_class != DEVICE_GPU ||
        !path_is_on(dev, PATH_MATRIX) || device_failed(dev))
        return NULL;
    for (const struct matrix_unit *unit = matrix_units; unit->name; unit++)
        if (strcasestr(dev->info.vendor, unit->vendor) && (unit->bf16 || precision == PRECISION_FP16) &&
            compiles(dev, unit, precision))
            return unit;
    return NULL;
}

static int tiles(int count, int tile)
{
    return (count + tile - 1) / tile;
}

/* b as it is, or rounded to what the units take; a constant keeps that. The caller frees. */
static struct tensor *right_side(struct tensor *b, enum dtype dtype)
{
    if (b->dtype == dtype)
        return gemm_share(b, dtype, b->buffer);
    if (b->packed && b->packed_for == dtype)
        return gemm_share(b, dtype, b->packed);
    struct tensor *rounded = cast_copy(b, dtype);
    if (b->constant && !device_failed(b->dev)) {
        buffer_drop(b->packed);
        b->packed = buffer_share(rounded->buffer);
        b->packed_for = dtype;
    }
    return rounded;
}

void matrix_multiply(const struct gemm *call, const struct matrix_unit *unit, enum precision precision, int tile,
                     bool emulated)
{
    struct device *dev = call->c->dev;
    struct matrix_build build = build_options(unit, precision, call->c->dtype, tile, call->k % 8 == 0, emulated);
    struct launch_range range = {{(size_t)tiles(call->n, tile), (size_t)tiles(call->m, tile), 1},
                                 (size_t)(unit->lanes * unit->subgroups_m * unit->subgroups_n)};
    struct tensor *b = right_side(call->b, call->a->dtype);
    device_profile_shape(dev, call->m, call->n, call->k);
    LAUNCH_WITH(dev, "gemm_matrix.cl", "gemm_matrix", build.options, range, ARG_BUFFER(call->c), ARG_BUFFER(call->a),
                ARG_BUFFER(b), ARG_BUFFER(call->bias), ARG_BUFFER(call->residual), ARG_INT(call->m), ARG_INT(call->n),
                ARG_INT(call->k), ARG_INT(call->a_transposed), ARG_INT(call->b_transposed), ARG_INT(call->accumulate),
                ARG_INT((int)call->activation));
    tensor_free(b);
}

static bool supports(const struct device *dev, const struct gemm *call)
{
    return dev->matrix_unit && call->a->dtype != DTYPE_F32 && call->a->dtype == dtype_of_precision(dev->precision);
}

/* Large tiles read less, small ones keep more units busy. */
static const struct tuning_parameter parameters[] = {{"tile", true, {0, 64, 128}}, {0}};

static void run(struct device *dev, const struct gemm *call, const int *settings)
{
    int tile = settings[0] ? settings[0] : dev->matrix_unit->tile;
    if (!settings[0] && tiles(call->m, tile) * tiles(call->n, tile) < dev->info.units)
        tile = dev->matrix_unit->small_tile;
    matrix_multiply(call, dev->matrix_unit, dev->precision, tile, false);
}

const struct gemm_backend gemm_matrix = {"matrix", supports, run, parameters, NULL, ERROR_OF_FLOAT32};
