/* Validation loss and recall, over the photos held out. */
#include "models/encoder.h"
#include "trainer/examples.h"
#include "trainer/trainer.h"

#include <stdlib.h>
#include <string.h>

/* Features of the validation photos and of all their captions. */
struct val_set {
    int photos, texts;
    float *image_rows, *text_rows;  // [photos, image.features], [texts, text.features]
    int *photo_of, *first_text;     // [texts], [photos]
    const char **names, **captions; // [photos], [texts]: of the data set
};

static void val_set_free(struct val_set *val)
{
    free(val->image_rows);
    free(val->text_rows);
    free(val->photo_of);
    free(val->first_text);
    free(val->names);
    free(val->captions);
}

static int image_rows(struct trainer *t, struct val_set *val, struct error *err)
{
    size_t width = (size_t)t->clip->image.features;
    val->image_rows = mem_new((size_t)val->photos * width, sizeof(float));
    if (t->images.rows) {
        for (int i = 0; i < val->photos; i++)
            memcpy(val->image_rows + (size_t)i * width, t->images.rows + (size_t)t->data.val.photos[i] * width,
                   width * sizeof(float));
        return 0;
    }
    struct encode_options options = {
        .workers = t->settings.workers, .quiet = t->settings.quiet, .label = "validation photos"};
    bool *bad = mem_new((size_t)val->photos, sizeof *bad);
    int result = encode_images(val->image_rows, bad, t->clip, val->names, (size_t)val->photos, &options, err);
    for (int i = 0; i < val->photos; i++)
        if (bad[i]) {
            bad_samples_add_photo(&t->bad, &t->clip->preprocess, val->names[i]);
            memset(val->image_rows + (size_t)i * width, 0, width * sizeof(float));
        }
    free(bad);
    return result;
}

static int text_rows(struct trainer *t, struct val_set *val, const int *texts, struct error *err)
{
    size_t width = (size_t)t->clip->text.features;
    val->text_rows = mem_new((size_t)val->texts * width, sizeof(float));
    if (t->texts.rows) {
        for (int i = 0; i < val->texts; i++)
            memcpy(val->text_rows + (size_t)i * width, t->texts.rows + (size_t)texts[i] * width, width * sizeof(float));
        return 0;
    }
    struct encode_options options = {.quiet = t->settings.quiet, .label = "validation captions"};
    return encode_texts(val->text_rows, t->clip, val->captions, (size_t)val->texts, &options, err);
}

static int val_set_new(struct trainer *t, struct val_set *val, struct error *err)
{
    const int *first = t->data.first_text;
    *val = (struct val_set){.photos = t->data.val.photo_count};
    for (int i = 0; i < val->photos; i++)
        val->texts += first[t->data.val.photos[i] + 1] - first[t->data.val.photos[i]];
    int *texts = mem_new((size_t)val->texts, sizeof *texts), filled = 0;
    val->photo_of = mem_new((size_t)val->texts, sizeof(int));
    val->first_text = mem_new((size_t)val->photos, sizeof(int));
    val->names = mem_new((size_t)val->photos, sizeof *val->names);
    val->captions = mem_new((size_t)val->texts, sizeof *val->captions);
    for (int i = 0; i < val->photos; i++) {
        int photo = t->data.val.photos[i];
        val->names[i] = t->data.photos.items[photo];
        val->first_text[i] = filled;
        for (int text = first[photo]; text < first[photo + 1]; text++) {
            texts[filled] = text;
            val->captions[filled] = t->data.texts.items[text];
            val->photo_of[filled++] = i;
        }
    }
    int result = image_rows(t, val, err);
    if (result == 0)
        result = text_rows(t, val, texts, err);
    free(texts);
    return result;
}

