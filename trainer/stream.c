#include "trainer/stream.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BUFFER_FIRST = 1000, BUFFER_FULL = 5000 };

/* ---- sources and their factors ---- */

char *stream_next_source(const char **at)
{
    if (!*at)
        return NULL;
    const char *end = strstr(*at, "::");
    char *part = end ? mem_format("%.*s", (int)(end - *at), *at) : mem_format("%s", *at);
    *at = end ? end + 2 : NULL;
    return part;
}

static int next_factor(double *factor, const char **at, const char *factors, struct error *err)
{
    char *part = stream_next_source(at), *end = part;
    *factor = part ? strtod(part, &end) : -1;
    bool right = part && end != part && !*end && isfinite(*factor) && *factor > 0;
    free(part);
    return right ? 0
                 : error_set(
                       err, EXIT_USAGE,
                       "--train-data-upsampling-factors %s: a number above 0 for each source, joined by ::", factors);
}

static int list_shards(struct stream *stream, const char *sources, const char *factors, struct error *err)
{
    int result = 0;
    double sum = 0, factor = 1;
    const char *factors_at = factors;
    for (char *part; result == 0 && (part = stream_next_source(&sources)); free(part)) {
        size_t before = stream->shards.count;
        result = factors ? next_factor(&factor, &factors_at, factors, err) : 0;
        if (result == 0)
            result = shards_list(&stream->shards, part, err);
        stream->weights = mem_grow(stream->weights, stream->shards.count + 1, sizeof *stream->weights);
        for (size_t i = before; i < stream->shards.count; i++)
            stream->weights[i] = sum += factor;
    }
    if (result == 0 && factors_at)
        result = error_set(err, EXIT_USAGE, "--train-data-upsampling-factors %s: more factors than sources", factors);
    if (!factors) {
        free(stream->weights);
        stream->weights = NULL;
    }
    return result;
}

int stream_open(struct stream *stream, const char *sources, const char *factors, int seed, bool shuffles,
                struct error *err)
{
    *stream = (struct stream){.seed = seed, .shuffles = shuffles};
    if (list_shards(stream, sources, factors, err) != 0) {
        stream_close(stream);
        return -1;
    }
    stream->order = mem_new(stream->shards.count, sizeof *stream->order);
    stream->buffer = mem_new(BUFFER_FULL, sizeof *stream->buffer);
    stream_begin(stream, 0);
    return 0;
}

/* ---- shards in their order ---- */

static size_t draw_shard(struct stream *stream)
{
    double total = stream->weights[stream->shards.count - 1], at = random_uniform(&stream->random) * total;
    size_t shard = 0;
    while (shard + 1 < stream->shards.count && stream->weights[shard] <= at)
        shard++;
    return shard;
}

static size_t choose_shard(struct stream *stream)
{
    size_t count = stream->shards.count;
    if (stream->weights)
        return draw_shard(stream);
    if (stream->next_shard == count) {
        for (size_t i = 0; i < count; i++)
            stream->order[i] = (int)i;
        if (stream->shuffles)
            random_shuffle(&stream->random, stream->order, count);
        stream->next_shard = 0;
    }
    return (size_t)stream->order[stream->next_shard++];
}

static void add_broken(struct stream *stream, struct bad_samples *bad, const char *text)
{
    bad_samples_add(bad, text);
    stream->broken++;
}

/* Opens the next shard; a broken one may be followed by others. */
static int open_shard(struct stream *stream, struct bad_samples *bad, struct error *err)
{
    size_t count = stream->shards.count, limit = stream->weights ? 10 * count : count;
    if (stream->fruitless++ == limit) {
        size_t known = bad->known.list.count;
        return error_set(err, EXIT_BAD_DATA, "%s: none of the %zu shards holds a whole sample%s%s",
                         stream->shards.items[0], count, known ? "; the last: " : "",
                         known ? bad->known.list.items[known - 1] : "");
    }
    stream->reading = shard_open(&stream->reader, stream->shards.items[choose_shard(stream)], err) == 0;
    if (!stream->reading)
        add_broken(stream, bad, err->text);
    return 0;
}

/* The next whole sample as the shards hold them. */
static int read_sample(struct stream_sample *out, struct stream *stream, struct bad_samples *bad, struct error *err)
{
    struct shard_sample sample;
    for (;;) {
        int found = stream->reading ? shard_next(&sample, &stream->reader, err) : 0;
        if (found > 0 && !sample.fault) {
            *out = (struct stream_sample){mem_format("%s", sample.picture), mem_format("%s", sample.text)};
            stream->fruitless = 0;
            stream->whole++;
            return 0;
        }
        if (found > 0) {
            char *text = mem_format("%s: %s", sample.key, sample.fault);
            add_broken(stream, bad, text);
            free(text);
            continue;
        }
        if (found < 0)
            add_broken(stream, bad, err->text);
        if (open_shard(stream, bad, err) != 0)
            return -1;
    }
}

/* ---- samples ---- */

static void drop_buffer(struct stream *stream)
{
    for (size_t i = 0; i < stream->buffered; i++) {
        free(stream->buffer[i].picture);
        free(stream->buffer[i].text);
    }
    stream->buffered = 0;
}

void stream_begin(struct stream *stream, int epoch)
{
    drop_buffer(stream);
    shard_close(&stream->reader);
    stream->reading = false;
    stream->next_shard = stream->shards.count;
    stream->fruitless = stream->whole = stream->broken = 0;
    stream->random = random_begin((uint64_t)stream->seed * UINT64_C(0x100000001) + (uint64_t)epoch);
}

/* Each sample that is taken makes room for two, until the buffer is full. */
int stream_next(struct stream_sample *sample, struct stream *stream, struct bad_samples *bad, struct error *err)
{
    if (!stream->shuffles)
        return read_sample(sample, stream, bad, err);
    size_t wanted = stream->buffered < BUFFER_FIRST - 1 ? BUFFER_FIRST : stream->buffered + 2;
    wanted = wanted < BUFFER_FULL ? wanted : BUFFER_FULL;
    for (; stream->buffered < wanted; stream->buffered++)
        if (read_sample(&stream->buffer[stream->buffered], stream, bad, err) != 0)
            return -1;
    size_t chosen = random_below(&stream->random, stream->buffered);
    *sample = stream->buffer[chosen];
    stream->buffer[chosen] = stream->buffer[--stream->buffered];
    return 0;
}

void stream_close(struct stream *stream)
{
    drop_buffer(stream);
    shard_close(&stream->reader);
    string_list_free(&stream->shards);
    free(stream->weights);
    free(stream->order);
    free(stream->buffer);
    *stream = (struct stream){0};
}
