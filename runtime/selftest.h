/* What is held against the host before it is used on a device: fast kernels that have a plainer one to fall back on.
 *
 *     if (selftest_passes(dev, "attention HEAD_DIM=64", attention_error, &shape, 1e-4)) ... the fast one
 *     else                                                                              ... the plain one
 *
 * A kernel is run once for each device, driver and set of options. The verdict is kept in a file below
 * device_cache_folder("selftest"), one line a kernel, which may be read and deleted. A kernel that is wrong, or that
 * the driver cannot build or run, is named once on stderr.
 */
#ifndef OCLIP_SELFTEST_H
#define OCLIP_SELFTEST_H

#include "runtime/device.h"

/* Runs what is tested and returns how far it is from the host's numbers, relative to the largest of them. */
typedef double selftest_error(struct device *dev, const void *context);

bool selftest_passes(struct device *dev, const char *name, selftest_error *error, const void *context, double allowed);

/* So that all is tested anew. */
void selftest_forget(const struct device_info *info);

/* Calls `tell` for each verdict that is kept for this device. */
void selftest_verdicts(const struct device_info *info, void (*tell)(void *context, const char *name, bool right),
                       void *context);

/* The largest difference of got [count] from want [count], relative to the largest of want; INFINITY for a NaN. */
double selftest_difference(const float *got, const double *want, size_t count);

#endif
