#include "runtime/launch.h"
#include "runtime/ops/ops.h"

void clamp_numbers(struct tensor *x, float low, float high)
{
    size_t count = tensor_count(x);
    CHECK(x->dtype == DTYPE_F32, "clamp of %s, which is not float32", tensor_shape(x).text);
    LAUNCH(x->dev, "clamp.cl", "clamp_numbers", range_chunks(x->dev, count), ARG_BUFFER(x), ARG_FLOAT(low),
           ARG_FLOAT(high), ARG_INT((int)count));
}
