#include "trainer/batch_loss.h"

#include "models/encoder.h"
#include "trainer/trainer.h"

#include <stdlib.h>
#include <string.h>

struct tensor *batch_part_images(struct tape *tape, const void *context, struct tensor *none)
{
    (void)none;
    const struct batch_part *part = context;
    int side = part->clip->preprocess.crop;
    const unsigned char *pixels = part->batch->pixels + (size_t)part->first * preprocess_bytes(&part->clip->preprocess);
    return clip_image_features(tape, part->clip,
                               tape_upload(tape, DTYPE_U8, 4, (int[]){part->count, side, side, 3}, pixels));
}

struct tensor *batch_part_texts(struct tape *tape, const void *context, struct tensor *none)
{
    (void)none;
    const struct batch_part *part = context;
    struct packed_texts packed;
    texts_pack(&packed, part->clip, (const char *const *)part->batch->texts + part->first, part->count);
    struct tensor *features = clip_text_features(tape, part->clip, packed.ids, packed.lengths, part->count);
    texts_free(&packed);
    return features;
}

/* A tower over the whole batch. In parts, nothing but the features is kept: the backward pass runs each part again. */
static struct tensor *run_tower(struct tape *tape, tape_function *tower, const struct clip *clip,
                                const struct batch *batch, int part)
{
    if (batch->count <= part)
        return tower(tape, &(struct batch_part){clip, batch, 0, batch->count}, NULL);
    int parts = (batch->count + part - 1) / part;
    struct tensor **features = mem_new((size_t)parts, sizeof(struct tensor *)); // [parts]
    int scope = tape_scope(tape);
    for (int i = 0, first = 0; i < parts; i++, first += part) {
        int count = batch->count - first < part ? batch->count - first : part;
        struct batch_part call = {clip, batch, first, count};
        features[i] = tape_part(tape, tower, &call, sizeof call);
    }
    struct tensor *all = tape_leave(tape, scope, op_stack_rows(tape, features, parts));
    free(features);
    return all;
}

/* Rows of cached features.  [count, width] */
static struct tensor *gather(struct trainer *t, const struct features *features, const int *rows, int count)
{
    float *numbers = mem_new((size_t)count * features->width, sizeof *numbers); // [count, width]
    for (int i = 0; i < count; i++)
        memcpy(numbers + (size_t)i * features->width, features->rows + (size_t)rows[i] * features->width,
               features->width * sizeof *numbers);
    struct tensor *tensor = tape_upload(t->tape, DTYPE_F32, 2, (int[]){count, (int)features->width}, numbers);
    free(numbers);
    return tensor;
}

/* Pairs that the towers see at a time: of a whole step, the rank's in --accum-freq parts. */
static int part_size(const struct trainer *t)
{
    int parts = t->settings.accum_freq;
    return (t->share.pairs[t->ranks->rank] + parts - 1) / parts;
}

struct tensor *batch_loss(struct trainer *t, const struct batch *batch)
{
    int count = batch->count, part = part_size(t);
    int *photos = mem_new((size_t)count, sizeof *photos), *texts = mem_new((size_t)count, sizeof *texts); // [count]
    for (int i = 0; i < count; i++) {
        photos[i] = batch->pairs[i].photo;
        texts[i] = batch->pairs[i].text;
    }
    struct slice slice = slice_of(t->ranks, t->counts);
    int *all_photos = mem_new((size_t)slice.batch, sizeof *all_photos); // [slice.batch]
    slice_gather(&slice, all_photos, photos, sizeof *photos);
    struct tensor *image_features = t->images.rows ? gather(t, &t->images, photos, count)
                                                   : run_tower(t->tape, batch_part_images, t->clip, batch, part);
    struct tensor *text_features =
        t->texts.rows ? gather(t, &t->texts, texts, count) : run_tower(t->tape, batch_part_texts, t->clip, batch, part);
    struct contrastive options = {.slice = &slice,
                                  .photos = t->settings.same_photo_negatives ? NULL : all_photos,
                                  .smoothing = (float)t->settings.label_smoothing,
                                  .hardness = (float)t->settings.hard_negatives};
    teacher_look(&options, &t->teacher, t->tape, batch, part);
    struct tensor *loss = clip_loss(t->tape, t->clip, image_features, text_features, &options);
    free(all_photos);
    free(photos);
    free(texts);
    return loss;
}
