#include "trainer/features.h"

#include "models/encoder.h"
#include "models/images/picture_bytes.h"
#include "runtime/util/npy.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Cache entries are named by everything their numbers depend on. */
static char *cache_path(struct hash key)
{
    char name[HASH_TEXT], *folder = device_cache_folder("features");
    hash_text(name, key);
    char *path = mem_format("%s/%s.npy", folder, name);
    free(folder);
    return path;
}

static bool read_cache(struct features *features, const char *path)
{
    struct npy array;
    struct error ignored;
    if (!file_exists(path) || npy_read(&array, path, &ignored) != 0)
        return false;
    bool fits =
        array.ndim == 2 && (size_t)array.shape[0] == features->count && (size_t)array.shape[1] == features->width;
    if (fits)
        memcpy(features->rows, array.data, features->count * features->width * sizeof(float));
    npy_free(&array);
    return fits;
}

/* A cache that cannot be written costs time at the next start, nothing else. */
static void write_cache(const struct features *features, const char *path)
{
    struct error err;
    char *folder = device_cache_folder("features");
    if (file_make_folders(folder, &err) != 0 ||
        npy_write(path, features->rows, 2, (long[]){(long)features->count, (long)features->width}, &err) != 0)
        fprintf(stderr, "oclip: features are not kept for the next run: %s\n", err.text);
    free(folder);
}

static struct features features_new(size_t count, int width)
{
    return (struct features){
        .rows = mem_new(count * (size_t)width, sizeof(float)), .count = count, .width = (size_t)width};
}

static struct hash image_key(const struct clip *clip, const struct dataset *data)
{
    struct hash key = clip->fingerprint;
    hash_add_text(&key, "images");
    preprocess_add_hash(&key, &clip->preprocess);
    for (size_t i = 0; i < data->photos.count; i++) {
        struct stat status = {0};
        char *file = picture_bytes_file(data->photos.items[i]);
        hash_add_text(&key, data->photos.items[i]);
        if (stat(file, &status) == 0) {
            hash_add(&key, &status.st_size, sizeof status.st_size);
            hash_add(&key, &status.st_mtim, sizeof status.st_mtim);
        }
        free(file);
    }
    return key;
}

int features_of_images(struct features *features, bool *bad, const struct clip *clip, const struct dataset *data,
                       const struct settings *settings, struct error *err)
{
    *features = features_new(data->photos.count, clip->image.features);
    char *path = cache_path(image_key(clip, data));
    int result = 0;
    if (!read_cache(features, path)) {
        struct encode_options options = {
            .workers = settings->workers, .quiet = settings->quiet, .label = "image features"};
        result = encode_images(features->rows, NULL, clip, (const char *const *)data->photos.items, data->photos.count,
                               &options, err);
        if (result == 0)
            write_cache(features, path);
    }
    /* Unreadable photos have rows of NaN, in the cache too. */
    for (size_t i = 0; i < features->count; i++) {
        float *row = features->rows + i * features->width;
        bad[i] = isnan(row[0]);
        if (bad[i])
            memset(row, 0, features->width * sizeof *row);
    }
    free(path);
    return result;
}

int features_of_texts(struct features *features, const struct clip *clip, const struct dataset *data,
                      const struct settings *settings, struct error *err)
{
    *features = features_new(data->texts.count, clip->text.features);
    struct hash key = clip->fingerprint;
    hash_add_text(&key, "texts");
    hash_add(&key, &clip->max_tokens, sizeof clip->max_tokens);
    for (size_t i = 0; i < data->texts.count; i++)
        hash_add_text(&key, data->texts.items[i]);
    char *path = cache_path(key);
    int result = 0;
    if (!read_cache(features, path)) {
        struct encode_options options = {.quiet = settings->quiet, .label = "text features"};
        result = encode_texts(features->rows, clip, (const char *const *)data->texts.items, data->texts.count, &options,
                              err);
        if (result == 0)
            write_cache(features, path);
    }
    free(path);
    return result;
}

void features_free(struct features *features)
{
    free(features->rows);
    free(features->mean);
    free(features->std);
    *features = (struct features){0};
}

