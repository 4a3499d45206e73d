#ifndef OCLIP_INT16_H
#define OCLIP_INT16_H

#include "runtime/device.h"

/* Whether products of 16-bit integers are for this device: a CPU that has an instruction for them, and a driver whose
 * compiler lends it. */
bool int16_compiles(struct device *dev);

#endif
