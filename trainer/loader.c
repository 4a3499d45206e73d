#include "trainer/loader.h"

#include "models/images/prefetch.h"
#include "runtime/util/progress.h"
#include "runtime/util/random.h"

#include <limits.h>
#include <stdlib.h>

/* Photos wait decoded for two batches, in so many bytes at most. */
static const size_t ahead_bytes = (size_t)256 << 20;
enum { CHECKED_FROM = 256 }; /* samples, before the bad ones among them are held against their limit */

/* A sample; both texts are its own. */
struct sample {
    struct pair pair;
    char *text, *picture;
};

struct loader {
    struct loader_source source;
    struct pair *pairs;            // [size] of the epoch; NULL for a stream
    int first, drawn, taken, size; /* samples of the epoch: done before, given to the threads, to a step, all */
    int tried, bad;                /* of this rank's: photos given to a step, or that could not be read */
    uint64_t seed;
    double waited;

    struct prefetch *prefetch; /* NULL: no photos are read */
    int waiting, room;         /* photos that it has, and can have */
    struct sample *ahead;      // [capacity] sample i, of those drawn and not taken, is in ahead[i % capacity]
    int capacity;
    struct batch batch;
};

/* ---- samples, in their order ---- */

static int next_sample(struct sample *sample, struct loader *loader, struct error *err)
{
    struct dataset *data = loader->source.data;
    if (loader->pairs) {
        struct pair pair = loader->pairs[loader->drawn];
        *sample = (struct sample){pair, mem_format("%s", data->texts.items[pair.text]),
                                  mem_format("%s", data->photos.items[pair.photo])};
        return 0;
    }
    struct stream_sample next;
    if (stream_next(&next, data->stream, loader->source.bad, err) != 0)
        return -1;
    struct pair pair = {.photo = (int)(random_key(next.picture) & INT_MAX), .text = loader->drawn};
    *sample = (struct sample){pair, next.text, next.picture};
    return 0;
}

static void sample_free(struct sample *sample)
{
    free(sample->text);
    free(sample->picture);
    *sample = (struct sample){0};
}

/* A stream has no middle to begin in: what was done before is drawn again, without its photos. */
static int skip(struct loader *loader, int skipped, struct error *err)
{
    for (; !loader->pairs && loader->drawn < skipped; loader->drawn++) {
        struct sample sample;
        if (next_sample(&sample, loader, err) != 0)
            return -1;
        sample_free(&sample);
    }
    loader->first = loader->drawn = loader->taken = skipped;
    return 0;
}

static int step_samples(const struct loader *loader, int left)
{
    int wanted = settings_step_pairs(loader->source.settings);
    return left < wanted ? left : wanted;
}

/* Steps begin at loader->first. */
static bool is_own(const struct loader *loader, int sample)
{
    const struct loader_source *source = &loader->source;
    int within = (sample - loader->first) % settings_step_pairs(source->settings), first, count;
    int drawn = step_samples(loader, loader->size - (sample - within));
    if (drawn < source->share->ranks)
        return false;
    share_part(&first, &count, source->share, source->rank, drawn);
    return within >= first && within < first + count;
}

/* Gives the threads photos as far as there is room. */
static int draw_ahead(struct loader *loader, struct error *err)
{
    for (; loader->drawn < loader->size && loader->drawn - loader->taken < loader->capacity &&
           loader->waiting < loader->room;
         loader->drawn++) {
        struct sample *sample = &loader->ahead[loader->drawn % loader->capacity];
        if (next_sample(sample, loader, err) != 0)
            return -1;
        if (loader->prefetch && is_own(loader, loader->drawn)) {
            prefetch_add(loader->prefetch, sample->picture, loader->seed + (uint64_t)loader->drawn);
            loader->waiting++;
        }
    }
    return 0;
}

/* ---- opening ---- */

static void open_threads(struct loader *loader)
{
    const struct loader_source *source = &loader->source;
    size_t own = (size_t)source->share->pairs[source->rank], bytes = preprocess_bytes(source->preprocess);
    size_t most = ahead_bytes / bytes, ahead = 2 * own;
    loader->prefetch = prefetch_open(source->preprocess, source->settings->augments ? &source->settings->augment : NULL,
                                     ahead < most ? ahead : most, source->settings->workers);
    loader->room = (int)prefetch_capacity(loader->prefetch);
    loader->capacity = loader->room * source->share->ranks; /* about; what others have is cheap to hold */
    loader->batch.pixels = mem_new(own, bytes);
}

