/* The last resort (cl/gemm_plain.cl): slow, and right on whatever follows OpenCL's rules. */
#include "runtime/gemm/gemm.h"
#include "runtime/launch.h"
#include "runtime/profile.h"

static bool supports(const struct device *dev, const struct gemm *call)
{
    (void)dev;
    (void)call;
    return true;
}

static void run(struct device *dev, const struct gemm *call, const int *settings)
{
    (void)settings;
    size_t vector = (size_t)device_vector_width(dev), strips = ((size_t)call->n + vector - 1) / vector;
    struct tensor *a = gemm_widened(call->a, call->a->dtype), *b = gemm_widened(call->b, call->a->dtype);
    device_profile_shape(dev, call->m, call->n, call->k);
    LAUNCH_AS(call->c, "gemm_plain.cl", "gemm_plain", range_items(dev, strips, (size_t)call->m, 1), ARG_BUFFER(call->c),
              ARG_BUFFER(a), ARG_BUFFER(b), ARG_BUFFER(call->bias), ARG_BUFFER(call->residual), ARG_INT(call->m),
              ARG_INT(call->n), ARG_INT(call->k), ARG_INT(call->a_transposed), ARG_INT(call->b_transposed),
              ARG_INT(call->accumulate), ARG_INT((int)call->activation));
    tensor_free(a);
    tensor_free(b);
}

const struct gemm_backend gemm_plain = {"plain", supports, run, NULL, NULL, ERROR_OF_FLOAT32};
