/* One epoch of training steps. */
#include "models/encoder.h"
#include "models/images/prefetch.h"
#include "runtime/ops/adamw.h"
#include "trainer/trainer.h"

#include <stdlib.h>
#include <string.h>

/* The pairs of one step and what they become. */
struct batch {
    const struct pair *pairs; // [count]
    int count;
    int *kept; // [kept_count] indices into pairs whose photo could be read
    int kept_count;
};

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

/* Decodes the batch's photos; those that cannot be read leave the batch with their captions. */
static struct tensor *read_pictures(struct trainer *t, struct batch *batch, struct prefetch *prefetch)
{
    size_t bytes = preprocess_bytes(&t->clip->preprocess);
    int side = t->clip->preprocess.crop;
    unsigned char *pixels = mem_new((size_t)batch->count, bytes); // [count, side, side, 3]
    batch->kept_count = 0;
    for (int i = 0; i < batch->count; i++) {
        struct error err;
        if (prefetch_next(prefetch, pixels + (size_t)batch->kept_count * bytes, &err) == 0)
            batch->kept[batch->kept_count++] = i;
        else
            report_note(t, "%s; the pair is left out", err.text);
    }
    struct tensor *pictures = NULL;
    if (batch->kept_count >= 2)
        pictures = tape_upload(t->tape, DTYPE_U8, 4, (int[]){batch->kept_count, side, side, 3}, pixels);
    free(pixels);
    return pictures;
}

static struct tensor *image_features(struct trainer *t, struct batch *batch, struct prefetch *prefetch)
{
    if (!prefetch) {
        int *rows = mem_new((size_t)batch->count, sizeof *rows);
        for (int i = 0; i < batch->count; i++) {
            rows[i] = batch->pairs[i].photo;
            batch->kept[i] = i;
        }
        batch->kept_count = batch->count;
        struct tensor *features = gather(t, &t->images, rows, batch->count);
        free(rows);
        return features;
    }
    struct tensor *pictures = read_pictures(t, batch, prefetch);
    return pictures ? clip_image_features(t->tape, t->clip, pictures) : NULL;
}

static struct tensor *text_features(struct trainer *t, const struct batch *batch)
{
    int count = batch->kept_count;
    int *rows = mem_new((size_t)count, sizeof *rows);
    const char **texts = mem_new((size_t)count, sizeof *texts);
    for (int i = 0; i < count; i++) {
        rows[i] = batch->pairs[batch->kept[i]].text;
        texts[i] = t->data.texts.items[rows[i]];
    }
    struct tensor *features;
    if (t->texts.rows) {
        features = gather(t, &t->texts, rows, count);
    } else {
        struct packed_texts packed;
        texts_pack(&packed, t->clip, texts, count);
        features = clip_text_features(t->tape, t->clip, packed.ids, packed.lengths, count);
        texts_free(&packed);
    }
    free(rows);
    free(texts);
    return features;
}

static struct adamw optimizer_at(const struct trainer *t, int step, double factor)
{
    const struct settings *s = &t->settings;
    struct adamw adamw = {.beta1 = 0.9f,
                          .beta2 = (float)s->beta2,
                          .eps = (float)s->eps,
                          .max_norm = (float)s->grad_clip,
                          .step = step + 1};
    const double rates[] = {
        [GROUP_IMAGE] = s->lr_image, [GROUP_TEXT] = s->lr_text, [GROUP_HEAD] = s->lr_head, [GROUP_SCALE] = s->lr_head};
    for (int group = 0; group < 4; group++) {
        adamw.rates[group] = (float)(rates[group] * factor);
        adamw.weight_decay[group] = (float)(group == GROUP_HEAD ? s->wd : s->wd_towers);
    }
    return adamw;
}

/* Random numbers depend on (seed, step) alone, so that a resumed run draws what the first would have drawn. */
static void train_batch(struct trainer *t, struct batch *batch, struct prefetch *prefetch)
{
    double factor = schedule_factor(&t->schedule, t->position.step);
    tape_seed(t->tape, (uint64_t)t->settings.seed << 32 | (uint32_t)t->position.step);
    struct tensor *images = image_features(t, batch, prefetch);
    if (images) {
        struct tensor *loss = clip_loss(t->tape, t->clip, images, text_features(t, batch), NULL);
        struct adamw adamw = optimizer_at(t, t->position.step, factor);
        adamw_backward(t->tape, loss, t->clip->arena, &adamw);
        buffer_copy(t->losses->buffer, (size_t)t->unlogged * sizeof(float), loss->buffer, 0, sizeof(float));
        t->unlogged++;
    }
    tape_reset(t->tape);
    t->position.step++;
    t->position.pair += batch->count;
    report_step(t, t->settings.lr_head * factor);
}

static struct prefetch *open_prefetch(const struct trainer *t, const struct pair *pairs, int count, const char **paths)
{
    if (t->images.rows)
        return NULL;
    for (int i = 0; i < count; i++)
        paths[i] = t->data.photos.items[pairs[i].photo];
    return prefetch_open(&t->clip->preprocess, paths, (size_t)count, t->settings.workers);
}

int trainer_epoch(struct trainer *t, volatile const int *stop, struct error *err)
{
    int count, batch_size = t->settings.batch_size;
    struct pair *pairs = dataset_epoch(&t->data, &t->settings, t->position.epoch, &count);
    const struct pair *rest = pairs + t->position.pair;
    int left = count - t->position.pair;
    const char **paths = mem_new((size_t)left, sizeof *paths);
    struct prefetch *prefetch = open_prefetch(t, rest, left, paths);
    struct batch batch = {.kept = mem_new((size_t)batch_size, sizeof *batch.kept)};

    /* A last batch of one pair has no negative to learn from. */
    for (int done = 0; left - done >= 2 && !*stop && t->position.step < t->total_steps && !device_failed(t->dev);) {
        batch.pairs = rest + done;
        batch.count = left - done < batch_size ? left - done : batch_size;
        train_batch(t, &batch, prefetch);
        done += batch.count;
    }
    if (prefetch)
        prefetch_close(prefetch);
    free(batch.kept);
    free(paths);
    free(pairs);
    return device_finish(t->dev, err);
}
