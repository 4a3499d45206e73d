/* Webdataset: samples in tar files, each a photo and a text side by side under one name.
 *
 *     struct string_list shards = {0};
 *     if (shards_list(&shards, "a/{000..012}.tar", &err) != 0) return -1;      // or a folder, or one file
 *     struct shard_reader reader = {0};
 *     struct shard_sample sample;
 *     if (shard_open(&reader, shards.items[0], &err) != 0) return -1;
 *     while ((found = shard_next(&sample, &reader, &err)) > 0)
 *         ... sample.fault ? sample.fault : sample.text ...                     // the reader's, until the next call
 *     shard_close(&reader);
 *
 * A sample's name is the member's up to the first dot behind the last slash; the rest says what the member is: txt the
 * caption, jpg, png and so on the photo; others are passed over. The members of a sample stand side by side. Memory
 * does not grow with the shards: only the photo's place is kept, its bytes are read by who decodes it.
 */
#ifndef OCLIP_SHARDS_H
#define OCLIP_SHARDS_H

#include "models/files/tar.h"
#include "runtime/util/names.h"

struct shard_sample {
    char *key;     /* "shards/000.tar:0001" */
    char *picture; /* for picture_decode */
    char *text;
    char *fault; /* what the sample lacks, and where it may be; NULL: it is whole */
};

/* Samples of which only a half was seen: the other half may come, apart from it. */
struct shard_halves {
    struct names keys;
    struct string_list places; // [keys.list.count] "its caption is in shards/000.tar at byte 512"
};

struct shard_reader {
    struct tar tar;
    struct tar_member member; /* the first of the next sample, where there is one */
    char *key;                /* of that; NULL: there is none */
    struct shard_sample sample;
    struct shard_halves halves; /* over all shards that this reader has opened */
    struct error broken;        /* why there is no more, where is_broken */
    bool is_broken;
};

/* `pattern`: a file, a folder (all .tar in it), or names with braces as a shell's: {000..012}, {a,b}. Each file must be
 * there. */
int shards_list(struct string_list *shards, const char *pattern, struct error *err) MUST_CHECK;

/* The next shard, after the one before came to its end or broke. */
int shard_open(struct shard_reader *reader, const char *path, struct error *err) MUST_CHECK;
/* 1: a sample; 0: the end; -1: the archive is broken, and the samples from there on are lost. */
int shard_next(struct shard_sample *sample, struct shard_reader *reader, struct error *err) MUST_CHECK;
void shard_close(struct shard_reader *reader);

#endif
