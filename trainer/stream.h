/* Samples of tar shards in an order that the seed and the epoch decide, in memory that does not grow with their number.
 *
 *     struct stream stream;
 *     if (stream_open(&stream, "a/{000..012}.tar::b.tar", "1::2", seed, true, &err) != 0) return -1;
 *     stream_begin(&stream, epoch);
 *     struct stream_sample sample;
 *     while (stream_next(&sample, &stream, &bad, &err) == 0)
 *         ... sample.picture, sample.text; the caller frees both ...
 *     stream_close(&stream);
 *
 * The shards are shuffled, and samples within a buffer that grows to 5,000 (places of photos and texts, a megabyte or
 * two): open_clip's scheme. Shards begin anew when all are read; with factors they are drawn with replacement, those of
 * a source in proportion to its factor. What cannot be used goes to `bad`.
 */
#ifndef OCLIP_STREAM_H
#define OCLIP_STREAM_H

#include "models/files/shards.h"
#include "runtime/util/random.h"
#include "trainer/bad_samples.h"

struct stream_sample {
    char *picture, *text;
};

struct stream {
    struct string_list shards;
    double *weights; // [shards.count] summed up to each; NULL: each shard once a round
    int seed;
    bool shuffles;

    struct random random; /* of the epoch */
    int *order;           // [shards.count] of this round
    size_t next_shard;    /* index into order; shards.count: a round is over */
    bool reading;         /* a shard is open */
    struct shard_reader reader;
    struct stream_sample *buffer; // [buffered]
    size_t buffered;
    size_t fruitless;     /* shards since the last whole sample */
    size_t whole, broken; /* samples read since stream_begin that can be used, or not */
};

/* factors: NULL, or a number for each source, joined as the sources are. */
int stream_open(struct stream *stream, const char *sources, const char *factors, int seed, bool shuffles,
                struct error *err) MUST_CHECK;
void stream_begin(struct stream *stream, int epoch);

/* Never ends. Fails when no shard holds a whole sample. */
int stream_next(struct stream_sample *sample, struct stream *stream, struct bad_samples *bad,
                struct error *err) MUST_CHECK;
void stream_close(struct stream *stream);

/* The part of a text joined by "::" that begins at *at, which moves behind it; NULL behind the last. Caller frees. */
char *stream_next_source(const char **at);

#endif
