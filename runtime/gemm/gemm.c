#include "runtime/gemm/gemm.h"

#include "runtime/gemm/choice.h"
#include "runtime/gemm/int16.h"
#include "runtime/gemm/matrix.h"
#include "runtime/opencl.h"

#include <string.h>

const char *const gemm_precisions[PRECISIONS] = {"fp32", "bf16", "fp16", "int16"};

static void check_shapes(const struct gemm *call)
{
    int m = call->m, n = call->n, k = call->k;
    CHECK(m > 0 && n > 0 && k > 0, "gemm of %d x %d x %d", m, n, k);
    size_t a = (size_t)m * (size_t)k, b = (size_t)n * (size_t)k, c = (size_t)m * (size_t)n;
    CHECK(tensor_count(call->a) == a && tensor_count(call->b) == b && tensor_count(call->c) == c,
          "gemm of %d x %d x %d given a %s, b %s, c %s", m, n, k, tensor_shape(call->a).text,
          tensor_shape(call->b).text, tensor_shape(call->c).text);
    CHECK(!call->bias || tensor_count(call->bias) == (size_t)n, "gemm: bias %s for %d columns",
          tensor_shape(call->bias).text, n);
    CHECK(!call->residual || tensor_count(call->residual) == c, "gemm: residual %s for %d x %d",
          tensor_shape(call->residual).text, m, n);
    enum dtype dtype = tensor_expect_real(call->a, "gemm: a");
    CHECK((call->b->dtype == dtype || call->b->dtype == DTYPE_F32) &&
              (call->c->dtype == dtype || call->c->dtype == DTYPE_F32) &&
              (!call->residual || call->residual->dtype == call->c->dtype),
          "gemm of %d x %d x %d: dtypes that do not go together", m, n, k);
    CHECK(!call->accumulate || (!call->bias && !call->residual && call->activation == ACTIVATION_NONE),
          "gemm: accumulate excludes an epilogue");
}

void gemm(const struct gemm *call)
{
    struct device *dev = call->c->dev;
    check_shapes(call);
    if (device_failed(dev))
        return;
    const struct gemm_plan *plan = gemm_choose(dev, call);
    if (plan)
        plan->backend->run(dev, call, plan->settings);
}

bool gemm_has_weight(const struct gemm *call)
{
    return call->b->constant && !call->b->exact && call->b_transposed && !call->a_transposed &&
           call->a->dtype == DTYPE_F32 && call->c->dtype == DTYPE_F32;
}

const char *gemm_choice(struct device *dev, const struct gemm *call)
{
    const struct gemm_plan *plan = gemm_choose(dev, call);
    return plan ? plan->backend->name : "none";
}

void gemm_set_tuning(struct device *dev, const char *name)
{
    int mode = 0;
    while (strcmp(tune_modes[mode].name, name) != 0)
        CHECK(++mode < TUNE_MODES, "there is no mode of tuning %s", name);
    dev->tune_mode = &tune_modes[mode];
    dev->tuned_seconds = 0;
    gemm_choices_free(dev->choices); /* to be made anew */
    dev->choices = NULL;
}

struct tensor *gemm_share(const struct tensor *of, enum dtype dtype, struct buffer *buffer)
{
    struct tensor *tensor = mem_new(1, sizeof *tensor);
    *tensor = (struct tensor){.dev = of->dev, .dtype = dtype, .ndim = of->ndim, .buffer = buffer_share(buffer)};
    memcpy(tensor->dim, of->dim, sizeof tensor->dim);
    return tensor;
}

void gemm_set_precision(struct device *dev, const char *name)
{
    enum precision wanted = PRECISION_FP32;
    while (strcmp(gemm_precisions[wanted], name) != 0)
        CHECK(++wanted < PRECISIONS, "there is no precision %s", name);
    dev->matrix_unit = matrix_find(dev, wanted);
    dev->precision = wanted == PRECISION_INT16 && !int16_compiles(dev) ? PRECISION_FP32 : wanted;
}

struct tensor *gemm_widened(const struct tensor *x, enum dtype dtype)
{
    if (dtype == DTYPE_F32)
        return gemm_share(x, DTYPE_F32, x->buffer);
    struct tensor *narrow = x->dtype == dtype ? gemm_share(x, dtype, x->buffer) : cast_copy(x, dtype);
    struct tensor *wide = cast_copy(narrow, DTYPE_F32);
    tensor_free(narrow);
    return wide;
}
