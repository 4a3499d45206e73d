/* CLBlast's SGEMM, with our epilogue behind it. The default on GPUs; on CPUs it is ten times slower than the tile. */
#include "runtime/gemm/gemm.h"
#include "runtime/launch.h"
#include "runtime/opencl.h"
#include "runtime/profile.h"

#include <clblast_c.h>

static bool supports(const struct device *dev, const struct gemm *call)
{
    (void)dev;
    (void)call;
    return true;
}

/* product (+)= op(a) op(b), all float32 */
static void multiply(struct tensor *product, const struct tensor *left, const struct tensor *right,
                     const struct gemm *call, bool accumulate)
{
    struct device *dev = product->dev;
    if (device_failed(dev))
        return;
    cl_mem a = left->buffer->memory, b = right->buffer->memory, c = product->buffer->memory;
    size_t m = (size_t)call->m, n = (size_t)call->n, k = (size_t)call->k;
    device_profile_shape(dev, call->m, call->n, call->k);
    cl_event *event = PROFILE_EVENT(dev, .name = "clblast sgemm", .category = "clblast");
    CLBlastStatusCode status = CLBlastSgemm(
        CLBlastLayoutRowMajor, call->a_transposed ? CLBlastTransposeYes : CLBlastTransposeNo,
        call->b_transposed ? CLBlastTransposeYes : CLBlastTransposeNo, m, n, k, 1.0f, a, 0, call->a_transposed ? m : k,
        b, 0, call->b_transposed ? k : n, accumulate ? 1.0f : 0.0f, c, 0, n, &dev->queue, event);
    if (!opencl_failed(dev, (cl_int)status, "CLBlast's SGEMM of %d x %d x %d", call->m, call->n, call->k))
        dev->counters.launches++;
}

static void run(struct device *dev, const struct gemm *call, const int *settings)
{
    (void)settings;
    enum dtype dtype = call->a->dtype;
    bool in_place = call->c->dtype == DTYPE_F32;
    struct tensor *a = gemm_widened(call->a, dtype), *b = gemm_widened(call->b, dtype);
    struct tensor *product = in_place ? gemm_share(call->c, DTYPE_F32, call->c->buffer)
                                      : tensor_new(dev, DTYPE_F32, call->c->ndim, call->c->dim);
    multiply(product, a, b, call, call->accumulate && in_place);
    if (!in_place || call->bias || call->residual || call->activation != ACTIVATION_NONE)
        LAUNCH_AS(call->c, "gemm_epilogue.cl", "gemm_epilogue", range_rows(dev, (size_t)call->m), ARG_BUFFER(call->c),
                  ARG_BUFFER(product), ARG_BUFFER(call->bias), ARG_BUFFER(call->residual), ARG_INT(call->n),
                  ARG_INT(call->accumulate && !in_place), ARG_INT((int)call->activation));
    tensor_free(a);
    tensor_free(b);
    tensor_free(product);
}

const struct gemm_backend gemm_clblast = {"clblast", supports, run, NULL, NULL, ERROR_OF_FLOAT32};
