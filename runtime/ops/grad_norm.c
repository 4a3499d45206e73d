#include "runtime/ops/grad_norm.h"

#include "runtime/launch.h"

struct tensor *grad_norm(const struct arena *arena, float max_norm)
{
    CHECK(arena->grads, "the norm of no gradients: nothing in this arena is trained");
    struct device *dev = arena->dev;
    struct launch_range chunks = range_chunks(dev, arena->trained_numbers);
    int count = (int)chunks.groups[0], blocks = (int)(arena->trained_numbers / ARENA_BLOCK);
    struct tensor *parts = tensor_new(dev, DTYPE_F32, 1, &count);
    struct tensor *norm = tensor_new(dev, DTYPE_F32, 1, (int[]){2});
    LAUNCH(dev, "grad_norm.cl", "grad_norm_parts", chunks, ARG_BUFFER(parts), ARG_MEMORY(arena->grads), ARG_INT(blocks),
           ARG_INT(ARENA_BLOCK));
    LAUNCH(dev, "grad_norm.cl", "grad_norm_finish", range_rows(dev, 1), ARG_BUFFER(norm), ARG_BUFFER(parts),
           ARG_INT(count), ARG_FLOAT(max_norm));
    tensor_free(parts);
    return norm;
}

float grad_norm_download(const struct tensor *norm)
{
    float numbers[2];
    tensor_download(numbers, norm);
    return numbers[0];
}
