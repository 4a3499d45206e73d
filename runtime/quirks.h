/* What single drivers need, as a table of conditions: what it changes, why, and who says so. */
#ifndef OCLIP_QUIRKS_H
#define OCLIP_QUIRKS_H

#include "runtime/device.h"

/* Build options this device's programs need; "" for most. Static text. */
const char *quirks_build_options(const struct device_info *info);

#endif