int loader_open(struct loader **out, const struct loader_source *source, int epoch, int skipped, struct error *err)
{
    const struct settings *settings = source->settings;
    size_t batch_size = (size_t)settings_step_pairs(settings);
    struct loader *loader = mem_new(1, sizeof *loader);
    struct random random = random_begin((uint64_t)settings->seed << 32 | (uint32_t)epoch);
    *loader = (struct loader){
        .source = *source, .seed = random_bits(&random), .capacity = settings_step_pairs(settings), .room = 1};
    loader->batch.pairs = mem_new(batch_size, sizeof *loader->batch.pairs);
    loader->batch.texts = mem_new(batch_size, sizeof *loader->batch.texts);
    loader->size = dataset_epoch_size(source->data, settings);
    if (source->data->stream)
        stream_begin(source->data->stream, epoch);
    else
        loader->pairs = dataset_epoch(source->data, settings, epoch);
    if (source->preprocess)
        open_threads(loader);
    loader->ahead = mem_new((size_t)loader->capacity, sizeof *loader->ahead);
    if (skip(loader, skipped, err) != 0 || draw_ahead(loader, err) != 0) {
        loader_close(loader);
        loader = NULL;
    }
    *out = loader;
    return loader ? 0 : -1;
}

/* ---- batches ---- */

/* The device goes without work from when it has done all it was given; before that, waiting costs nothing. */
static void wait_for_photo(struct loader *loader)
{
    bool ready;
    do {
        double start = clock_seconds();
        bool idle = device_idle(loader->source.dev);
        ready = prefetch_wait(loader->prefetch, 0.002);
        if (idle && !ready)
            loader->waited += clock_seconds() - start;
    } while (!ready);
}

/* Whether the photo could be read, or need not be. */
static bool take_photo(struct loader *loader, int row)
{
    struct error unreadable;
    if (!loader->prefetch)
        return true;
    wait_for_photo(loader);
    loader->waiting--;
    loader->tried++;
    unsigned char *pixels = loader->batch.pixels + (size_t)row * preprocess_bytes(loader->source.preprocess);
    if (prefetch_next(loader->prefetch, pixels, &unreadable) == 0)
        return true;
    bad_samples_add(loader->source.bad, unreadable.text);
    loader->bad++;
    return false;
}

static void empty_batch(struct batch *batch)
{
    for (int i = 0; i < batch->count; i++)
        free(batch->texts[i]);
    batch->drawn = batch->count = 0;
}

/* A stream's samples and the photos in them are judged apart: it reads far ahead of the photos. */
static int check_bad(const struct loader *loader, struct error *err)
{
    const struct bad_samples *bad = loader->source.bad;
    const struct stream *stream = loader->source.data->stream;
    size_t seen = (size_t)loader->tried;
    if (seen < CHECKED_FROM && loader->size - loader->taken >= 2)
        return 0;
    if (stream && bad_samples_check(bad, stream->broken, stream->whole + stream->broken, err) != 0)
        return -1;
    return bad_samples_check(bad, (size_t)loader->bad, seen, err);
}

int loader_next(struct batch *out, struct loader *loader, struct error *err)
{
    struct batch *batch = &loader->batch;
    int drawn = step_samples(loader, loader->size - loader->taken);
    empty_batch(batch);
    if (drawn < 2 || drawn < loader->source.share->ranks)
        return 0;
    for (; batch->drawn < drawn; batch->drawn++, loader->taken++) {
        if (draw_ahead(loader, err) != 0)
            return -1;
        struct sample *sample = &loader->ahead[loader->taken % loader->capacity];
        if (is_own(loader, loader->taken) && take_photo(loader, batch->count)) {
            batch->pairs[batch->count] = sample->pair;
            batch->texts[batch->count++] = sample->text;
            sample->text = NULL;
        }
        sample_free(sample);
    }
    *out = *batch;
    return check_bad(loader, err) == 0 && draw_ahead(loader, err) == 0 ? 1 : -1;
}

double loader_waited(const struct loader *loader)
{
    return loader->waited;
}

void loader_close(struct loader *loader)
{
    if (!loader)
        return;
    if (loader->prefetch)
        prefetch_close(loader->prefetch);
    empty_batch(&loader->batch);
    for (int i = 0; loader->ahead && i < loader->capacity; i++)
        sample_free(&loader->ahead[i]);
    free(loader->ahead);
    free(loader->pairs);
    free(loader->batch.pairs);
    free(loader->batch.texts);
    free(loader->batch.pixels);
    free(loader);
}
