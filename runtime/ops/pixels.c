/* 8-bit pictures as numbers. */
#include "runtime/launch.h"
#include "runtime/ops/ops.h"

struct tensor *op_pixels(struct tape *tape, struct tensor *images, const float *mean, const float *std)
{
    EXPECT(images, "pixels: images", DTYPE_U8, -1, -1, -1, 3);
    float numbers[2][3];
    for (int channel = 0; channel < 3; channel++) {
        numbers[0][channel] = 1 / (255 * std[channel]);
        numbers[1][channel] = -mean[channel] / std[channel];
    }
    struct tensor *scale_shift = tape_upload(tape, DTYPE_F32, 2, (int[]){2, 3}, numbers);
    struct tensor *y = tape_tensor(tape, DTYPE_F32, 4, images->dim);
    size_t count = tensor_count(y) / 3;
    LAUNCH(images->dev, "pixels.cl", "pixels", range_chunks(images->dev, count), ARG_BUFFER(y), ARG_BUFFER(images),
           ARG_BUFFER(scale_shift), ARG_INT((int)count));
    return y;
}
