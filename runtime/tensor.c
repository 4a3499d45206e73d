#include "runtime/tensor.h"

#include "runtime/opencl.h"
#include "runtime/paths.h"
#include "runtime/upload.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

static const struct {
    size_t bytes;
    const char *options; /* NULL: no activations */
} dtypes[] = {
    [DTYPE_F32] = {4, ""},
    [DTYPE_I32] = {4, NULL},
    [DTYPE_U8] = {1, NULL},
    [DTYPE_BF16] = {2, "-DDTYPE=BFLOAT16"},
    [DTYPE_F16] = {2, "-DDTYPE=FLOAT16"},
};

size_t dtype_bytes(enum dtype dtype)
{
    return dtypes[dtype].bytes;
}

enum dtype dtype_of_precision(enum precision precision)
{
    static const enum dtype stored[] = {[PRECISION_FP32] = DTYPE_F32,
                                        [PRECISION_BF16] = DTYPE_BF16,
                                        [PRECISION_FP16] = DTYPE_F16,
                                        [PRECISION_INT16] = DTYPE_F32};
    return stored[precision];
}

/* One of those that activations may have: float32 or 16 bits. */
static bool is_real(enum dtype dtype)
{
    return dtypes[dtype].options != NULL;
}

const char *dtype_options(enum dtype dtype)
{
    CHECK(is_real(dtype), "no kernel takes numbers of dtype %d as activations", (int)dtype);
    return dtypes[dtype].options;
}

/* Without memory yet. */
static struct tensor *shape_new(struct device *dev, enum dtype dtype, int ndim, const int *dim)
{
    CHECK(ndim >= 1 && ndim <= 4, "a tensor of %d dimensions", ndim);
    struct tensor *tensor = mem_new(1, sizeof *tensor);
    *tensor = (struct tensor){.dev = dev, .dtype = dtype, .ndim = ndim};
    for (int i = 0; i < ndim; i++) {
        CHECK(dim[i] > 0, "dimension %d of a tensor is %d", i, dim[i]);
        tensor->dim[i] = dim[i];
    }
    CHECK(tensor_count(tensor) / (size_t)tensor_width(tensor) <= INT_MAX, "a tensor of more than 2^31 rows");
    return tensor;
}

struct tensor *tensor_new(struct device *dev, enum dtype dtype, int ndim, const int *dim)
{
    struct tensor *tensor = shape_new(dev, dtype, ndim, dim);
    tensor->buffer = buffer_new(dev, tensor_bytes(tensor));
    return tensor;
}

struct tensor *tensor_zeros(struct device *dev, enum dtype dtype, int ndim, const int *dim)
{
    struct tensor *tensor = tensor_new(dev, dtype, ndim, dim);
    buffer_zero(tensor->buffer, 0, tensor_bytes(tensor));
    return tensor;
}

struct tensor *tensor_sent(struct device *dev, enum dtype dtype, int ndim, const int *dim, const void *numbers)
{
    struct tensor *tensor = shape_new(dev, dtype, ndim, dim);
    if (path_is_on(dev, PATH_UPLOAD_QUEUE)) {
        tensor->buffer = upload_new(dev, numbers, tensor_bytes(tensor));
    } else {
        tensor->buffer = buffer_new(dev, tensor_bytes(tensor));
        tensor_upload(tensor, numbers);
    }
    return tensor;
}

struct tensor *tensor_over(struct device *dev, enum dtype dtype, int ndim, const int *dim, const void *numbers)
{
    if (dev->info.device_class != DEVICE_CPU) {
        struct tensor *tensor = tensor_new(dev, dtype, ndim, dim);
        tensor_upload(tensor, numbers);
        return tensor;
    }
    struct tensor *tensor = shape_new(dev, dtype, ndim, dim);
    tensor->buffer = buffer_over(dev, numbers, tensor_bytes(tensor));
    return tensor;
}

void tensor_free(struct tensor *tensor)
{
    if (!tensor)
        return;
    tensor_free(tensor->grad);
    buffer_drop(tensor->buffer);
    buffer_drop(tensor->packed);
    free(tensor);
}

void tensor_upload(struct tensor *tensor, const void *numbers)
{
    buffer_upload(tensor->buffer, 0, numbers, tensor_bytes(tensor));
}

void tensor_download(void *numbers, const struct tensor *tensor)
{
    buffer_download(numbers, tensor->buffer, 0, tensor_bytes(tensor));
}

size_t tensor_count(const struct tensor *tensor)
{
    size_t count = 1;
    for (int i = 0; i < tensor->ndim; i++)
        count *= (size_t)tensor->dim[i];
    return count;
}

size_t tensor_bytes(const struct tensor *tensor)
{
    return tensor_count(tensor) * dtype_bytes(tensor->dtype);
}

int tensor_width(const struct tensor *tensor)
{
    return tensor->dim[tensor->ndim - 1];
}

int tensor_rows(const struct tensor *tensor)
{
    return (int)(tensor_count(tensor) / (size_t)tensor_width(tensor));
}

struct buffer *tensor_buffer(const struct tensor *tensor)
{
    return tensor ? tensor->buffer : NULL;
}

static struct shape_text shape_to_text(int ndim, const int *dim)
{
    struct shape_text shape = {"["};
    size_t used = 1;
    for (int i = 0; i < ndim && used < sizeof shape.text; i++)
        used += (size_t)snprintf(shape.text + used, sizeof shape.text - used, i ? ", %d" : "%d", dim[i]);
    if (used < sizeof shape.text)
        snprintf(shape.text + used, sizeof shape.text - used, "]");
    return shape;
}

struct shape_text tensor_shape(const struct tensor *tensor)
{
    return shape_to_text(tensor->ndim, tensor->dim);
}

void tensor_expect(const struct tensor *tensor, const char *what, enum dtype dtype, int ndim, const int *dim)
{
    CHECK(tensor != NULL, "%s is missing", what);
    bool fits = tensor->dtype == dtype && tensor->ndim == ndim;
    for (int i = 0; fits && i < ndim; i++)
        fits = dim[i] < 0 || tensor->dim[i] == dim[i];
    CHECK(fits, "%s has shape %s, wanted %s", what, tensor_shape(tensor).text, shape_to_text(ndim, dim).text);
}

enum dtype tensor_expect_real(const struct tensor *tensor, const char *what)
{
    CHECK(tensor != NULL, "%s is missing", what);
    CHECK(is_real(tensor->dtype), "%s %s holds no real numbers", what, tensor_shape(tensor).text);
    return tensor->dtype;
}
