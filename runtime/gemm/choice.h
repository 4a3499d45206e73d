/* Which backend a class of products uses on a device, with which settings: checked, measured, remembered. */
#ifndef OCLIP_GEMM_CHOICE_H
#define OCLIP_GEMM_CHOICE_H

#include "runtime/gemm/tune.h"

/* The plan for this call; fails the device with a clear text when none gives right results. NULL then. */
const struct gemm_plan *gemm_choose(struct device *dev, const struct gemm *call);

#endif
