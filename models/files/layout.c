#include "models/files/layout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct name {
    char text[256];
};

/* "PREFIX.image.%d.fc1" for layer 3; a prefix stands as it is, with a dot behind ours. */
static struct name expand(const char *prefix, const char *dot, const char *pattern, int layer)
{
    struct name name;
    const char *mark = strstr(pattern, "%d");
    if (mark)
        snprintf(name.text, sizeof name.text, "%s%s%.*s%d%s", prefix, dot, (int)(mark - pattern), pattern, layer,
                 mark + 2);
    else
        snprintf(name.text, sizeof name.text, "%s%s%s", prefix, dot, pattern);
    return name;
}

static struct param *find_ours(const struct arena *arena, const char *prefix, const char *pattern, int layer)
{
    return arena_find(arena, expand(prefix, prefix[0] ? "." : "", pattern, layer).text);
}

static int parts_of(const struct layout_row *row)
{
    return row->parts ? row->parts : 1;
}

static const char *prefix_of(const struct layout *layout, const char *prefix)
{
    return layout->rooted ? "" : prefix;
}

/* The shape a row's tensor has in the file. */
static void their_shape(struct stored_tensor *stored, const struct layout_row *row, const struct tensor *ours)
{
    stored->ndim = 0;
    stored->count = 1;
    for (int i = 0; i < row->leading_ones; i++)
        stored->shape[stored->ndim++] = 1;
    for (int i = 0; i < ours->ndim && row->leading_ones != LAYOUT_SCALAR; i++) {
        long size = i == 0 ? ours->dim[i] / parts_of(row) : ours->dim[i];
        stored->shape[stored->ndim++] = size;
        stored->count *= size;
    }
    if (row->transposed) {
        CHECK(stored->ndim == 2, "%s: only a matrix is stored transposed", row->ours);
        long rows = stored->shape[0];
        stored->shape[0] = stored->shape[1];
        stored->shape[1] = rows;
    }
    if (row->channels_last) {
        CHECK(stored->ndim == 4, "%s: only a convolution has channels", row->ours);
        long in = stored->shape[3];
        stored->shape[3] = stored->shape[2];
        stored->shape[2] = stored->shape[1];
        stored->shape[1] = in;
    }
}

static int check_shape(const struct stored_tensor *got, const struct stored_tensor *want, struct error *err)
{
    bool same = got->ndim == want->ndim;
    for (int i = 0; same && i < want->ndim; i++)
        same = got->shape[i] == want->shape[i];
    /* One number is one number, whether it is written as [] or [1]. */
    if (same || (got->count == 1 && want->count == 1))
        return 0;
    char text[2][160] = {"", ""};
    const struct stored_tensor *both[] = {got, want};
    for (int t = 0; t < 2; t++)
        for (int i = 0; i < both[t]->ndim; i++) {
            size_t used = strlen(text[t]);
            snprintf(text[t] + used, sizeof text[t] - used, i ? ", %ld" : "%ld", both[t]->shape[i]);
        }
    return error_set(err, EXIT_BAD_DATA, "%s: tensor %s has shape [%s], but its config.json asks for [%s]", got->file,
                     got->name, text[0], text[1]);
}

/* In place: each of `count` matrices [rows, columns] -> [columns, rows] */
static void transpose(float *numbers, long count, long rows, long columns)
{
    size_t bytes = (size_t)(rows * columns) * sizeof *numbers;
    float *copy = mem_new(bytes, 1); // [rows, columns]
    for (long i = 0; i < count; i++, numbers += rows * columns) {
        memcpy(copy, numbers, bytes);
        for (long r = 0; r < rows; r++)
            for (long c = 0; c < columns; c++)
                numbers[c * rows + r] = copy[r * columns + c];
    }
    free(copy);
}

/* From their order to ours, theirs having this shape. */
static void turn_in(float *numbers, const struct layout_row *row, const long *shape)
{
    if (row->transposed)
        transpose(numbers, 1, shape[0], shape[1]);
    if (row->channels_last)
        transpose(numbers, shape[0], shape[1], shape[2] * shape[3]);
}