void features_standardise(struct features *features, const int *rows, size_t count)
{
    size_t width = features->width;
    features->mean = mem_new(width, sizeof(float));
    features->std = mem_new(width, sizeof(float));
    for (size_t j = 0; j < width; j++) {
        double sum = 0, squares = 0;
        for (size_t i = 0; i < count; i++)
            sum += (double)features->rows[(size_t)rows[i] * width + j];
        double mean = sum / (double)count;
        for (size_t i = 0; i < count; i++) {
            double off = (double)features->rows[(size_t)rows[i] * width + j] - mean;
            squares += off * off;
        }
        features->mean[j] = (float)mean;
        features->std[j] = (float)fmax(sqrt(squares / (double)count), 1e-6);
    }
    for (size_t i = 0; i < features->count; i++)
        for (size_t j = 0; j < width; j++) {
            float *x = &features->rows[i * width + j];
            *x = (*x - features->mean[j]) / features->std[j];
        }
}

static float *download(const struct arena *arena, const struct param *param)
{
    float *numbers = mem_new(tensor_count(param->tensor), sizeof *numbers);
    arena_download(numbers, arena, param);
    return numbers;
}

static const struct param *layer_param(const struct arena *arena, const char *head, const char *part)
{
    char *name = mem_format("%s.fc1.%s", head, part);
    const struct param *param = arena_find(arena, name);
    free(name);
    return param;
}

static struct fold read_layer(const struct arena *arena, const char *head)
{
    struct fold layer = {.weight = layer_param(arena, head, "weight"), .bias = layer_param(arena, head, "bias")};
    layer.weights = download(arena, layer.weight);
    layer.biases = download(arena, layer.bias);
    return layer;
}

/* The first layer of x becomes one of gain x + shift: W -> W gain, b -> b + W shift. */
static void compose(struct arena *arena, const struct fold *layer, const struct head *head, const double *gain,
                    const double *shift)
{
    size_t in = (size_t)head->in, out = (size_t)head->out;
    float *weights = mem_new(out * in, sizeof *weights), *biases = mem_new(out, sizeof *biases);
    for (size_t o = 0; o < out; o++) {
        double bias = (double)layer->biases[o];
        for (size_t i = 0; i < in; i++) {
            double weight = (double)layer->weights[o * in + i];
            weights[o * in + i] = (float)(weight * gain[i]);
            bias += weight * shift[i];
        }
        biases[o] = (float)bias;
    }
    arena_upload(arena, layer->weight, weights);
    arena_upload(arena, layer->bias, biases);
    free(weights);
    free(biases);
}

struct fold features_fold(const struct head *head, const char *name, struct arena *arena,
                          const struct features *features)
{
    if (!features->mean)
        return (struct fold){0};
    double *gain = mem_new(features->width, sizeof *gain), *shift = mem_new(features->width, sizeof *shift);
    for (size_t i = 0; i < features->width; i++) {
        gain[i] = 1 / (double)features->std[i];
        shift[i] = -(double)features->mean[i] * gain[i];
    }
    struct fold fold = read_layer(arena, name);
    compose(arena, &fold, head, gain, shift);
    free(gain);
    free(shift);
    return fold;
}

void features_absorb(const struct head *head, const char *name, struct arena *arena, const struct features *features)
{
    double *gain = mem_new(features->width, sizeof *gain), *shift = mem_new(features->width, sizeof *shift);
    for (size_t i = 0; i < features->width; i++) {
        gain[i] = (double)features->std[i];
        shift[i] = (double)features->mean[i];
    }
    struct fold raw = read_layer(arena, name);
    compose(arena, &raw, head, gain, shift);
    free(raw.weights);
    free(raw.biases);
    free(gain);
    free(shift);
}

void features_unfold(struct fold *fold, struct arena *arena)
{
    if (fold->weights) {
        arena_upload(arena, fold->weight, fold->weights);
        arena_upload(arena, fold->bias, fold->biases);
    }
    free(fold->weights);
    free(fold->biases);
    *fold = (struct fold){0};
}
