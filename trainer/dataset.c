#include "trainer/dataset.h"

#include "models/images/picture_bytes.h"
#include "runtime/util/random.h"

#include <stdlib.h>
#include <string.h>

/* Adds a table's photos and captions, captions of one photo side by side; returns the number of photos missing. */
static size_t add_table(struct dataset *data, const struct captions *table, const char *root, struct bad_samples *bad)
{
    size_t photos = table->photos.count, texts = table->texts.count, missing = 0;
    size_t *starts = mem_new(photos + 2, sizeof *starts); // [photos + 1], shifted by one while counting
    int *order = mem_new(texts, sizeof *order);           // [texts], grouped by photo
    for (size_t i = 0; i < texts; i++)
        starts[table->photo_of[i] + 2]++;
    for (size_t p = 2; p < photos + 2; p++)
        starts[p] += starts[p - 1];
    for (size_t i = 0; i < texts; i++)
        order[starts[table->photo_of[i] + 1]++] = (int)i;

    for (size_t p = 0; p < photos; p++) {
        char *path = path_join(root, table->photos.items[p]);
        if (!picture_bytes_exist(path)) {
            char *text = mem_format("%s: missing", path);
            bad_samples_add(bad, text);
            missing++;
            free(text);
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

static struct captions_format format_of(const struct settings *settings, const char *split)
{
    const char *separator = settings->separator_text;
    return (struct captions_format){
        .kind = settings->dataset_type,
        .separator = (char)(!separator                      ? 0
                            : strcmp(separator, "tab") == 0 ? '\t'
                                                            : separator[0]),
        .image_key = settings->image_key,
        .caption_key = settings->caption_key,
        .split = split,
        .templates = settings->templates,
        .samples = settings->train_num_samples,
    };
}

/* Adds one collection to a part. has_splits: set if the file has other parts. */
static int read_source(struct dataset *data, struct part *part, bool *has_splits, const char *path, const char *split,
                       const struct settings *settings, struct bad_samples *bad, struct error *err)
{
    struct captions_format format = format_of(settings, split);
    struct captions table;
    if (captions_read(&table, path, &format, err) != 0)
        return -1;
    *has_splits |= table.has_splits;
    for (size_t i = 0; i < table.broken.count; i++)
        bad_samples_add(bad, table.broken.items[i]);
    const char *root = settings->image_root && *table.root ? settings->image_root : table.root;
    int first = (int)data->photos.count, result = 0;
    size_t missing = add_table(data, &table, root, bad), broken = table.broken.count + missing;
    int added = (int)data->photos.count - first;
    part->photos = mem_grow(part->photos, (size_t)(part->photo_count + added) + 1, sizeof *part->photos);
    for (int i = 0; i < added; i++)
        part->photos[part->photo_count++] = first + i;
    if (added == 0)
        result = error_set(err, EXIT_BAD_DATA, "%s: none of its photos is in %s; give --image-root", path, root);
    else
        result = bad_samples_check(bad, broken, table.broken.count + table.photos.count, err);
    captions_free(&table);
    return result;
}

static int read_part(struct dataset *data, struct part *part, bool *has_splits, const char *sources, const char *split,
                     const struct settings *settings, struct bad_samples *bad, struct error *err)
{
    int result = 0;
    for (char *path; result == 0 && (path = stream_next_source(&sources)); free(path))
        result = read_source(data, part, has_splits, path, split, settings, bad, err);
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

/* The first texts of a stream stand for all, where a vocabulary is made of them. */
static int add_first_texts(struct dataset *data, struct bad_samples *bad, struct error *err)
{
    enum { FIRST_TEXTS = 10000 };
    struct stream_sample sample;
    int count = data->train.photo_count < FIRST_TEXTS ? data->train.photo_count : FIRST_TEXTS;
    for (int i = 0; i < count; i++) {
        if (stream_next(&sample, data->stream, bad, err) != 0)
            return -1;
        string_list_add(&data->texts, sample.text);
        free(sample.picture);
        free(sample.text);
    }
    data->first_text[0] = count;
    return 0;
}

static int open_stream(struct dataset *data, const struct settings *settings, struct bad_samples *bad,
                       struct error *err)
{
    struct stream *stream = mem_new(1, sizeof *stream);
    if (stream_open(stream, settings->train_data, settings->upsampling, settings->seed, !settings->no_shuffle, err) !=
        0) {
        free(stream);
        return -1;
    }
    data->stream = stream;
    data->train.photo_count = settings->train_num_samples;
    return settings_is_tiny(settings) ? add_first_texts(data, bad, err) : 0;
}

static int open_train(struct dataset *data, bool *has_splits, const struct settings *settings, struct bad_samples *bad,
                      struct error *err)
{
    const char *kind = settings->dataset_type, *path = settings->train_data;
    if (!kind || strcmp(kind, "auto") == 0)
        kind = captions_detect(path);
    bool shards = strcmp(kind, "webdataset") == 0;
    if (settings->train_num_samples > 0 && !shards && strcmp(kind, "synthetic") != 0)
        return error_set(err, EXIT_USAGE, "--train-num-samples is for webdataset and synthetic data; %s is %s", path,
                         kind);
    if (settings->upsampling && !(shards && settings->train_num_samples > 0))
        return error_set(err, EXIT_USAGE,
                         "--train-data-upsampling-factors goes with webdataset and "
                         "--train-num-samples");
    if (shards && settings->train_num_samples > 0)
        return open_stream(data, settings, bad, err);
    return read_part(data, &data->train, has_splits, path, settings->split, settings, bad, err);
}

/* Where a part of the photos that was asked for could not be held out, it is not left out in silence. */
static int check_split(const struct dataset *data, bool has_splits, const struct settings *settings, struct error *err)
{
    if (!settings->val_split_asked || (!has_splits && !data->stream))
        return 0;
    return error_set(err, EXIT_USAGE, "--val-split: %g, but %s", settings->val_split,
                     has_splits ? "the data has a split to validate on"
                                : "nothing is held out of shards that are streamed; name others by --val-data");
}

int dataset_open(struct dataset *data, const struct settings *settings, struct bad_samples *bad, struct error *err)
{
    *data = (struct dataset){.first_text = mem_new(1, sizeof(int))};
    bool has_splits = false, ignored = false;
    int result = open_train(data, &has_splits, settings, bad, err);
    if (result == 0)
        result = check_split(data, has_splits, settings, err);
    if (result == 0 && settings->val_data)
        result = read_part(data, &data->val, &ignored, settings->val_data, "val", settings, bad, err);
    else if (result == 0 && has_splits)
        result = read_part(data, &data->val, &ignored, settings->train_data, "val", settings, bad, err);
    else if (result == 0 && !data->stream)
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
    if (data->stream)
        stream_close(data->stream);
    free(data->stream);
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
    if (!data->stream)
        drop(&data->train, bad);
    drop(&data->val, bad);
}

int *dataset_train_pairs(const struct dataset *data, size_t *count)
{
    *count = 0;
    for (int i = 0; i < data->train.photo_count; i++)
        *count += (size_t)(data->first_text[data->train.photos[i] + 1] - data->first_text[data->train.photos[i]]);
    int *photos = mem_new(2 * *count, sizeof *photos), *texts = photos + *count;
    size_t pair = 0;
    for (int i = 0; i < data->train.photo_count; i++) {
        int photo = data->train.photos[i];
        for (int text = data->first_text[photo]; text < data->first_text[photo + 1]; text++, pair++) {
            photos[pair] = photo;
            texts[pair] = text;
        }
    }
    return photos;
}

int dataset_epoch_size(const struct dataset *data, const struct settings *settings)
{
    int count = data->train.photo_count;
    for (int i = 0; !data->stream && settings->every_caption && i < data->train.photo_count; i++) {
        int photo = data->train.photos[i];
        count += data->first_text[photo + 1] - data->first_text[photo] - 1;
    }
    return count;
}

struct pair *dataset_epoch(const struct dataset *data, const struct settings *settings, int epoch)
{
    struct random random = random_begin((uint64_t)settings->seed * UINT64_C(0x100000001) + (uint64_t)epoch);
    const int *first = data->first_text, count = dataset_epoch_size(data, settings);
    struct pair *pairs = mem_new((size_t)count, sizeof *pairs), *shuffled = mem_new((size_t)count, sizeof *shuffled);
    int *order = mem_new((size_t)count, sizeof *order), filled = 0;
    for (int i = 0; i < data->train.photo_count; i++) {
        int photo = data->train.photos[i], captions = first[photo + 1] - first[photo];
        int start = settings->every_caption || settings->no_shuffle ? 0 : (int)random_below(&random, (size_t)captions);
        for (int c = 0; c < (settings->every_caption ? captions : 1); c++)
            pairs[filled++] = (struct pair){photo, first[photo] + start + c};
    }
    for (int i = 0; i < count; i++)
        order[i] = i;
    if (!settings->no_shuffle)
        random_shuffle(&random, order, (size_t)count);
    for (int i = 0; i < count; i++)
        shuffled[i] = pairs[order[i]];
    free(pairs);
    free(order);
    return shuffled;
}
