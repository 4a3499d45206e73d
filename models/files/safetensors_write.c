#include "models/files/safetensors.h"
#include "runtime/util/file.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers are written as they lie in memory");

static size_t size_of(const struct stored_tensor *tensor)
{
    return (size_t)stored_dtypes[tensor->dtype].size;
}

static size_t bytes_of(const struct stored_tensor *tensor)
{
    return (size_t)tensor->count * size_of(tensor);
}

/* Larger elements first, then by name. */
static int compare_tensors(const void *a, const void *b)
{
    const struct stored_tensor *x = *(const struct stored_tensor *const *)a,
                               *y = *(const struct stored_tensor *const *)b;
    if (size_of(x) != size_of(y))
        return size_of(x) > size_of(y) ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* The tensors in the order in which they are stored: Python's library sorts by alignment, then by name. */
static const struct stored_tensor **in_file_order(const struct stored_tensor *tensors, int count)
{
    const struct stored_tensor **order = mem_new((size_t)count, sizeof *order); // [count]
    for (int i = 0; i < count; i++) {
        CHECK(size_of(&tensors[i]) > 0, "tensor '%s' is of an unknown dtype", tensors[i].name);
        order[i] = &tensors[i];
    }
    qsort(order, (size_t)count, sizeof *order, compare_tensors);
    return order;
}

static json_t *describe(const struct stored_tensor *tensor, size_t begin)
{
    json_t *shape = json_array();
    for (int i = 0; i < tensor->ndim; i++)
        json_array_append_new(shape, json_integer(tensor->shape[i]));
    size_t end = begin + bytes_of(tensor);
    return json_pack("{s:s, s:o, s:[I,I]}", "dtype", stored_dtypes[tensor->dtype].name, "shape", shape, "data_offsets",
                     (json_int_t)begin, (json_int_t)end);
}

/* The header as compact JSON, filled up with blanks to a multiple of 8 bytes so that the data is aligned. */
static char *header_text(const struct stored_tensor *const *order, int count, json_t *metadata)
{
    json_t *header = json_object(), *notes = json_pack("{s:s}", "format", "pt");
    if (metadata)
        json_object_update(notes, metadata);
    json_object_set_new(header, "__metadata__", notes);
    size_t begin = 0;
    for (int i = 0; i < count; i++) {
        CHECK(!json_object_get(header, order[i]->name), "two tensors are named '%s'", order[i]->name);
        int failed = json_object_set_new(header, order[i]->name, describe(order[i], begin));
        CHECK(failed == 0, "tensor name '%s' is not UTF-8", order[i]->name);
        begin += bytes_of(order[i]);
    }
    char *compact = json_dumps(header, JSON_COMPACT | JSON_PRESERVE_ORDER);
    json_decref(header);
    CHECK(compact, "the header of a safetensors file cannot be written");
    char *padded = mem_format("%s%*s", compact, (int)(-strlen(compact) % 8), "");
    free(compact);
    return padded;
}

int safetensors_write(const char *path, const struct stored_tensor *tensors, int count, json_t *metadata,
                      struct error *err)
{
    const struct stored_tensor **order = in_file_order(tensors, count);
    char *header = header_text(order, count, metadata);
    uint64_t length = strlen(header);
    struct file_writer writer;
    int result = file_create(&writer, path, err);
    if (result == 0) {
        file_write(&writer, &length, sizeof length);
        file_write(&writer, header, length);
        for (int i = 0; i < count; i++)
            file_write(&writer, order[i]->data, bytes_of(order[i]));
        result = file_commit(&writer, err);
    }
    free(header);
    free(order);
    return result;
}
