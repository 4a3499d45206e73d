/* Photos and captions, split by photo into training and validation.
 *
 *     struct dataset data;
 *     if (dataset_open(&data, &settings, &bad, &err) != 0) return -1;
 *     data.photos.items[p = data.train.photos[0]]                           // a path
 *     data.texts.items[data.first_text[p] ... data.first_text[p + 1] - 1]   // its captions
 *
 * Photos that are missing are reported and left out together with their captions; no other photo shifts. Of shards with
 * --train-num-samples only the validation set is read at the start, and training samples come from `stream`.
 */
#ifndef OCLIP_DATASET_H
#define OCLIP_DATASET_H

#include "models/files/captions.h"
#include "trainer/settings.h"
#include "trainer/stream.h"

/* A set of photos with all their captions. */
struct part {
    int *photos; // [photo_count] indices into dataset.photos; NULL: they are streamed
    int photo_count;
};

struct dataset {
    struct string_list photos; /* paths */
    struct string_list texts;  /* of a stream also the first ones of training, before all others */
    int *first_text;           // [photos.count + 1]: photo p's captions are texts first_text[p] to first_text[p + 1]
    struct part train, val;
    struct stream *stream; /* NULL: all is in memory */
};

int dataset_open(struct dataset *data, const struct settings *settings, struct bad_samples *bad,
                 struct error *err) MUST_CHECK;
void dataset_free(struct dataset *data);

/* Leaves photos out that turned out unreadable; bad [photos.count]. */
void dataset_drop(struct dataset *data, const bool *bad);

/* A photo and one of its captions. */
struct pair {
    int photo, text;
};

/* Every photo to train on with each of its texts: two lists behind each other, of indices into photos and into texts.
 * Not of a stream. The caller frees. [2, *count] */
int *dataset_train_pairs(const struct dataset *data, size_t *count);

/* How many pairs an epoch has. */
int dataset_epoch_size(const struct dataset *data, const struct settings *settings);

/* The pairs of epoch `epoch`, shuffled by (seed, epoch) alone, so that any epoch can be made again. Caller frees.
 * [dataset_epoch_size()] */
struct pair *dataset_epoch(const struct dataset *data, const struct settings *settings, int epoch);

#endif
