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

static void run(struct device *dev, const struct gemm *call, const int *settings)
{
    (void)settings;
    cl_mem a = call->a->buffer->memory, b = call->b->buffer->memory, c = call->c->buffer->memory;
    if (device_failed(dev))
        return;
    size_t m = (size_t)call->m, n = (size_t)call->n, k = (size_t)call->k;
    device_profile_shape(dev, call->m, call->n, call->k);
    cl_event *event = PROFILE_EVENT(dev, .name = "clblast sgemm", .category = "clblast");
    CLBlastStatusCode status = CLBlastSgemm(
        CLBlastLayoutRowMajor, call->a_transposed ? CLBlastTransposeYes : CLBlastTransposeNo,
        call->b_transposed ? CLBlastTransposeYes : CLBlastTransposeNo, m, n, k, 1.0f, a, 0, call->a_transposed ? m : k,
        b, 0, call->b_transposed ? k : n, call->accumulate ? 1.0f : 0.0f, c, 0, n, &dev->queue, event);
    if (opencl_failed(dev, (cl_int)status, "CLBlast's SGEMM of %d x %d x %d", call->m, call->n, call->k))
        return;
    dev->counters.launches++;
    if (call->bias || call->residual || call->activation != ACTIVATION_NONE)
        LAUNCH(dev, "gemm_epilogue.cl", "gemm_epilogue", range_rows(dev, m), ARG_BUFFER(call->c),
               ARG_BUFFER(call->bias), ARG_BUFFER(call->residual), ARG_INT(call->n), ARG_INT((int)call->activation));
}

const struct gemm_backend gemm_clblast = {"clblast", supports, run, NULL, NULL};
