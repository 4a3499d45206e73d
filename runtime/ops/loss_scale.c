#include "runtime/ops/loss_scale.h"

#include "runtime/launch.h"

#include <math.h>

struct tensor *loss_scale_new(struct device *dev)
{
    struct tensor *scale = tensor_new(dev, DTYPE_F32, 1, (int[]){LOSS_SCALE_NUMBERS});
    loss_scale_steps(scale, 0, 0, 0);
    return scale;
}

void loss_scale_download(float *numbers, const struct tensor *scale)
{
    tensor_download(numbers, scale);
}

void loss_scale_steps(struct tensor *scale, int steps, float beta1, float beta2)
{
    float numbers[LOSS_SCALE_NUMBERS] = {[LOSS_SCALE_FACTOR] = LOSS_SCALE_START,
                                         [LOSS_SCALE_POWER1] = (float)pow((double)beta1, steps),
                                         [LOSS_SCALE_POWER2] = (float)pow((double)beta2, steps)};
    tensor_upload(scale, numbers);
}

void loss_scale_backward(struct tape *tape, struct tensor *loss, const struct tensor *scale)
{
    struct tensor *factor = tape_like(tape, loss);
    buffer_copy(factor->buffer, 0, scale->buffer, LOSS_SCALE_FACTOR * sizeof(float), sizeof(float));
    tape_backward_from(tape, &loss, &factor, 1);
}

void loss_scale_update(struct tensor *norm, struct tensor *scale, float max_norm, float beta1, float beta2)
{
    EXPECT(norm, "loss_scale: norm", DTYPE_F32, 4);
    EXPECT(scale, "loss_scale: scale", DTYPE_F32, LOSS_SCALE_NUMBERS);
    LAUNCH(norm->dev, "loss_scale.cl", "loss_scale_update", range_rows(norm->dev, 1), ARG_BUFFER(norm),
           ARG_BUFFER(scale), ARG_FLOAT(max_norm), ARG_FLOAT(beta1), ARG_FLOAT(beta2), ARG_INT(LOSS_SCALE_PATIENCE));
}
