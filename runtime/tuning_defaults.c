/* What is fastest where, for devices on which nothing was measured yet: by vendor and architecture, as tuning.h says.
 * A line here also spares the first run a search among backends: it is tuned, not questioned. What others measured may
 * be put here as it stands in their tuning.txt, with patterns in the place of names. */
#include "runtime/tuning.h"

const char *const tuning_defaults[] = {
    /* CLBlast takes ten times as long on CPUs: its kernels share work in local memory, which CPUs emulate. */
    "cpu * | * | gemm * | tile",
    "cpu * | * | gemm int16 * | int16",
    NULL,
};
