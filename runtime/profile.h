/* Where a device's time goes: a trace of every command, and a table of totals.
 *
 *     device_profile_start(dev);                                    // right after device_open()
 *     ... work ...
 *     device_profile_table(dev, stderr);                            // kernels by total time
 *     if (device_profile_write(dev, "trace.json", &err) != 0) ...   // for chrome://tracing or ui.perfetto.dev
 *
 * Times are the device's own (CL_QUEUE_PROFILING_ENABLE). A kernel is named as in cl/, its category is its file, a
 * matrix product carries its shape; uploads, downloads, copies and fills are of category "buffer". A second row shows
 * where the host waited. Of a CLBlast product the last of its kernels is seen; its copies count as idle time.
 */
#ifndef OCLIP_PROFILE_H
#define OCLIP_PROFILE_H

#include "runtime/device.h"

#include <stdio.h>

/* From now on every command is recorded, until device_close(). A queue that cannot be made fails the device. */
void device_profile_start(struct device *dev);

/* Waits, writes what was recorded since the last write as Chrome trace JSON (microseconds since the start on the
 * host's clock), and forgets it. At most PROFILE_MOST commands are kept between writes; what comes after them is in the
 * table only, and "left_out" in the trace and the table's last line say how many that is. */
enum { PROFILE_MOST = 2000000 };
int device_profile_write(struct device *dev, const char *path, struct error *err) MUST_CHECK;

/* Waits, and prints totals since the start, whether written or not: a line for each kernel, and the idle time between
 * commands, parted into time when nothing was queued and time to start what was. GB/s takes each buffer argument once
 * and whole: too much for a kernel that reads some rows of a table, too little for one that works in place. */
void device_profile_table(struct device *dev, FILE *stream);

/* Tells the profile, if there is one, that the next launch is a product of [m, k] and [k, n]. */
void device_profile_shape(struct device *dev, int m, int n, int k);

#endif
