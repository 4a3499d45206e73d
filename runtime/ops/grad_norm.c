#include "runtime/ops/grad_norm.h"

#include "runtime/launch.h"

_Static_assert(ARENA_BLOCK == 256 && LAUNCH_CHUNK % ARENA_BLOCK == 0, "cl/grad_norm.cl says so too");

struct tensor *grad_norm(const struct arena *arena, float max_norm)
{
    CHECK(arena->trained_numbers, "the norm of no gradients: nothing in this arena is trained");
    struct device *dev = arena->dev;
    int chunks = 0; /* each bucket's come to a whole number */
    for (int i = 0; i < arena->bucket_count; i++)
        chunks += (int)range_chunks(dev, arena->buckets[i].numbers).groups[0];
    struct tensor *parts = tensor_new(dev, DTYPE_F32, 1, &chunks);
    struct tensor *norm = tensor_new(dev, DTYPE_F32, 1, (int[]){4});
    for (int i = 0, first = 0; i < arena->bucket_count; i++) {
        struct bucket *bucket = &arena->buckets[i];
        struct launch_range range = range_chunks(dev, bucket->numbers);
        bucket_fill(bucket);
        LAUNCH(dev, "grad_norm.cl", "grad_norm_parts", range, ARG_BUFFER(parts), ARG_MEMORY(bucket->grads),
               ARG_MEMORY(arena->blocks), ARG_INT(first), ARG_INT((int)(bucket->first / ARENA_BLOCK)),
               ARG_INT((int)(bucket->numbers / ARENA_BLOCK)));
        first += (int)range.groups[0];
    }
    LAUNCH(dev, "grad_norm.cl", "grad_norm_finish", range_rows(dev, 1), ARG_BUFFER(norm), ARG_BUFFER(parts),
           ARG_INT(chunks), ARG_FLOAT(max_norm));
    tensor_free(parts);
    return norm;
}

float grad_norm_download(const struct tensor *norm)
{
    float numbers[4];
    tensor_download(numbers, norm);
    return numbers[0];
}
