#include "models/files/safetensors.h"
#include "runtime/util/file.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A file is: the header's length (8 bytes), the header (JSON), the data. The limit is the reference reader's. */
enum { LENGTH_BYTES = 8, HEADER_LIMIT = 100000000 };

struct shard {
    struct file_map map;
    char *path;
    json_t *header; // owns the names
};

struct safetensors {
    struct shard *shards; // [shard_count]
    int shard_count;
    struct stored_tensor *tensors; // [count], sorted by name
    bool *taken;                   // [count]
    int count;
};

int safetensors_to_float(float *out, const struct stored_tensor *tensor, struct error *err)
{
    if (!stored_dtypes[tensor->dtype].to_float)
        return error_set(err, EXIT_BAD_DATA, "%s: tensor '%s' is %s; only F32, F16 and BF16 are read", tensor->file,
                         tensor->name, stored_dtypes[tensor->dtype].name);
    stored_dtypes[tensor->dtype].to_float(out, tensor->data, tensor->count);
    return 0;
}

/* Reads "shape" and multiplies it up; false when it is no list of at most 8 counts or its product is beyond a file. */
static bool read_shape(struct stored_tensor *tensor, const json_t *shape)
{
    size_t ndim = json_array_size(shape);
    if (!json_is_array(shape) || ndim > STORED_MAX_DIMENSIONS)
        return false;
    tensor->ndim = (int)ndim;
    tensor->count = 1;
    for (size_t i = 0; i < ndim; i++) {
        const json_t *extent = json_array_get(shape, i);
        json_int_t value = json_integer_value(extent);
        if (!json_is_integer(extent) || value < 0)
            return false;
        if (value && tensor->count > LONG_MAX / 8 / value)
            return false;
        tensor->shape[i] = value;
        tensor->count *= value;
    }
    return true;
}

/* Where a tensor's bytes begin and end, counted from the end of the header. */
struct span {
    json_int_t begin, end;
    const char *name; // of the tensor
};

static bool read_span(struct span *span, const json_t *offsets, size_t data_size)
{
    const json_t *begin = json_array_get(offsets, 0), *end = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(begin) || !json_is_integer(end))
        return false;
    span->begin = json_integer_value(begin);
    span->end = json_integer_value(end);
    return span->begin >= 0 && span->begin <= span->end && (uint64_t)span->end <= data_size;
}

/* Bytes behind the header, where `data` begins. */
static size_t data_size(const struct shard *shard, const unsigned char *data)
{
    return shard->map.size - (size_t)(data - shard->map.data);
}

static int read_tensor(struct stored_tensor *tensor, struct span *span, const struct shard *shard, const json_t *entry,
                       const unsigned char *data, struct error *err)
{
    const char *dtype = json_string_value(json_object_get(entry, "dtype"));
    const char *path = shard->path, *name = tensor->name;
    if (!dtype)
        return error_set(err, EXIT_BAD_DATA, "%s: tensor '%s' has no \"dtype\"", path, name);
    if (!read_shape(tensor, json_object_get(entry, "shape")))
        return error_set(err, EXIT_BAD_DATA, "%s: tensor '%s' has a broken \"shape\"", path, name);
    if (!read_span(span, json_object_get(entry, "data_offsets"), data_size(shard, data)))
        return error_set(err, EXIT_BAD_DATA, "%s: tensor '%s' has \"data_offsets\" outside the file", path, name);
    tensor->dtype = stored_dtype_of(dtype);
    long size = stored_dtypes[tensor->dtype].size;
    if (size && span->end - span->begin != tensor->count * size)
        return error_set(err, EXIT_BAD_DATA, "%s: tensor '%s' needs %ld bytes but its \"data_offsets\" hold %lld", path,
                         name, tensor->count * size, (long long)(span->end - span->begin));
    tensor->data = data + span->begin;
    tensor->file = path;
    span->name = name;
    return 0;
}

static int compare_spans(const void *a, const void *b)
{
    const struct span *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end);
}

/* The specification: the tensors cover the data, without overlaps and holes. Sorts the spans. */
static int check_cover(const struct shard *shard, struct span *spans, int count, size_t size, struct error *err)
{
    json_int_t covered = 0;
    qsort(spans, (size_t)count, sizeof *spans, compare_spans);
    for (int i = 0; i < count; i++) {
        if (spans[i].begin != covered)
            return error_set(err, EXIT_BAD_DATA, "%s: tensors %s at byte %lld of the data, where '%s' begins",
                             shard->path, spans[i].begin < covered ? "overlap" : "leave a hole",
                             (long long)spans[i].begin, spans[i].name);
        covered = spans[i].end;
    }
    if ((uint64_t)covered != size)
        return error_set(err, EXIT_BAD_DATA, "%s: %lld bytes of tensors in %zu bytes of data", shard->path,
                         (long long)covered, size);
    return 0;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct stored_tensor *)a)->name, ((const struct stored_tensor *)b)->name);
}

