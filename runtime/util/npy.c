#include "runtime/util/npy.h"
#include "runtime/util/file.h"

#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the file's little-endian floats are copied as they are");

enum { MAX_DIMENSIONS = 4, ALIGNMENT = 64, PREAMBLE = 10, HEADER_LIMIT = 65535 };
static const char magic[] = "\x93NUMPY"; /* then major, minor version, 16-bit header length */

/* Python's tuple: (), (3,), (3, 4). */
static void format_shape(char text[static 128], int ndim, const long *shape)
{
    int used = sprintf(text, "(");
    for (int i = 0; i < ndim; i++)
        used += sprintf(text + used, "%s%ld", i ? ", " : "", shape[i]);
    sprintf(text + used, ndim == 1 ? ",)" : ")");
}

int npy_write(const char *path, const float *data, int ndim, const long *shape, struct error *err)
{
    CHECK(ndim >= 0 && ndim <= MAX_DIMENSIONS, "%s: %d dimensions, at most %d are written", path, ndim, MAX_DIMENSIONS);
    size_t count = 1;
    for (int i = 0; i < ndim; i++)
        count *= (size_t)shape[i];

    char tuple[128], header[256];
    format_shape(tuple, ndim, shape);
    int used = sprintf(header, "{'descr': '<f4', 'fortran_order': False, 'shape': %s, }", tuple);
    while ((PREAMBLE + used + 1) % ALIGNMENT)
        header[used++] = ' ';
    header[used++] = '\n';
    const unsigned char version_and_length[] = {1, 0, (unsigned char)(used & 255), (unsigned char)(used >> 8)};

    struct file_writer writer;
    if (file_create(&writer, path, err) != 0)
        return -1;
    file_write(&writer, magic, sizeof magic - 1);
    file_write(&writer, version_and_length, sizeof version_and_length);
    file_write(&writer, header, (size_t)used);
    file_write(&writer, data, count * sizeof *data);
    return file_commit(&writer, err);
}

/* The text after "'key':" in the header's dictionary, or NULL. */
static const char *member(const char *header, const char *key)
{
    const char *at = strstr(header, key);
    if (!at)
        return NULL;
    at += strlen(key);
    return at + strspn(at, " ");
}

static int read_shape(struct npy *array, const char *at, const char *path, struct error *err)
{
    for (at++; *(at += strspn(at, " ,")) != ')'; array->ndim++) {
        char *end;
        long extent = *at >= '0' && *at <= '9' ? strtol(at, &end, 10) : -1;
        if (extent < 0 || extent == LONG_MAX)
            return error_set(err, EXIT_BAD_DATA, "%s: the header's shape is broken", path);
        if (array->ndim == MAX_DIMENSIONS)
            return error_set(err, EXIT_BAD_DATA, "%s: more than %d dimensions", path, MAX_DIMENSIONS);
        array->shape[array->ndim] = extent;
        at = end;
    }
    return 0;
}

/* Reads the dictionary that numpy writes; the array's shape is filled, its data not. */
static int read_header(struct npy *array, const char *header, const char *path, struct error *err)
{
    const char *descr = member(header, "'descr':"), *order = member(header, "'fortran_order':");
    const char *shape = member(header, "'shape':");
    if (!descr || !order || !shape || *shape != '(')
        return error_set(err, EXIT_BAD_DATA, "%s: the header lacks 'descr', 'fortran_order' or 'shape'", path);
    if (strncmp(descr, "'<f4'", 5) != 0)
        return error_set(err, EXIT_BAD_DATA, "%s: elements are %.*s, only '<f4' is read (x.astype(numpy.float32))",
                         path, (int)strcspn(descr, ","), descr);
    if (strncmp(order, "False", 5) != 0)
        return error_set(err, EXIT_BAD_DATA, "%s: stored by columns, only C order is read (numpy.ascontiguousarray)",
                         path);
    return read_shape(array, shape, path, err);
}

/* The number of elements, or -1 when it does not fit `limit`. */
static long element_count(const struct npy *array, long limit)
{
    long count = 1;
    for (int i = 0; i < array->ndim; i++)
        if (array->shape[i] == 0)
            return 0;
    for (int i = 0; i < array->ndim; i++) {
        if (array->shape[i] > limit / count)
            return -1;
        count *= array->shape[i];
    }
    return count;
}

static int read_map(struct npy *array, const struct file_map *map, const char *path, struct error *err)
{
    if (map->size < PREAMBLE || memcmp(map->data, magic, sizeof magic - 1) != 0)
        return error_set(err, EXIT_BAD_DATA, "%s: not an .npy file", path);
    if (map->data[6] != 1)
        return error_set(err, EXIT_BAD_DATA, "%s: .npy version %d, only version 1 is read", path, map->data[6]);
    size_t length = map->data[8] | (size_t)map->data[9] << 8;
    if (length > map->size - PREAMBLE)
        return error_set(err, EXIT_BAD_DATA, "%s: the header ends after the file", path);

    char header[HEADER_LIMIT + 1];
    memcpy(header, map->data + PREAMBLE, length);
    header[length] = '\0';
    if (read_header(array, header, path, err) != 0)
        return -1;

    size_t bytes = map->size - PREAMBLE - length;
    long count = element_count(array, (long)(bytes / sizeof(float)));
    if (count < 0 || (size_t)count * sizeof(float) != bytes)
        return error_set(err, EXIT_BAD_DATA, "%s: %zu bytes of data do not fit the header's shape", path, bytes);
    array->data = mem_new((size_t)count, sizeof *array->data);
    memcpy(array->data, map->data + PREAMBLE + length, bytes);
    return 0;
}

int npy_read(struct npy *array, const char *path, struct error *err)
{
    *array = (struct npy){0};
    struct file_map map;
    if (file_map(&map, path, err) != 0)
        return -1;
    int result = read_map(array, &map, path, err);
    file_unmap(&map);
    return result;
}

void npy_free(struct npy *array)
{
    free(array->data);
    *array = (struct npy){0};
}
