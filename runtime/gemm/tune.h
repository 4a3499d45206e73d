/* The search for a backend and its settings that do a class of products fastest, within a time budget.
 *
 *     struct gemm_plan plan = {.backend = &gemm_tile};             // where the search begins
 *     tune_search(&plan, dev, &call, &tune_modes[TUNE_FULL], true);
 *
 * It begins with what it is given, then tries other values of one setting after another, and keeps what is faster by
 * more than chance; with every backend where that is asked for. Whatever is timed has first given right products over
 * odd shapes.
 */
#ifndef OCLIP_TUNE_H
#define OCLIP_TUNE_H

#include "runtime/gemm/trial.h"

enum tune_name { TUNE_OFF, TUNE_QUICK, TUNE_FULL, TUNE_MODES };
struct tune_mode {
    const char *name;
    double class_seconds, total_seconds; /* for a class of products, and for all of a process */
    int samples;                         /* of which the median counts */
    bool thorough; /* all settings, not only quick ones, and again until nothing gets better; all backends */
};
extern const struct tune_mode tune_modes[TUNE_MODES];

/* Whether the plan's products of the call's layout and dtype are right on this device, which is found out once and kept
 * (selftest.h). */
bool tune_is_right(struct device *dev, const struct gemm_plan *plan, const struct gemm *call);

/* plan becomes the fastest that was found, with its rate. A plan that cannot be timed stays as it is, with rate 0.
 * With all_backends others are tried than the plan's, too. */
void tune_search(struct gemm_plan *plan, struct device *dev, const struct gemm *call, const struct tune_mode *mode,
                 bool all_backends);

/* "tile rows=6 block=512" */
struct plan_text {
    char text[128];
};
struct plan_text tune_plan_text(const struct gemm_plan *plan);

/* From such a text; -1 when it names no backend, or no setting that it has.  dev: whose limits count */
int tune_read_plan(struct gemm_plan *plan, const struct device *dev, const char *text) MUST_CHECK;

extern const struct gemm_backend *const gemm_backends[]; /* ends at NULL; those in front are tried first */

#endif