/* Adds a shard's tensors to the table from its parsed header; `data` is what follows the header. */
static int read_tensors(struct safetensors *file, const struct shard *shard, const unsigned char *data,
                        struct error *err)
{
    size_t limit = (size_t)file->count + json_object_size(shard->header);
    file->tensors = mem_grow(file->tensors, limit, sizeof *file->tensors);
    struct span *spans = mem_new(limit, sizeof *spans); // [count]
    int result = 0, count = 0;
    const char *name;
    json_t *entry;
    json_object_foreach(shard->header, name, entry)
    {
        if (strcmp(name, "__metadata__") == 0)
            continue;
        struct stored_tensor *tensor = &file->tensors[file->count];
        *tensor = (struct stored_tensor){.name = name};
        result = read_tensor(tensor, &spans[count++], shard, entry, data, err);
        if (result != 0)
            break;
        file->count++;
    }
    if (result == 0)
        result = check_cover(shard, spans, count, data_size(shard, data), err);
    free(spans);
    return result;
}

static int read_shard(struct safetensors *file, struct shard *shard, struct error *err)
{
    const struct file_map *map = &shard->map;
    if (file_map(&shard->map, shard->path, err) != 0)
        return -1;
    if (map->size < LENGTH_BYTES)
        return error_set(err, EXIT_BAD_DATA, "%s: too short for a safetensors file", shard->path);
    uint64_t length;
    memcpy(&length, map->data, LENGTH_BYTES);
    if (length > HEADER_LIMIT || length > map->size - LENGTH_BYTES)
        return error_set(err, EXIT_BAD_DATA,
                         "%s: the header is longer than the file or 100 MB; cut short, or no safetensors file",
                         shard->path);

    const char *text = (const char *)map->data + LENGTH_BYTES;
    json_error_t where;
    shard->header = json_loadb(text, (size_t)length, JSON_REJECT_DUPLICATES, &where);
    if (!shard->header)
        return error_set(err, EXIT_BAD_DATA, "%s: the header is not JSON: %s", shard->path, where.text);
    if (text[0] != '{' || !json_is_object(shard->header))
        return error_set(err, EXIT_BAD_DATA, "%s: the header does not begin with {", shard->path);
    return read_tensors(file, shard, map->data + LENGTH_BYTES + length, err);
}

/* Sorts the table; a tensor may stand in one shard only. */
static int sort_tensors(struct safetensors *file, struct error *err)
{
    if (file->count)
        qsort(file->tensors, (size_t)file->count, sizeof *file->tensors, compare_names);
    for (int i = 1; i < file->count; i++)
        if (strcmp(file->tensors[i - 1].name, file->tensors[i].name) == 0)
            return error_set(err, EXIT_BAD_DATA, "%s: tensor '%s' is also in %s", file->tensors[i - 1].file,
                             file->tensors[i].name, file->tensors[i].file);
    return 0;
}

int safetensors_open_shards(struct safetensors **opened, const char *const *paths, int count, struct error *err)
{
    struct safetensors *file = mem_new(1, sizeof *file);
    int result = 0;
    file->shards = mem_new((size_t)count, sizeof *file->shards);
    for (; result == 0 && file->shard_count < count; file->shard_count++) {
        file->shards[file->shard_count].path = mem_format("%s", paths[file->shard_count]);
        result = read_shard(file, &file->shards[file->shard_count], err);
    }
    if (result == 0)
        result = sort_tensors(file, err);
    if (result != 0) {
        safetensors_close(file);
        return -1;
    }
    file->taken = mem_new((size_t)file->count, sizeof *file->taken);
    *opened = file;
    return 0;
}

int safetensors_open(struct safetensors **file, const char *path, struct error *err)
{
    return safetensors_open_shards(file, &path, 1, err);
}

void safetensors_close(struct safetensors *file)
{
    if (!file)
        return;
    for (int i = 0; i < file->shard_count; i++) {
        file_unmap(&file->shards[i].map);
        json_decref(file->shards[i].header);
        free(file->shards[i].path);
    }
    free(file->shards);
    free(file->tensors);
    free(file->taken);
    free(file);
}

int safetensors_count(const struct safetensors *file)
{
    return file->count;
}

const struct stored_tensor *safetensors_at(const struct safetensors *file, int index)
{
    CHECK(index >= 0 && index < file->count, "tensor %d of %d", index, file->count);
    return &file->tensors[index];
}

const struct stored_tensor *safetensors_find(const struct safetensors *file, const char *name)
{
    struct stored_tensor key = {.name = name};
    return file->count ? bsearch(&key, file->tensors, (size_t)file->count, sizeof key, compare_names) : NULL;
}

const struct stored_tensor *safetensors_take(struct safetensors *file, const char *name)
{
    const struct stored_tensor *tensor = safetensors_find(file, name);
    if (tensor)
        file->taken[tensor - file->tensors] = true;
    return tensor;
}

const struct stored_tensor *safetensors_next_left(const struct safetensors *file, int *index)
{
    while (*index < file->count && file->taken[*index])
        ++*index;
    return *index < file->count ? &file->tensors[(*index)++] : NULL;
}

void safetensors_release(const struct stored_tensor *tensor)
{
    file_release(tensor->data, (size_t)(tensor->count * stored_dtypes[tensor->dtype].size));
}
