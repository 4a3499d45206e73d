#include "runtime/launch.h"
#include "runtime/ops/ops.h"

#include <stdio.h>
#include <stdlib.h>

struct tensor *op_attention(struct tape *tape, struct tensor *qkv, const struct segments *segments, int heads,
                            bool causal)
{
    int width = tensor_width(qkv) / 3;
    struct tensor *out = TAPE_TENSOR(tape, DTYPE_F32, segments->total, width);
    struct tensor *lse = TAPE_TENSOR(tape, DTYPE_F32, heads, segments->total);
    struct device *dev = tape_device(tape);
    int lanes = getenv("LANES") ? atoi(getenv("LANES")) : 16;
    char options[200];
    snprintf(options, sizeof options, "-DHEAD_DIM=%d -DLANES=%d -DCAUSAL=%d %s", width / heads, lanes, causal, getenv("MORE")?getenv("MORE"):"");
    LAUNCH_WITH(dev, "attention.cl", "attention_forward", options, range_items(dev, (size_t)(segments->longest + lanes - 1) / lanes, heads, segments->count),
        ARG_BUFFER(out), ARG_BUFFER(lse), ARG_BUFFER(qkv), ARG_BUFFER(segments->starts), ARG_INT(heads), ARG_INT(segments->total));
    return out;
}
