/* What a device can do and what else it is called, as far as its extensions tell. runtime/device.c reads these with the
 * rest of struct device_info. */
#ifndef OCLIP_ABILITIES_H
#define OCLIP_ABILITIES_H

#include "runtime/opencl.h"

/* Fills pci, uuid, fp16, bf16, int8 and matrix_unit. */
void abilities_read(struct device_info *info, cl_device_id id);

/* Whether the text is the device's PCI address ("0000:01:00.0", the domain may be left out) or UUID (with or without
 * hyphens, any case). */
bool abilities_match(const struct device_info *info, const char *text);

#endif
