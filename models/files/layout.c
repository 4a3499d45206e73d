#include "models/files/layout.h"

#include "models/files/lora.h"

#include <fnmatch.h>
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

static struct name name_theirs(const struct layout_row *row, const char *prefix, int layer)
{
    return expand(row->at_root ? "" : prefix, "", row->theirs, layer);
}

static int layers_of(const struct layout_row *row, int layers)
{
    return strstr(row->ours, "%d") ? layers : 1;
}

const char *layout_prefix(const struct layout *layout, const struct safetensors *file)
{
    for (const char *const *prefix = layout->prefixes; *prefix; prefix++)
        if (safetensors_find(file, name_theirs(layout->rows, *prefix, 0).text))
            return *prefix;
    return NULL;
}

bool layout_spares(const struct layout *layout, const char *their_prefix, const char *name)
{
    size_t length = strlen(their_prefix);
    if (!layout->spare || strncmp(name, their_prefix, length) != 0)
        return false;
    for (const char *const *pattern = layout->spare; *pattern; pattern++)
        if (fnmatch(*pattern, name + length, 0) == 0)
            return true;
    return false;
}

/* ---- shapes ---- */

/* How a row's two sides overlap: `count` numbers, from `ours` on in our parameter and from `theirs` on in their tensor.
 */
struct overlap {
    long count, ours, theirs;
};

static struct overlap overlap_of(const struct layout_row *row, const struct tensor *tensor)
{
    long count = (long)tensor_count(tensor) / (row->parts ? row->parts : 1);
    return (struct overlap){
        .count = count, .ours = row->part * count, .theirs = row->pieces ? count / row->span * row->piece : 0};
}

