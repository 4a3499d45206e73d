/* Matrix products, by whichever backend is right and fastest on this device.
 *
 *     gemm(&(struct gemm){.m = rows, .n = out, .k = in, .a = x, .b = weight, .b_transposed = true, .c = y,
 *                         .bias = bias, .activation = ACTIVATION_GELU});
 *
 * c = residual + activation(op(a) op(b) + bias), or c += op(a) op(b), accumulated in float32. Where a is stored in 16
 * bits the product is one of such numbers: b is as a, or a float32 parameter that is rounded first; c, and the residual
 * with it, is as a or float32. Else all are float32. The bias always is.
 *
 * Backends stand in one table (gemm_backends in tune.c). The first product of a shape class on a device searches for
 * the fastest backend and settings among those that give right products (tune.h), within the time that
 * gemm_set_tuning() allows; the choice is kept in the tuning file (runtime/tuning.h), a line a class.
 */
#ifndef OCLIP_GEMM_H
#define OCLIP_GEMM_H

#include "runtime/ops/ops.h"
#include "runtime/tuning.h"

struct gemm {
    int m, n, k;
    const struct tensor *a; // [m, k], or [k, m] when a_transposed
    struct tensor *b; // [k, n], or [n, k] when b_transposed; what a backend derives from a constant is kept with it
    bool a_transposed, b_transposed;
    struct tensor *c;          // [m, n]
    bool accumulate;           /* c += ...; then without the three below */
    const struct tensor *bias; // [n] or NULL
    enum activation activation;
    const struct tensor *residual; // [m, n] or NULL; stored as c
};

void gemm(const struct gemm *call);

/* For backends: numbers under a name of their own, without a copy. The caller frees. */
struct tensor *gemm_share(const struct tensor *of, enum dtype dtype, struct buffer *buffer);
/* x in float32, rounded to `dtype` before; without a copy where it is that already. The caller frees. */
struct tensor *gemm_widened(const struct tensor *x, enum dtype dtype);

/* Whether it is one of float32 activations with a weight that never changes, and need not be exact. */
bool gemm_has_weight(const struct gemm *call);

/* One way to do it. */
struct gemm_backend {
    const char *name;
    bool (*supports)(const struct device *dev, const struct gemm *call);
    void (*run)(struct device *dev, const struct gemm *call, const int *settings); // [TUNING_PARAMETERS]
    const struct tuning_parameter *parameters;                     /* what the settings are; NULL: none */
    bool (*allows)(const struct device *dev, const int *settings); /* NULL: each of them */
    double allowed_error; /* of a right one: of products of numbers below 1, relative to the largest */
};
#define ERROR_OF_FLOAT32 2e-5 /* sums of a thousand products */
extern const struct gemm_backend gemm_matrix, gemm_int16, gemm_clblast, gemm_tile, gemm_plain;

/* How towers compute from now on: "fp32"; "bf16" or "fp16", what they store activations as: products of 16-bit numbers
 * then run on matrix units where the device has some, else in float32 on numbers that are widened first; or "int16",
 * where CPUs may round both sides of products with constant weights to 16-bit integers (cl/gemm_int16.cl), and others
 * stay at fp32. Dies of other names. */
void gemm_set_precision(struct device *dev, const char *name);

extern const char *const gemm_precisions[PRECISIONS]; /* "fp32", ...: names by enum precision */

/* How long is searched for the fastest way from now on: "off" (what the tuning file or the shipped lines say), "quick"
 * (the default: what was not measured yet, some seconds for a whole model), "full" (everything, and every setting);
 * dies of other names. */
void gemm_set_tuning(struct device *dev, const char *name);

/* Calls `tell` for each class of products met so far: "gemm fp32 NT 4096 1024 1024", "tile block=512", its rate. */
typedef void gemm_choice_line(void *context, const char *work, const char *choice, double gflops);
void gemm_each_choice(struct device *dev, gemm_choice_line *tell, void *context);

/* The backend chosen for calls like this one, "none" when each fails its check. For tools/devices and bench. */
const char *gemm_choice(struct device *dev, const struct gemm *call);

#endif
