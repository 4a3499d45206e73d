/* What the files of runtime/ share of OpenCL. No file outside runtime/ includes this. */
#ifndef OCLIP_OPENCL_H
#define OCLIP_OPENCL_H

#include "runtime/device.h"
#include "runtime/patience.h"

#include <CL/cl.h>

struct pool;
struct program;
struct gemm_choices;
struct tuning;
struct tune_mode;
struct matrix_unit;
struct selftests;
struct profile;
struct uploads;
struct attention_choice;

struct device {
    struct device_info info;
    struct device_counters counters;
    cl_context context;
    cl_device_id id;
    cl_command_queue queue;
    cl_event mark;                         /* the last of device_mark(); NULL before any */
    struct pool *pool;                     /* runtime/buffer.c */
    struct uploads *uploads;               /* runtime/upload.c; NULL until something goes up */
    struct patience finish_wait;           /* runtime/patience.c: what waits for all work taught, */
    struct patience download_wait;         /* and those for results */
    struct program *programs;              /* runtime/program.c: a list */
    unsigned paths;                        /* runtime/paths.c: the fast paths that are on */
    bool program_cache_off;                /* the disk cache was unusable and has been warned about */
    struct gemm_choices *choices;          /* runtime/gemm/choice.c */
    struct attention_choice *attention;    /* runtime/ops/attention_tune.c */
    struct tuning *tuning;                 /* runtime/tuning.c; NULL until it is read */
    const struct tune_mode *tune_mode;     /* runtime/gemm/tune.c */
    double tuned_seconds;                  /* what searches have taken, of its total_seconds */
    struct selftests *selftests;           /* runtime/selftest.c */
    const struct matrix_unit *matrix_unit; /* runtime/gemm/matrix.c: what products may run on; NULL: none */
    enum precision precision;              /* of activations on it */
    struct profile *profile;               /* runtime/profile.c; NULL unless device_profile_start() was called */
    struct error failure;                  /* the first one; code is EXIT_OK while all is well */
};

/* Keeps the first failure: "doing what: CL_CODE" with the exit code that fits it. Does nothing for CL_SUCCESS.
 * Returns true if the device has failed, now or before. */
bool opencl_failed(struct device *dev, cl_int code, const char *format, ...) PRINTF_LIKE(3, 4);

/* Takes the failure back where a kernel that was only tried is to blame. False: the device is lost, and stays so. */
bool device_forgive(struct device *dev);

/* Where a clEnqueue... leaves its event: NULL, for none, unless the device is profiled. The texts live as long as the
 * device.
 *
 *     clEnqueueCopyBuffer(..., 0, NULL, PROFILE_EVENT(dev, .name = "copy", .category = "buffer", .bytes = 2 * count));
 */
struct profile_note {
    const char *name, *category;
    size_t bytes; /* read and written */
};
#define PROFILE_EVENT(dev, ...)                                                                                        \
    ((dev)->profile ? profile_add((dev)->profile, &(struct profile_note){__VA_ARGS__}) : NULL)
cl_event *profile_add(struct profile *profile, const struct profile_note *note);

/* Around a call that waits for all queued work. */
void profile_waiting(struct device *dev);
void profile_waited(struct device *dev, const char *what);

/* Released by device_close, each by the file that owns it. */
void pool_free(struct pool *pool);
struct pool *pool_new(void);
void uploads_free(struct uploads *uploads);
void programs_free(struct program *programs);
void gemm_choices_free(struct gemm_choices *choices);
void attention_choices_free(struct attention_choice *choices);
void tuning_free(struct tuning *tuning);
void selftests_free(struct selftests *tests);
void profile_free(struct profile *profile);

#endif
