/* From paths and texts to vectors, in batches, with decoding threads ahead of the device.
 *
 *     struct encode_options options = {.stage = ENCODE_EMBEDDINGS, .batch_size = 32, .label = "indexing"};
 *     float *rows = mem_new(n * encode_width(clip, ENCODE_IMAGES, options.stage), sizeof *rows);
 *     if (encode_images(rows, bad, clip, paths, n, &options, &err) != 0) ...   // bad[i]: photo i could not be read
 *     if (encode_texts(rows, clip, texts, n, &options, &err) != 0) ...
 */
#ifndef OCLIP_ENCODER_H
#define OCLIP_ENCODER_H

#include "models/clip.h"

enum encode_side { ENCODE_IMAGES, ENCODE_TEXTS };
enum encode_stage {
    ENCODE_FEATURES,   /* the bare tower's output, as it is */
    ENCODE_EMBEDDINGS, /* behind the head, L2-normalised */
};

struct encode_options {
    enum encode_stage stage;
    int batch_size;              /* 0: 32 pictures, 64 texts */
    int workers;                 /* decoding threads; 0: as many as processors */
    bool quiet;                  /* no progress bar */
    const char *label;           /* of the progress bar */
    struct picture_facts *facts; // [n]: encode_images fills it, unless NULL
};

int encode_width(const struct clip *clip, enum encode_side side, enum encode_stage stage);

/* rows [n, width]. A photo that cannot be read is reported on stderr, its row is NaN and bad[i] is set (bad may be
 * NULL); the call still succeeds. */
int encode_images(float *rows, bool *bad, const struct clip *clip, const char *const *paths, size_t n,
                  const struct encode_options *options, struct error *err) MUST_CHECK;

/* The same for squares that were made before (models/images/preprocess.h). pixels [n, crop, crop, 3] */
int encode_pixels(float *rows, const struct clip *clip, const unsigned char *pixels, size_t n,
                  const struct encode_options *options, struct error *err) MUST_CHECK;

int encode_texts(float *rows, const struct clip *clip, const char *const *texts, size_t n,
                 const struct encode_options *options, struct error *err) MUST_CHECK;

/* A batch of texts as packed ids: the caller frees both. */
struct packed_texts {
    int *ids;     // [total]
    int *lengths; // [count]
    int count, total;
};
void texts_pack(struct packed_texts *packed, const struct clip *clip, const char *const *texts, int count);
void texts_free(struct packed_texts *packed);

#endif
