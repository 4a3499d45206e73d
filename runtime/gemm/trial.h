/* Products of their own memory: what a backend with certain settings is checked and timed on.
 *
 *     struct gemm_plan plan = {&gemm_tile, {0}};
 *     double off = trial_error(dev, &(struct trial_case){plan, layout, DTYPE_F32}); // over odd shapes
 *     struct trial trial = trial_new(dev, &call, most_flops); // as large as the call, or cut down
 *     double seconds = trial_seconds(dev, &trial, &plan, samples, enough);
 *     trial_free(&trial);
 */
#ifndef OCLIP_TRIAL_H
#define OCLIP_TRIAL_H

#include "runtime/gemm/gemm.h"
#include "runtime/selftest.h"

/* A backend and what it is to be run with. */
struct gemm_plan {
    const struct gemm_backend *backend;
    int settings[TUNING_PARAMETERS];
    double gflops; /* as measured; 0: not */
};

enum { LAYOUTS = 4 };
extern const char *const layout_names[LAYOUTS]; /* "NN", "NT", "TN", "TT" */
int layout_of(const struct gemm *call);         /* 2 * a_transposed + b_transposed */

enum precision precision_of(const struct gemm *call); /* of its left side, or that of weights */

struct trial_case {
    struct gemm_plan plan;
    int layout;
    enum dtype dtype; /* of the left side */
};

/* A selftest of a struct trial_case. */
selftest_error trial_error;

struct trial {
    struct gemm call;
    struct tensor *flush; /* larger than the device's caches */
    double flops;
};

/* Numbers of the call's layout and sizes; of the largest sizes halves, until it takes no more than so many operations.
 */
struct trial trial_new(struct device *dev, const struct gemm *like, double most_flops);
void trial_free(struct trial *trial);

/* The median of so many runs behind a first one, each with caches that hold nothing of it. Gives up after one that took
 * longer than `enough`. INFINITY when it fails, which is then taken back from the device. */
double trial_seconds(struct device *dev, const struct trial *trial, const struct gemm_plan *plan, int samples,
                     double enough);

#endif
