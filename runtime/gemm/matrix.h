/* Products on matrix units: NVIDIA's mma.sync, AMD's WMMA and MFMA, Intel's DPAS (cl/fragment.clh, cl/gemm_matrix.cl).
 *
 *     const struct matrix_unit *unit = matrix_find(dev, PRECISION_BF16);   // NULL: none that this driver compiles
 *     matrix_multiply(&call, unit, PRECISION_BF16, unit->tile, false);     // as the backend "matrix" does
 *     matrix_multiply(&call, &matrix_units[0], PRECISION_BF16, 64, true);  // emulated, on any device: for tests
 */
#ifndef OCLIP_MATRIX_H
#define OCLIP_MATRIX_H

#include "runtime/gemm/gemm.h"

/* What emulations are built with: they are large, and compilers take longer for them than they run. */
#define MATRIX_EMULATED "-DEMULATED=1 -cl-opt-disable"

/* How attention uses them (cl/attention_matrix.cl): with as many sums and as much on its way as fit the registers. */
struct matrix_attention {
    int widest_head;      /* that this is for */
    int subgroups, block; /* of a work-group; far rows in local memory at once */
    bool hold;            /* own rows in registers, not in local memory */
};
enum { MATRIX_ATTENTIONS = 2 };

struct matrix_unit {
    const char *name;                                     /* of its UNIT in cl/fragment.clh; NULL ends the table */
    const char *vendor;                                   /* part of the vendor's name, as devices have it */
    bool bf16;                                            /* takes bfloat16 too; all take fp16 */
    int lanes;                                            /* of a sub-group */
    int subgroups_m, subgroups_n;                         /* of a work-group */
    int tile, small_tile;                                 /* that it computes; small for products of few tiles */
    int own;                                              /* OWN of cl/fragment_rows.clh */
    struct matrix_attention attention[MATRIX_ATTENTIONS]; /* the first whose heads are wide enough */
    const char *options;                                  /* that its compiler needs for kernels with many registers */
};
extern const struct matrix_unit matrix_units[];

const struct matrix_unit *matrix_find(struct device *dev, enum precision precision);
void matrix_multiply(const struct gemm *call, const struct matrix_unit *unit, enum precision precision, int tile,
                     bool emulated);

#endif
