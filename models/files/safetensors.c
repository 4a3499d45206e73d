#include "models/files/safetensors.h"
#include "runtime/util/file.h"

#include <glob.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the file's little-endian numbers are copied as they are");

/* A file is: the header's length (8 bytes), the header (JSON), the data. The limit is the reference reader's. */
enum { LENGTH_BYTES = 8, HEADER_LIMIT = 100000000 };

struct safetensors {
    struct file_map map;
    char *path;
    json_t *header;                // owns the names
    struct stored_tensor *tensors; // [count], sorted by name
    int count;
};

static void float_from_f32(float *out, const unsigned char *data, long count)
{
    memcpy(out, data, (size_t)count * sizeof *out);
}

static float float_of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void float_from_bf16(float *out, const unsigned char *data, long count)
{
    for (long i = 0; i < count; i++)
        out[i] = float_of_bits((uint32_t)(data[2 * i] | data[2 * i + 1] << 8) << 16);
}

/* IEEE 754 binary16: 1 sign, 5 exponent (bias 15), 10 mantissa bits. */
static float float_of_half(uint32_t half)
{
    uint32_t sign = (half & 0x8000) << 16, exponent = half >> 10 & 31, mantissa = half & 0x3ff;
    if (exponent == 0) /* zero or subnormal: mantissa x 2^-24 */
        return sign ? -(float)mantissa * 0x1p-24f : (float)mantissa * 0x1p-24f;
    if (exponent == 31) /* infinity or NaN */
        return float_of_bits(sign | 0x7f800000 | mantissa << 13);
    return float_of_bits(sign | (exponent + 127 - 15) << 23 | mantissa << 13);
}

static void float_from_f16(float *out, const unsigned char *data, long count)
{
    for (long i = 0; i < count; i++)
        out[i] = float_of_half((uint32_t)(data[2 * i] | data[2 * i + 1] << 8));
}

/* STORED_UNKNOWN, the last row, matches any name and has no known size. */
static const struct {
    const char *name;
    long size; /* bytes an element */
    void (*to_float)(float *out, const unsigned char *data, long count);
} dtypes[] = {
    [STORED_F32] = {"F32", 4, float_from_f32},
    [STORED_F16] = {"F16", 2, float_from_f16},
    [STORED_BF16] = {"BF16", 2, float_from_bf16},
    [STORED_F64] = {"F64", 8, NULL},
    [STORED_F8_E4M3] = {"F8_E4M3", 1, NULL},
    [STORED_F8_E5M2] = {"F8_E5M2", 1, NULL},
    [STORED_I64] = {"I64", 8, NULL},
    [STORED_I32] = {"I32", 4, NULL},
    [STORED_I16] = {"I16", 2, NULL},
    [STORED_I8] = {"I8", 1, NULL},
    [STORED_U64] = {"U64", 8, NULL},
    [STORED_U32] = {"U32", 4, NULL},
    [STORED_U16] = {"U16", 2, NULL},
    [STORED_U8] = {"U8", 1, NULL},
    [STORED_BOOL] = {"BOOL", 1, NULL},
    [STORED_UNKNOWN] = {"of a dtype that oclip does not know", 0, NULL},
};

static enum stored_dtype dtype_of(const char *name)
{
    int dtype = 0;
    while (dtype < STORED_UNKNOWN && strcmp(dtypes[dtype].name, name) != 0)
        dtype++;
    return dtype;
}

int safetensors_to_float(float *out, const struct stored_tensor *tensor, struct error *err)
{
    if (!dtypes[tensor->dtype].to_float)
        return error_set(err, EXIT_BAD_DATA, "%s: tensor '%s' is %s; only F32, F16 and BF16 are read", tensor->file,
                         tensor->name, dtypes[tensor->dtype].name);
    dtypes[tensor->dtype].to_float(out, tensor->data, tensor->count);
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
};

