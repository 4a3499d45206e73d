/* Programs: one for each (kernel file, options), built on first use, its binary kept on disk.
 *
 *     struct kernel *kernel = program_kernel(dev, "pool.cl", "", "pool_mean_forward"); // NULL after a failure
 *
 * A cache entry is named by the hash of source, options, device, driver and platform, carries that key and a hash of
 * its own content, and is written by rename. A broken entry is built anew; a folder that cannot be written turns the
 * cache off with one warning. A build failure sticks to the device, with the build log.
 */
#ifndef OCLIP_PROGRAM_H
#define OCLIP_PROGRAM_H

#include "runtime/opencl.h"

enum { KERNEL_MAX_ARGS = 24 };

struct kernel {
    cl_kernel handle;
    char *name;
    int arg_count;
    bool arg_is_pointer[KERNEL_MAX_ARGS], arg_types_known;
    struct kernel *next;
};

struct kernel *program_kernel(struct device *dev, const char *file, const char *options, const char *name);

#endif