/* The shape a row's tensor has in the file. */
static void their_shape(struct stored_tensor *stored, const struct layout_row *row, const struct tensor *ours)
{
    stored->ndim = 0;
    stored->count = 1;
    for (int i = 0; i < row->leading_ones; i++)
        stored->shape[stored->ndim++] = 1;
    for (int i = 0; i < ours->ndim && row->leading_ones != LAYOUT_SCALAR; i++) {
        long size = ours->dim[i];
        if (i == 0)
            size = (row->pieces ? size / row->span * row->pieces : size) / (row->parts ? row->parts : 1);
        stored->shape[stored->ndim++] = size;
        stored->count *= size;
    }
    if (row->transposed) {
        CHECK(stored->ndim == 2 && !row->pieces && !row->parts, "%s: only a whole matrix is stored transposed",
              row->ours);
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

/* What of their tensor is transposed in ours: one matrix, or one an output channel. */
struct matrices {
    long count, rows, columns;
};

static struct matrices matrices_of(const struct layout_row *row, const struct stored_tensor *theirs)
{
    const long *shape = theirs->shape;
    if (row->channels_last)
        return (struct matrices){.count = shape[0], .rows = shape[1], .columns = shape[2] * shape[3]};
    return (struct matrices){.count = 1, .rows = shape[0], .columns = shape[1]};
}

/* numbers [count, rows, columns] -> out [count, columns, rows] */
static void transpose(float *out, const float *numbers, long count, long rows, long columns)
{
    for (long i = 0; i < count; i++, out += rows * columns, numbers += rows * columns)
        for (long r = 0; r < rows; r++)
            for (long c = 0; c < columns; c++)
                out[c * rows + r] = numbers[r * columns + c];
}

/* ---- loading ---- */

static int convert(float *out, const struct stored_tensor *tensor, const struct layout_row *row, struct error *err)
{
    if (!row->transposed && !row->channels_last)
        return safetensors_to_float(out, tensor, err);
    float *numbers = mem_new((size_t)tensor->count, sizeof *numbers); // [count]
    int result = safetensors_to_float(numbers, tensor, err);
    struct matrices stored = matrices_of(row, tensor);
    transpose(out, numbers, stored.count, stored.rows, stored.columns);
    free(numbers);
    return result;
}

static int load_row(struct arena *arena, const struct param *param, const struct layout_row *row, const char *theirs,
                    struct safetensors *file, const struct layout *layout, struct error *err)
{
    const struct stored_tensor *stored = safetensors_take(file, theirs);
    if (!stored)
        return error_set(
            err, EXIT_BAD_DATA, "%s: tensor %s is missing (%s layout); is this the file its config.json says?",
            safetensors_count(file) > 0 ? safetensors_at(file, 0)->file : "no tensors", theirs, layout->name);
    struct stored_tensor want;
    their_shape(&want, row, param->tensor);
    if (check_shape(stored, &want, err) != 0)
        return -1;
    struct overlap overlap = overlap_of(row, param->tensor);
    float *numbers = arena_map(arena, param, (size_t)overlap.ours, (size_t)overlap.count); // [overlap.count]
    if (!numbers)
        return device_finish(arena->dev, err);
    struct stored_tensor piece = *stored;
    piece.count = overlap.count;
    piece.data = (const char *)stored->data + overlap.theirs * stored_dtypes[stored->dtype].size;
    int result = convert(numbers, &piece, row, err);
    arena_unmap(arena, param, numbers);
    safetensors_release(&piece);
    return result;
}

int layout_load(struct arena *arena, const struct layout *layout, const char *our_prefix, int layers,
                struct safetensors *file, const char *their_prefix, struct error *err)
{
    for (const struct layout_row *row = layout->rows; row->ours; row++)
        for (int layer = 0; layer < layers_of(row, layers); layer++) {
            const struct param *param = find_ours(arena, our_prefix, row->ours, layer);
            if (param &&
                load_row(arena, param, row, name_theirs(row, their_prefix, layer).text, file, layout, err) != 0)
                return -1;
        }
    return 0;
}

/* ---- collecting ---- */

static struct stored_tensor *add_item(struct tensor_list *list, const char *name)
{
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? 2 * list->capacity : 256;
        list->items = mem_grow(list->items, (size_t)list->capacity, sizeof *list->items);
    }
    struct stored_tensor *item = &list->items[list->count++];
    *item = (struct stored_tensor){.name = mem_format("%s", name)};
    return item;
}

void tensor_list_add_copy(struct tensor_list *list, const struct stored_tensor *tensor)
{
    struct stored_tensor *item = add_item(list, tensor->name);
    size_t bytes = (size_t)(tensor->count * stored_dtypes[tensor->dtype].size);
    void *data = mem_new(bytes, 1);
    if (bytes)
        memcpy(data, tensor->data, bytes);
    const char *name = item->name;
    *item = *tensor;
    item->name = name;
    item->data = data;
}

/* The item of this name; a new one, with all of its memory, for the first piece of a tensor. */
static struct stored_tensor *item_for(struct tensor_list *list, const struct layout_row *row, const struct tensor *ours,
                                      const char *name, enum stored_dtype dtype)
{
    for (int i = list->count - 1; row->pieces && i >= 0; i--)
        if (strcmp(list->items[i].name, name) == 0)
            return &list->items[i];
    struct stored_tensor *item = add_item(list, name);
    item->dtype = dtype;
    their_shape(item, row, ours);
    item->data = mem_new((size_t)item->count, (size_t)stored_dtypes[dtype].size);
    return item;
}

static void collect_row(struct tensor_list *list, const struct arena *arena, const struct param *param,
                        const struct layout_row *row, const char *theirs, enum stored_dtype dtype)
{
    struct stored_tensor *item = item_for(list, row, param->tensor, theirs, dtype);
    struct overlap overlap = overlap_of(row, param->tensor);
    float *numbers = mem_new(tensor_count(param->tensor), sizeof *numbers); // as ours
    arena_download(numbers, arena, param);
    lora_merge(numbers, arena, param);
    float *part = numbers + overlap.ours, *turned = NULL; // [overlap.count]
    if (row->transposed || row->channels_last) {
        struct matrices stored = matrices_of(row, item);
        turned = mem_new((size_t)overlap.count, sizeof *turned);
        transpose(turned, part, stored.count, stored.columns, stored.rows);
        part = turned;
    }
    unsigned char *out = (unsigned char *)(size_t)item->data + overlap.theirs * stored_dtypes[dtype].size;
    stored_dtypes[dtype].from_float(out, part, overlap.count);
    free(turned);
    free(numbers);
}

void layout_collect(struct tensor_list *list, const struct arena *arena, const struct layout *layout,
                    const char *our_prefix, int layers, const char *their_prefix, enum stored_dtype dtype)
{
    for (const struct layout_row *row = layout->rows; row->ours; row++)
        for (int layer = 0; layer < layers_of(row, layers); layer++) {
            const struct param *param = find_ours(arena, our_prefix, row->ours, layer);
            if (param)
                collect_row(list, arena, param, row, name_theirs(row, their_prefix, layer).text, dtype);
        }
}

void layout_collect_updates(struct tensor_list *list, const struct arena *arena, const struct layout *layout,
                            const char *our_prefix, int layers, const char *their_prefix)
{
    for (const struct layout_row *row = layout->rows; row->ours; row++)
        for (int layer = 0; layer < layers_of(row, layers); layer++) {
            const struct param *param = find_ours(arena, our_prefix, row->ours, layer);
            if (param)
                lora_collect(list, arena, param, name_theirs(row, their_prefix, layer).text, row->part,
                             row->parts ? row->parts : 1);
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