/* And back. */
static void turn_out(float *numbers, const struct layout_row *row, const long *shape)
{
    if (row->transposed)
        transpose(numbers, 1, shape[1], shape[0]);
    if (row->channels_last)
        transpose(numbers, shape[0], shape[2] * shape[3], shape[1]);
}

/* One row: `numbers` collects the parts of a parameter until the last one is in. */
static int load_row(struct arena *arena, const struct param *param, const struct layout_row *row, const char *theirs,
                    const struct safetensors *file, const struct layout *layout, float **numbers, struct error *err)
{
    const struct stored_tensor *stored = safetensors_find(file, theirs);
    if (!stored)
        return error_set(err, EXIT_BAD_DATA, "tensor %s is missing (%s layout); is this the file its config.json says?",
                         theirs, layout->name);
    struct stored_tensor want;
    their_shape(&want, row, param->tensor);
    if (check_shape(stored, &want, err) != 0)
        return -1;
    if (row->part == 0)
        *numbers = mem_new(tensor_count(param->tensor), sizeof(float));
    float *part = *numbers + (long)row->part * want.count; // [want.count]
    if (safetensors_to_float(part, stored, err) != 0)
        return -1;
    turn_in(part, row, want.shape);
    if (row->part == parts_of(row) - 1) {
        arena_upload(arena, param, *numbers);
        free(*numbers);
        *numbers = NULL;
    }
    return 0;
}

static int layers_of(const struct layout_row *row, int layers)
{
    return strstr(row->ours, "%d") ? layers : 1;
}

int layout_load(struct arena *arena, const struct layout *layout, const char *our_prefix, int layers,
                const struct safetensors *file, const char *their_prefix, struct error *err)
{
    /* A parameter's parts stand in adjacent rows, so one buffer a layer is enough. */
    float **numbers = mem_new((size_t)layers + 1, sizeof *numbers); // [layers + 1]
    const char *prefix = prefix_of(layout, their_prefix);
    int result = 0;
    for (const struct layout_row *row = layout->rows; row->ours && result == 0; row++)
        for (int layer = 0; layer < layers_of(row, layers) && result == 0; layer++) {
            const struct param *param = find_ours(arena, our_prefix, row->ours, layer);
            if (param)
                result = load_row(arena, param, row, expand(prefix, "", row->theirs, layer).text, file, layout,
                                  &numbers[layer], err);
        }
    for (int layer = 0; layer <= layers; layer++)
        free(numbers[layer]);
    free(numbers);
    return result;
}

static void collect_row(struct tensor_list *list, const struct arena *arena, const struct param *param,
                        const struct layout_row *row, const char *theirs)
{
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? 2 * list->capacity : 256;
        list->items = mem_grow(list->items, (size_t)list->capacity, sizeof *list->items);
    }
    struct stored_tensor stored = {.name = mem_format("%s", theirs), .dtype = STORED_F32};
    their_shape(&stored, row, param->tensor);
    float *whole = mem_new(tensor_count(param->tensor), sizeof *whole), // [parts * stored.count]
        *part = mem_new((size_t)stored.count, sizeof *part);            // [stored.count]
    arena_download(whole, arena, param);
    memcpy(part, whole + (long)row->part * stored.count, (size_t)stored.count * sizeof *part);
    free(whole);
    turn_out(part, row, stored.shape);
    stored.data = part;
    list->items[list->count++] = stored;
}

void layout_collect(struct tensor_list *list, const struct arena *arena, const struct layout *layout,
                    const char *our_prefix, int layers, const char *their_prefix)
{
    const char *prefix = prefix_of(layout, their_prefix);
    for (const struct layout_row *row = layout->rows; row->ours; row++)
        for (int layer = 0; layer < layers_of(row, layers); layer++) {
            const struct param *param = find_ours(arena, our_prefix, row->ours, layer);
            if (param)
                collect_row(list, arena, param, row, expand(prefix, "", row->theirs, layer).text);
        }
}

void tensor_list_free(struct tensor_list *list)
{
    for (int i = 0; i < list->count; i++) {
        free((char *)(size_t)list->items[i].name);
        free((void *)(size_t)list->items[i].data);
    }
    free(list->items);
    *list = (struct tensor_list){0};
}