/* Features [count, width] through a head, in batches -> [count, embed_dim] */
static float *embed(struct trainer *t, const float *rows, int count, int width,
                    struct tensor *(*embed_batch)(struct tape *, const struct clip *, struct tensor *))
{
    enum { BATCH = 512 };
    size_t dim = (size_t)t->clip->embed_dim;
    float *embeddings = mem_new((size_t)count * dim, sizeof *embeddings);
    struct tape *tape = tape_new(t->dev, false);
    for (int done = 0; done < count; done += BATCH) {
        int n = count - done < BATCH ? count - done : BATCH;
        struct tensor *features =
            tape_upload(tape, DTYPE_F32, 2, (int[]){n, width}, rows + (size_t)done * (size_t)width);
        tensor_download(embeddings + (size_t)done * dim, embed_batch(tape, t->clip, features));
        tape_reset(tape);
    }
    tape_free(tape);
    return embeddings;
}

/* The mean over batches of the loss of each photo with its first caption. */
static double validation_loss(struct trainer *t, const struct val_set *val)
{
    int widths[] = {t->clip->image.features, t->clip->text.features}, batches = 0;
    double sum = 0;
    struct tape *tape = tape_new(t->dev, false);
    float *texts = mem_new((size_t)val->photos * (size_t)widths[1], sizeof *texts); // [photos, width]
    for (int i = 0; i < val->photos; i++)
        memcpy(texts + (size_t)i * (size_t)widths[1], val->text_rows + (size_t)val->first_text[i] * (size_t)widths[1],
               (size_t)widths[1] * sizeof *texts);
    int batch_size = settings_step_pairs(&t->settings);
    for (int done = 0; val->photos - done >= 2; done += batch_size) {
        int n = val->photos - done < batch_size ? val->photos - done : batch_size;
        struct tensor *image =
            tape_upload(tape, DTYPE_F32, 2, (int[]){n, widths[0]}, val->image_rows + (size_t)done * (size_t)widths[0]);
        struct tensor *text =
            tape_upload(tape, DTYPE_F32, 2, (int[]){n, widths[1]}, texts + (size_t)done * (size_t)widths[1]);
        float loss;
        tensor_download(&loss, clip_loss(tape, t->clip, image, text, NULL));
        tape_reset(tape);
        sum += (double)loss;
        batches++;
    }
    tape_free(tape);
    free(texts);
    return batches ? sum / batches : 0;
}

static json_t *find_examples(const struct val_set *val, const float *images, const float *texts, int dim)
{
    return examples_find(&(struct examples_of){.images = images,
                                               .texts = texts,
                                               .photo_of = val->photo_of,
                                               .first_text = val->first_text,
                                               .photo_names = val->names,
                                               .captions = val->captions,
                                               .photos = val->photos,
                                               .caption_count = val->texts,
                                               .dim = dim});
}

static int evaluate(struct trainer *t, struct evaluation *evaluation, struct error *err)
{
    struct val_set val;
    *evaluation = (struct evaluation){0};
    int result = val_set_new(t, &val, err);
    if (result == 0 && val.photos > 0) {
        float *images = embed(t, val.image_rows, val.photos, t->clip->image.features, clip_embed_images);
        float *texts = embed(t, val.text_rows, val.texts, t->clip->text.features, clip_embed_texts);
        evaluation->loss = validation_loss(t, &val);
        result = device_finish(t->dev, err);
        if (result == 0) {
            recall_measure(&evaluation->recall, images, texts, val.photo_of, (size_t)val.photos, (size_t)val.texts,
                           (size_t)t->clip->embed_dim);
            evaluation->examples = find_examples(&val, images, texts, t->clip->embed_dim);
        }
        for (int k = 0; k < 3; k++)
            evaluation->mean_recall += (evaluation->recall.image_to_text[k] + evaluation->recall.text_to_image[k]) / 6;
        free(images);
        free(texts);
    }
    val_set_free(&val);
    return result;
}

int trainer_evaluate(struct trainer *t, struct evaluation *evaluation, struct error *err)
{
    arena_swap_average(t->clip->arena);
    int result = evaluate(t, evaluation, err);
    if (result == 0)
        trainer_keep_best(t, evaluation);
    arena_swap_average(t->clip->arena);
    return result;
}
