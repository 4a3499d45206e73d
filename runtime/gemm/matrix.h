/* Products on matrix units: NVIDIA's mma.sync, AMD's WMMA and MFMA, Intel's DPAS (cl/fragment.clh, cl/gemm_matrix.cl).
 *
 *     const struct matrix_unit *unit = matrix_find(dev, PRECISION_BF16);   // NULL: none that this driver compiles
 *     matrix_multiply(&call, unit, PRECISION_BF16, unit->tile, false);     // as the backend "matrix" does
 *     matrix_multiply(&call, &matrix_units[0], PRECISION_BF16, 64, true);  // emulated, on any device: for tests
 */
#ifndef OCLIP_MATRIX_H
#define OCLIP_MATRIX_H

#include "runtime/gemm/gemm.h"

struct matrix_unit {
    const char *name;             /* of its UNIT in cl/fragment.clh; NULL ends the table */
    const char *vendor;           /* part of the vendor's name, as devices have it */
    bool bf16;                    /* takes bfloat16 too; all take fp16 */
    int lanes;                    /* of a sub-group */
    int subgroups_m, subgroups_n; /* of a work-group */
    int tile, small_tile;         /* that it computes; small for products of few tiles */
};
extern const struct matrix_unit matrix_units[];

const struct matrix_unit *matrix_find(struct device *dev, enum precision precision);
void matrix_multiply(const struct gemm *call, const struct matrix_unit *unit, enum precision precision, int tile,
                     bool emulated);

#endif