static bool read_span(struct span *span, const json_t *offsets, size_t data_size)
{
    const json_t *begin = json_array_get(offsets, 0), *end = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(begin) || !json_is_integer(end))
        return false;
    *span = (struct span){json_integer_value(begin), json_integer_value(end)};
    return span->begin >= 0 && span->begin <= span->end && (uint64_t)span->end <= data_size;
}

static int read_tensor(struct stored_tensor *tensor, struct span *span, const struct safetensors *file,
                       const json_t *entry, const unsigned char *data, struct error *err)
{
    const char *dtype = json_string_value(json_object_get(entry, "dtype"));
    const char *path = file->path, *name = tensor->name;
    if (!dtype)
        return error_set(err, EXIT_BAD_DATA, "%s: tensor '%s' has no \"dtype\"", path, name);
    if (!read_shape(tensor, json_object_get(entry, "shape")))
        return error_set(err, EXIT_BAD_DATA, "%s: tensor '%s' has a broken \"shape\"", path, name);
    if (!read_span(span, json_object_get(entry, "data_offsets"), file->map.size - (size_t)(data - file->map.data)))
        return error_set(err, EXIT_BAD_DATA, "%s: tensor '%s' has \"data_offsets\" outside the file", path, name);
    tensor->dtype = dtype_of(dtype);
    long size = dtypes[tensor->dtype].size;
    if (size && span->end - span->begin != tensor->count * size)
        return error_set(err, EXIT_BAD_DATA, "%s: tensor '%s' needs %ld bytes but its \"data_offsets\" hold %lld", path,
                         name, tensor->count * size, (long long)(span->end - span->begin));
    tensor->data = data + span->begin;
    tensor->file = path;
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
static int check_cover(const struct safetensors *file, struct span *spans, size_t data_size, struct error *err)
{
    json_int_t covered = 0;
    qsort(spans, (size_t)file->count, sizeof *spans, compare_spans);
    for (int i = 0; i < file->count; i++) {
        if (spans[i].begin != covered)
            return error_set(err, EXIT_BAD_DATA, "%s: tensors %s at byte %lld of the data", file->path,
                             spans[i].begin < covered ? "overlap" : "leave a hole", (long long)spans[i].begin);
        covered = spans[i].end;
    }
    if ((uint64_t)covered != data_size)
        return error_set(err, EXIT_BAD_DATA, "%s: %lld bytes of tensors in %zu bytes of data", file->path,
                         (long long)covered, data_size);
    return 0;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct stored_tensor *)a)->name, ((const struct stored_tensor *)b)->name);
}

/* Fills the table of tensors from the parsed header; `data` is what follows the header. */
static int read_tensors(struct safetensors *file, const unsigned char *data, struct error *err)
{
    size_t limit = json_object_size(file->header);
    file->tensors = mem_new(limit, sizeof *file->tensors);
    struct span *spans = mem_new(limit, sizeof *spans); // [count]
    int result = 0;
    const char *name;
    json_t *entry;
    json_object_foreach(file->header, name, entry)
    {
        if (strcmp(name, "__metadata__") == 0)
            continue;
        struct stored_tensor *tensor = &file->tensors[file->count];
        tensor->name = name;
        result = read_tensor(tensor, &spans[file->count], file, entry, data, err);
        if (result != 0)
            break;
        file->count++;
    }
    if (result == 0)
        result = check_cover(file, spans, file->map.size - (size_t)(data - file->map.data), err);
    free(spans);
    qsort(file->tensors, (size_t)file->count, sizeof *file->tensors, compare_names);
    return result;
}

