/* Which backend a class of products uses on a device: checked, measured, remembered. */
#ifndef OCLIP_GEMM_CHOICE_H
#define OCLIP_GEMM_CHOICE_H

#include "runtime/gemm/gemm.h"

/* The backend for this call; fails the device with a clear text when none gives right results. NULL then. */
const struct gemm_backend *gemm_choose(struct device *dev, const struct gemm *call);

extern const char *const gemm_precisions[]; /* "fp32", ...: names by enum precision */

#endif
