/* Timed cases of tools/bench: what each measures, and how a measurement is taken and printed.
 *
 *     static int run_gemm(struct bench *bench, const char *const *words, int count, struct error *err)
 *     {
 *         ... set up ...
 *         return bench_time(bench, "gemm 64x768x768", step, context, &(struct bench_work){.flops = 2.0 * m * n * k},
 * err);
 *     }
 *     const struct bench_case bench_cases[] = {{"gemm", "MxNxK [NN|NT|TN]", "one matrix product", run_gemm}, {0}};
 */
#ifndef OCLIP_BENCH_H
#define OCLIP_BENCH_H

#include "runtime/peak.h"
#include "tools/session.h"

struct bench {
    struct session session;
    int batch, tokens, rows, dim, runs;
    const char *texts, *tokenizer, *profile;
    bool checkpointing;
    struct peak peak; /* zero until bench_peak() has measured it */
};

/* What one run does; 0 where it makes no sense. */
struct bench_work {
    double items, flops, bytes;
};

struct bench_case {
    const char *name, *words, *help;
    int (*run)(struct bench *bench, const char *const *words, int count, struct error *err);
};
extern const struct bench_case bench_kernel_cases[], bench_op_cases[], bench_model_cases[],
    bench_tool_cases[]; /* each ends at name NULL */

/* Runs `step` once, then until --runs are done, waiting for the device each time, and prints the median. */
int bench_time(struct bench *bench, const char *name, void (*step)(void *context), void *context,
               const struct bench_work *work, struct error *err) MUST_CHECK;

/* [rows, width] of numbers in [-1, 1]; caller frees. */
struct tensor *bench_tensor(struct device *dev, int rows, int width);
struct tensor *bench_activations(struct device *dev, int rows, int width); /* stored as --precision says */

/* The device's limits, measured once. */
int bench_peak(struct bench *bench, struct error *err) MUST_CHECK;

#endif