static int read_file(struct safetensors *file, struct error *err)
{
    const struct file_map *map = &file->map;
    if (map->size < LENGTH_BYTES)
        return error_set(err, EXIT_BAD_DATA, "%s: too short for a safetensors file", file->path);
    uint64_t length;
    memcpy(&length, map->data, LENGTH_BYTES);
    if (length > HEADER_LIMIT || length > map->size - LENGTH_BYTES)
        return error_set(err, EXIT_BAD_DATA,
                         "%s: the header is longer than the file or 100 MB; cut short, or no safetensors file",
                         file->path);

    const char *text = (const char *)map->data + LENGTH_BYTES;
    json_error_t where;
    file->header = json_loadb(text, (size_t)length, JSON_REJECT_DUPLICATES, &where);
    if (!file->header)
        return error_set(err, EXIT_BAD_DATA, "%s: the header is not JSON: %s", file->path, where.text);
    if (text[0] != '{' || !json_is_object(file->header))
        return error_set(err, EXIT_BAD_DATA, "%s: the header does not begin with {", file->path);
    return read_tensors(file, map->data + LENGTH_BYTES + length, err);
}

int safetensors_open(struct safetensors **opened, const char *path, struct error *err)
{
    struct safetensors *file = mem_new(1, sizeof *file);
    file->path = mem_format("%s", path);
    if (file_map(&file->map, path, err) != 0 || read_file(file, err) != 0) {
        safetensors_close(file);
        return -1;
    }
    *opened = file;
    return 0;
}

void safetensors_close(struct safetensors *file)
{
    if (!file)
        return;
    file_unmap(&file->map);
    json_decref(file->header);
    free(file->tensors);
    free(file->path);
    free(file);
}

/* The first PyTorch pickle of a folder, most likely names first; NULL when there is none. Caller frees. */
static char *find_pickle(const char *folder)
{
    static const char *const patterns[] = {"pytorch_model.bin", "*pytorch_model.bin", "*.bin", "*.pt", "*.pth"};
    char *found = NULL;
    for (size_t i = 0; !found && i < sizeof patterns / sizeof *patterns; i++) {
        char *pattern = path_join(folder, patterns[i]);
        glob_t matches;
        if (glob(pattern, GLOB_NOESCAPE, NULL, &matches) == 0)
            found = mem_format("%s", matches.gl_pathv[0]);
        globfree(&matches);
        free(pattern);
    }
    return found;
}

/* No weights that can be read: says what to do about those that cannot. Pickles run the code that is in them. */
static int refuse_folder(const char *folder, struct error *err)
{
    char *pickle = find_pickle(folder);
    if (!file_is_folder(folder))
        error_set(err, EXIT_BAD_DATA, "%s: no such folder", folder);
    else if (!pickle)
        error_set(err, EXIT_BAD_DATA, "%s: no model.safetensors in this folder", folder);
    else
        error_set(err, EXIT_BAD_DATA,
                  "%s: no model.safetensors, and %s is a PyTorch pickle, which can run code; if you trust it, convert "
                  "it: python -c \"import torch, safetensors.torch as s; "
                  "d = torch.load('%s', map_location='cpu', weights_only=True); d = d.get('state_dict', d); "
                  "s.save_file({k: v.clone().contiguous() for k, v in d.items() if torch.is_tensor(v)}, "
                  "'%s/model.safetensors')\"",
                  folder, pickle, pickle, folder);
    free(pickle);
    return -1;
}

int safetensors_open_folder(struct safetensors **file, const char *folder, struct error *err)
{
    static const char *const names[] = {"model.safetensors", "open_clip_model.safetensors"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *path = path_join(folder, names[i]);
        bool exists = file_exists(path);
        int result = exists ? safetensors_open(file, path, err) : 0;
        free(path);
        if (exists)
            return result;
    }
    return refuse_folder(folder, err);
}

int safetensors_count(const struct safetensors *file)
{
    return file->count;
}

const struct stored_tensor *safetensors_at(const struct safetensors *file, int index)
{
    CHECK(index >= 0 && index < file->count, "tensor %d of %d in %s", index, file->count, file->path);
    return &file->tensors[index];
}

const struct stored_tensor *safetensors_find(const struct safetensors *file, const char *name)
{
    struct stored_tensor key = {.name = name};
    return bsearch(&key, file->tensors, (size_t)file->count, sizeof key, compare_names);
}
