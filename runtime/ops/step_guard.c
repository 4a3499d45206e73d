#include "runtime/ops/step_guard.h"

#include "runtime/launch.h"
#include "runtime/ops/loss_scale.h"

struct tensor *step_guard_new(struct device *dev)
{
    struct tensor *guard = tensor_new(dev, DTYPE_F32, 1, (int[]){STEP_GUARD_NUMBERS});
    tensor_upload(guard, (float[STEP_GUARD_NUMBERS]){[STEP_GUARD_SOUND] = 1});
    return guard;
}

void step_guard_loss(struct tensor *guard, const struct tensor *loss)
{
    EXPECT(guard, "step_guard: guard", DTYPE_F32, STEP_GUARD_NUMBERS);
    EXPECT(loss, "step_guard: loss", DTYPE_F32, 1);
    LAUNCH(guard->dev, "step_guard.cl", "step_guard_loss", range_rows(guard->dev, 1), ARG_BUFFER(guard),
           ARG_BUFFER(loss));
}

void step_guard_norm(struct tensor *guard, const struct tensor *norm, const struct tensor *scale)
{
    EXPECT(guard, "step_guard: guard", DTYPE_F32, STEP_GUARD_NUMBERS);
    EXPECT(norm, "step_guard: norm", DTYPE_F32, 4);
    LAUNCH(guard->dev, "step_guard.cl", "step_guard_norm", range_rows(guard->dev, 1), ARG_BUFFER(guard),
           ARG_BUFFER(norm), ARG_BUFFER(scale));
}
