#include "trainer/dataset.h"

#include "runtime/util/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Adds a table's photos and captions, captions of one photo side by side; returns the number of photos missing. */
static int add_table(struct dataset *data, const struct captions *table, const char *root)
{
    size_t photos = table->photos.count, texts = table->texts.count;
    size_t *starts = mem_new(photos + 2, sizeof *starts); // [photos + 1], shifted by one while counting
    int *order = mem_new(texts, sizeof *order);           // [texts], grouped by photo
    for (size_t i = 0; i < texts; i++)
        starts[table->photo_of[i] + 2]++;
    for (size_t p = 2; p < photos + 2; p++)
        starts[p] += starts[p - 1];
    for (size_t i = 0; i < texts; i++)
        order[starts[table->photo_of[i] + 1]++] = (int)i;

    int missing = 0;
    for (size_t p = 0; p < photos; p++) {
        char *path = path_join(root, table->photos.items[p]);
        if (!file_exists(path)) {
            if (++missing <= 5)
                fprintf(stderr, "oclip: %s: missing; its captions are left out\n", path);
        } else {
            string_list_add(&data->photos, path);
            for (size_t i = starts[p]; i < starts[p + 1]; i++)
                string_list_add(&data->texts, table->texts.items[order[i]]);
            data->first_text = mem_grow(data->first_text, data->photos.count + 1, sizeof *data->first_text);
            data->first_text[data->photos.count] = (int)data->texts.count;
        }
        free(path);
    }
    free(starts);
    free(order);
    return missing;
}

static int read_table(struct dataset *data, struct part *part, const char *path, const struct settings *settings,
                      struct error *err)
{
    const char *separator = settings->separator_text;
    struct captions_format format = {
        .separator = (char)(!separator                      ? 0
                            : strcmp(separator, "tab") == 0 ? '\t'
                                                            : separator[0]),
        .image_key = settings->image_key,
        .caption_key = settings->caption_key,
    };
    struct captions table;
    if (captions_read(&table, path, &format, err) != 0)
        return -1;

    const char *slash = strrchr(path, '/');
    char *beside = slash ? mem_format("%.*s", (int)(slash - path), path) : mem_format(".");
    const char *root = settings->image_root ? settings->image_root : beside;
    int first = (int)data->photos.count, missing = add_table(data, &table, root);
    part->photo_count = (int)data->photos.count - first;
    part->photos = mem_new((size_t)part->photo_count, sizeof *part->photos);
    for (int i = 0; i < part->photo_count; i++)
        part->photos[i] = first + i;
    if (missing > 5)
        fprintf(stderr, "oclip: %d photos of %s are missing in all\n", missing, path);
    captions_free(&table);
    int result = 0;
    if (part->photo_count == 0)
        result = error_set(err, EXIT_BAD_DATA, "%s: none of its photos is in %s; give --image-root", path, root);
    free(beside);
    return result;
}

/* Holds out a share of the photos, chosen by seed. Each part stays in the order of the table. */
static void split(struct dataset *data, double share, int seed)
{
    int count = data->train.photo_count, held = (int)(share * count + 0.5);
    int *order = mem_new((size_t)count, sizeof *order);
    bool *in_val = mem_new((size_t)count, sizeof *in_val);
    for (int i = 0; i < count; i++)
        order[i] = i;
    struct random random = random_begin((uint64_t)seed);
    random_shuffle(&random, order, (size_t)count);
    for (int i = 0; i < held; i++)
        in_val[order[i]] = true;
    data->val.photos = mem_new((size_t)held, sizeof *data->val.photos);
    int train = 0;
    for (int i = 0; i < count; i++) {
        if (in_val[i])
            data->val.photos[data->val.photo_count++] = data->train.photos[i];
        else
            data->train.photos[train++] = data->train.photos[i];
    }
    data->train.photo_count = train;
    free(order);
    free(in_val);
}

int dataset_open(struct dataset *data, const struct settings *settings, struct error *err)
{
    *data = (struct dataset){.first_text = mem_new(1, sizeof(int))};
    int result = read_table(data, &data->train, settings->train_data, settings, err);
    if (result == 0 && settings->val_data)
        result = read_table(data, &data->val, settings->val_data, settings, err);
    else if (result == 0)
        split(data, settings->val_split, settings->seed);
    if (result == 0 && data->train.photo_count < 2)
        result = error_set(err, EXIT_BAD_DATA, "%s: %d photos to train on are too few", settings->train_data,
                           data->train.photo_count);
    if (result != 0)
        dataset_free(data);
    return result;
}

void dataset_free(struct dataset *data)
{
    string_list_free(&data->photos);
    string_list_free(&data->texts);
    free(data->first_text);
    free(data->train.photos);
    free(data->val.photos);
    *data = (struct dataset){0};
}

static void drop(struct part *part, const bool *bad)
{
    int kept = 0;
    for (int i = 0; i < part->photo_count; i++)
        if (!bad[part->photos[i]])
            part->photos[kept++] = part->photos[i];
    part->photo_count = kept;
}

void dataset_drop(struct dataset *data, const bool *bad)
{
    drop(&data->train, bad);
    drop(&data->val, bad);
}

struct pair *dataset_epoch(const struct dataset *data, const struct settings *settings, int epoch, int *count)
{
    struct random random = random_begin((uint64_t)settings->seed * UINT64_C(0x100000001) + (uint64_t)epoch);
    const int *first = data->first_text;
    *count = 0;
    for (int i = 0; i < data->train.photo_count; i++) {
        int photo = data->train.photos[i];
        *count += settings->every_caption ? first[photo + 1] - first[photo] : 1;
    }
    struct pair *pairs = mem_new((size_t)*count, sizeof *pairs), *shuffled = mem_new((size_t)*count, sizeof *shuffled);
    int *order = mem_new((size_t)*count, sizeof *order), filled = 0;
    for (int i = 0; i < data->train.photo_count; i++) {
        int photo = data->train.photos[i], captions = first[photo + 1] - first[photo];
        int start = settings->every_caption || settings->no_shuffle ? 0 : (int)random_below(&random, (size_t)captions);
        for (int c = 0; c < (settings->every_caption ? captions : 1); c++)
            pairs[filled++] = (struct pair){photo, first[photo] + start + c};
    }
    for (int i = 0; i < *count; i++)
        order[i] = i;
    if (!settings->no_shuffle)
        random_shuffle(&random, order, (size_t)*count);
    for (int i = 0; i < *count; i++)
        shuffled[i] = pairs[order[i]];
    free(pairs);
    free(order);
    return shuffled;
}
