#include "runtime/bucket.h"

#include <stdlib.h>

struct tensor *bucket_grad(const struct tensor *param)
{
    struct bucket *bucket = param->bucket;
    if (!bucket->grads)
        bucket->grads = buffer_new(bucket->dev, bucket->numbers * sizeof(float));
    struct tensor *grad = mem_new(1, sizeof *grad);
    *grad = (struct tensor){.dev = param->dev, .dtype = param->dtype, .ndim = param->ndim};
    for (int i = 0; i < param->ndim; i++)
        grad->dim[i] = param->dim[i];
    grad->buffer = buffer_view(bucket->grads, param->in_bucket * sizeof(float), tensor_bytes(param));
    return grad;
}

bool bucket_complete(const struct bucket *bucket)
{
    return bucket->complete == bucket->count;
}

void bucket_fill(struct bucket *bucket)
{
    for (int i = 0; i < bucket->count; i++) {
        struct tensor *param = bucket->params[i];
        if (param->grad)
            continue;
        param->grad = bucket_grad(param);
        buffer_zero(param->grad->buffer, 0, tensor_bytes(param));
    }
}

void bucket_clear(struct bucket *bucket)
{
    for (int i = 0; i < bucket->count; i++) {
        tensor_free(bucket->params[i]->grad);
        bucket->params[i]->grad = NULL;
    }
    buffer_drop(bucket->grads);
    bucket->grads = NULL;
    bucket->complete = 0;
}
