/* Holds an op against a plain double-precision reference, on every OpenCL device there is.
 *
 *     static void reference(double *y, double *const *in, const struct op_case *c) { ... }
 *     static struct tensor *run(struct tape *tape, struct tensor *const *in, const struct op_case *c)
 *     { return op_layernorm(tape, in[0], in[1], in[2], 1e-6f); }
 *
 *     static const struct op_case cases[] = {
 *         {"layernorm 3x7", run, reference, {{2, {3, 7}, true}, {1, {7}, true}, {1, {7}, true}}},
 *     };
 *     OP_TESTS(cases)       // the test program's main
 *
 * For each case: the output; the gradient of sum(y * r), r random, for each input marked `grad`, against central
 * differences of the reference (every coordinate of small inputs, random directions of large ones); the same again
 * when there is a gradient already (it must be added to); inference and recording agree; a rerun is equal bit by bit;
 * nothing is written behind any buffer, nothing uninitialised is read (fresh buffers hold NaN).
 *
 * Cases with an `activation` among their inputs, or that make some, pass through this three times: stored as float32,
 * as bfloat16 and as half precision. All numbers of the latter two are rounded before the reference sees them, so that
 * what is allowed there is the rounding of results and of what stands between.
 */
#ifndef OCLIP_OP_CHECK_H
#define OCLIP_OP_CHECK_H

#include "runtime/arena.h"
#include "runtime/ops/ops.h"

enum { CASE_INPUTS = 6 };

struct case_input {
    int ndim, dim[4];
    bool grad;
    /* FILL_ACTIVATION: normal, and stored in 16 bits too; FILL_U8: a u8 tensor, the reference gets 0 to 255 as doubles
     */
    enum { FILL_NORMAL, FILL_ACTIVATION, FILL_ZERO, FILL_U8 } fill;
    double scale, shift; /* of normal ones; a scale of 0 means 1 */
};

/* Standard normal numbers of one or two dimensions. */
#define NORMAL1(grad, n)                                                                                               \
    {                                                                                                                  \
        1, {n}, grad, FILL_NORMAL, 0, 0                                                                                \
    }
#define NORMAL2(grad, rows, width)                                                                                     \
    {                                                                                                                  \
        2, {rows, width}, grad, FILL_NORMAL, 0, 0                                                                      \
    }
#define ACTIVATIONS(grad, rows, width)                                                                                 \
    {                                                                                                                  \
        2, {rows, width}, grad, FILL_ACTIVATION, 0, 0                                                                  \
    }

struct op_case {
    const char *name;
    struct tensor *(*run)(struct tape *tape, struct tensor *const *in, const struct op_case *c);
    void (*reference)(double *y, double *const *in, const struct op_case *c);
    struct case_input in[CASE_INPUTS]; /* ends at the first with ndim 0 */
    int integer[8];                    /* for run and reference */
    double real[4];
    double tolerance; /* of the largest value; 0 means 2e-6 for outputs and 2e-5 for gradients */
};

/* Random numbers the same everywhere: standard normal, uniform in [0, 1). */
double check_normal(uint64_t *state);
double check_uniform(uint64_t *state);

/* The nearest number that tensors of this dtype hold, ties to even. */
double check_rounded(enum dtype dtype, double x);

/* The numbers of a tensor, stored in any of the ways that activations are; what goes up is rounded so. Bytes can go up
 * too. */
void check_upload(struct tensor *tensor, const double *numbers);
float *check_download(const struct tensor *tensor); /* caller frees */

/* All that a step moves: the values, then both moments. [3, trained_numbers]; caller frees. */
float *check_arena_numbers(const struct arena *arena);

/* False for a case of more numbers than OCLIP_TEST_NUMBERS allows, where that is set: simulators are slow. */
bool check_is_small(size_t numbers);

/* Runs every case that is small on every device found; prints each device once; fails when there is none. The exit code
 * of main. */
int op_check_all(const struct op_case *cases, int count);

/* Calls `test` for each device found, each opened with guards on; dies with a message when there is none. Stops with
 * a failure if the device failed or a guard was overwritten. */
void for_each_device(void (*test)(struct device *dev));

/* Dies with `what`, the place and both numbers unless |got - want| <= tolerance * max(|want|) everywhere. */
void check_close(const char *what, const float *got, const double *want, size_t count, double tolerance);

#define OP_TESTS(cases)                                                                                                \
    int main(void)                                                                                                     \
    {                                                                                                                  \
        return op_check_all(cases, (int)(sizeof(cases) / sizeof *(cases)));                                            \
    }

#endif
