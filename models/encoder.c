#include "models/encoder.h"

#include "models/images/prefetch.h"
#include "runtime/util/progress.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int encode_width(const struct clip *clip, enum encode_side side, enum encode_stage stage)
{
    if (stage == ENCODE_EMBEDDINGS)
        return clip->embed_dim;
    return side == ENCODE_IMAGES ? clip->image.features : clip->text.features;
}

static struct tensor *image_batch(struct tape *tape, const struct clip *clip, const unsigned char *pixels, int count,
                                  enum encode_stage stage)
{
    int side = clip->preprocess.crop;
    struct tensor *pictures = tape_upload(tape, DTYPE_U8, 4, (int[]){count, side, side, 3}, pixels);
    struct tensor *features = clip_image_features(tape, clip, pictures);
    return stage == ENCODE_FEATURES ? features : clip_embed_images(tape, clip, features);
}

/* Photos that are decoded ahead. */
struct photo_queue {
    struct prefetch *prefetch;
    const char *const *paths;    // [count]
    struct picture_facts *facts; // [count]; may be NULL
    size_t added, count;
};

static void fill_queue(struct photo_queue *queue)
{
    for (; queue->added < queue->count && prefetch_has_room(queue->prefetch); queue->added++)
        prefetch_add_facts(queue->prefetch, queue->facts ? &queue->facts[queue->added] : NULL,
                           queue->paths[queue->added]);
}

/* Fills `pixels` with the next photos; those that cannot be read leave zeros and are marked. */
static void read_batch(unsigned char *pixels, bool *bad, struct photo_queue *queue, size_t bytes, int count)
{
    for (int i = 0; i < count; i++) {
        struct error err;
        fill_queue(queue);
        bad[i] = prefetch_next(queue->prefetch, pixels + (size_t)i * bytes, &err) != 0;
        if (bad[i]) {
            error_warn(&err);
            memset(pixels + (size_t)i * bytes, 0, bytes);
        }
    }
    fill_queue(queue);
}

int encode_images(float *rows, bool *bad, const struct clip *clip, const char *const *paths, size_t n,
                  const struct encode_options *options, struct error *err)
{
    size_t batch_size = options->batch_size ? (size_t)options->batch_size : 32;
    size_t bytes = preprocess_bytes(&clip->preprocess),
           width = (size_t)encode_width(clip, ENCODE_IMAGES, options->stage);
    unsigned char *pixels = mem_new(batch_size, bytes); // [batch_size, crop, crop, 3]
    bool *unreadable = mem_new(n, sizeof *unreadable);  // [n]
    struct photo_queue queue = {
        .prefetch = prefetch_open(&clip->preprocess, NULL, batch_size < n ? batch_size : n, options->workers),
        .paths = paths,
        .facts = options->facts,
        .count = n};
    struct progress bar = progress_begin(options->label, (long)n, "photos", options->quiet);
    struct tape *tape = tape_new(clip->dev, false);

    for (size_t done = 0; done < n && !device_failed(clip->dev);) {
        int count = (int)(n - done < batch_size ? n - done : batch_size);
        read_batch(pixels, unreadable + done, &queue, bytes, count);
        tensor_download(rows + done * width, image_batch(tape, clip, pixels, count, options->stage));
        tape_reset(tape);
        done += (size_t)count;
        progress_step(&bar, (long)done, "%s", "");
    }
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; unreadable[i] && j < width; j++)
            rows[i * width + j] = NAN;
    if (bad && n)
        memcpy(bad, unreadable, n * sizeof *bad);

    tape_free(tape);
    progress_end(&bar);
    prefetch_close(queue.prefetch);
    free(unreadable);
    free(pixels);
    return device_finish(clip->dev, err);
}

int encode_pixels(float *rows, const struct clip *clip, const unsigned char *pixels, size_t n,
                  const struct encode_options *options, struct error *err)
{
    size_t batch_size = options->batch_size ? (size_t)options->batch_size : 32;
    size_t bytes = preprocess_bytes(&clip->preprocess),
           width = (size_t)encode_width(clip, ENCODE_IMAGES, options->stage);
    struct tape *tape = tape_new(clip->dev, false);
    for (size_t done = 0; done < n && !device_failed(clip->dev);) {
        size_t count = n - done < batch_size ? n - done : batch_size;
        tensor_download(rows + done * width,
                        image_batch(tape, clip, pixels + done * bytes, (int)count, options->stage));
        tape_reset(tape);
        done += count;
    }
    tape_free(tape);
    return device_finish(clip->dev, err);
}

/* SigLIP sees a fixed number of tokens: texts are filled up. The tokenizer knows best with what. */
static int fill_up(int *ids, int length, const struct clip *clip)
{
    const struct text_config *config = &clip->text.config;
    int pad = tokenizer_pad_id(clip->tokenizer);
    while (length < config->padded)
        ids[length++] = pad >= 0 ? pad : config->padding;
    return length;
}

void texts_pack(struct packed_texts *packed, const struct clip *clip, const char *const *texts, int count)
{
    *packed = (struct packed_texts){.lengths = mem_new((size_t)count, sizeof(int)), .count = count};
    int limit = clip->max_tokens, padded = clip->text.config.padded, longest = limit > padded ? limit : padded;
    int capacity = 0;
    for (int i = 0; i < count; i++) {
        if (packed->total + longest > capacity) {
            capacity = 2 * capacity + longest;
            packed->ids = mem_grow(packed->ids, (size_t)capacity, sizeof *packed->ids);
        }
        int *ids = packed->ids + packed->total; // [longest]
        packed->lengths[i] = fill_up(ids, tokenizer_encode(clip->tokenizer, ids, limit, texts[i]), clip);
        packed->total += packed->lengths[i];
    }
}

void texts_free(struct packed_texts *packed)
{
    free(packed->ids);
    free(packed->lengths);
    *packed = (struct packed_texts){0};
}

int encode_texts(float *rows, const struct clip *clip, const char *const *texts, size_t n,
                 const struct encode_options *options, struct error *err)
{
    size_t batch_size = options->batch_size ? (size_t)options->batch_size : 64;
    size_t width = (size_t)encode_width(clip, ENCODE_TEXTS, options->stage);
    struct progress bar = progress_begin(options->label, (long)n, "texts", options->quiet);
    struct tape *tape = tape_new(clip->dev, false);
    for (size_t done = 0; done < n && !device_failed(clip->dev);) {
        int count = (int)(n - done < batch_size ? n - done : batch_size);
        struct packed_texts packed;
        texts_pack(&packed, clip, texts + done, count);
        struct tensor *y = clip_text_features(tape, clip, packed.ids, packed.lengths, count);
        if (options->stage == ENCODE_EMBEDDINGS)
            y = clip_embed_texts(tape, clip, y);
        tensor_download(rows + done * width, y);
        tape_reset(tape);
        texts_free(&packed);
        done += (size_t)count;
        progress_step(&bar, (long)done, "%s", "");
    }
    tape_free(tape);
    progress_end(&bar);
    return device_finish(clip->dev, err);
}
