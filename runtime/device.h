/* OpenCL devices, numbered as `clinfo -l` numbers them.
 *
 *     struct device *dev;
 *     if (device_open(&dev, "auto", &err) != 0)          // or "0", "1:0", "nvidia", "gpu", "cpu", "0000:01:00.0"
 *         return error_report(&err);
 *     fprintf(stderr, "%s\n", device_info(dev)->label);  // "device 0 (0:0): pthread-haswell, PoCL"
 *     ... launch work ...
 *     if (device_finish(dev, &err) != 0) ...             // waits; the first failure of any launch comes back here
 *     device_close(dev);
 *
 * Work is queued in order and runs asynchronously. The first failure (a kernel that does not build, memory that runs
 * out, a lost device) sticks to the device, later launches do nothing, and device_finish() returns it: so an op needs
 * no error path of its own, and nothing wrong is ever read back.
 *
 * Threads may use a device each, but open them one after the other: some drivers start up in the first call.
 */
#ifndef OCLIP_DEVICE_H
#define OCLIP_DEVICE_H

#include "runtime/util/error.h"

#include <stdbool.h>

struct device;

enum device_class {
    DEVICE_CPU, /* one work-item owns a whole row or tile, in wide vectors */
    DEVICE_GPU, /* a work-group shares it */
};

/* What activations and their gradients are stored as; parameters, their gradients, statistics and sums are float32 in
 * each. INT16 stores them as float32 too, but multiplies constant weights as integers (gemm.h). */
enum precision { PRECISION_FP32, PRECISION_BF16, PRECISION_FP16, PRECISION_INT16, PRECISIONS };

struct device_info {
    int index;            /* N: counted over all platforms */
    int platform, number; /* P:D */
    bool is_gpu;          /* to its driver: what "gpu", "cpu" and "auto" go by */
    enum device_class device_class;
    char name[128], vendor[128], driver[128], platform_name[128], platform_version[128], version[128];
    char label[320];             /* one line for people */
    char pci[16], uuid[33];      /* "0000:01:00.0" and 32 hex digits; "" where the driver does not tell */
    bool fp16, bf16, int8;       /* arithmetic, conversions and dot products that the driver has extensions for */
    const char *matrix_unit;     /* "mma", "wmma", "mfma", "dpas", or "" for none that is known; static text */
    unsigned long memory_bytes;  /* global memory */
    unsigned long largest_bytes; /* largest single allocation */
    unsigned long local_bytes;   /* local memory of a work-group */
    int largest_group;           /* work-items in a work-group */
    int units;                   /* compute units */
    int clock_mhz;
    int native_floats; /* width of the device's own float vectors */
};

/* What the process asked of the device since it was opened. */
struct device_counters {
    long launches, waits, buffers_created, programs_built, programs_loaded;
};

/* All devices of all platforms; caller frees the array. Fails with EXIT_NO_DEVICE when there is none, and the text
 * tells a missing driver from a driver without devices. */
int device_list(struct device_info **infos, int *count, struct error *err) MUST_CHECK;

int device_open(struct device **out, const char *spec, struct error *err) MUST_CHECK;
void device_close(struct device *dev);

const struct device_info *device_info(const struct device *dev);
const struct device_counters *device_counters(const struct device *dev);

/* Floats a work-item handles at once, and work-items that share a row, in kernels written over common.clh. */
int device_vector_width(const struct device *dev);
int device_group_size(const struct device *dev);

/* Hands what is queued to the device, which begins with it, and remembers this point. */
void device_mark(struct device *dev);
/* Whether the device has done all that was queued before the last mark. Does not wait. */
bool device_idle(const struct device *dev);

enum precision device_precision(const struct device *dev); /* set by gemm_set_precision() */

/* Waits for all queued work. */
int device_finish(struct device *dev, struct error *err) MUST_CHECK;
bool device_failed(const struct device *dev);

/* The folder for program binaries, tuning and cached features: $OCLIP_CACHE, else $XDG_CACHE_HOME/oclip, else
 * ~/.cache/oclip. Caller frees. */
char *device_cache_folder(const char *subfolder);

#endif
