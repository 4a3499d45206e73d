/* Where new heads begin: over cached features of both towers at the maps under which pairs of the training photos
 * resemble each other most, the same on all ranks; else at random. */
#include "trainer/canonical.h"
#include "trainer/trainer.h"

#include <stdlib.h>
#include <string.h>

/* The photo and the text of every pair to train on, as two lists behind each other; the caller frees. [2, *count] */
static int *list_pairs(const struct dataset *data, size_t *count)
{
    *count = 0;
    for (int i = 0; i < data->train.photo_count; i++)
        *count += (size_t)(data->first_text[data->train.photos[i] + 1] - data->first_text[data->train.photos[i]]);
    int *photos = mem_new(2 * *count, sizeof *photos), *texts = photos + *count;
    size_t pair = 0;
    for (int i = 0; i < data->train.photo_count; i++) {
        int photo = data->train.photos[i];
        for (int text = data->first_text[photo]; text < data->first_text[photo + 1]; text++, pair++) {
            photos[pair] = photo;
            texts[pair] = text;
        }
    }
    return photos;
}

static void upload(struct trainer *t, const char *name, const float *numbers)
{
    arena_upload(t->clip->arena, arena_find(t->clip->arena, name), numbers);
}

/* The first layer is the map; the second adds nothing yet. weights [out, in] */
static void begin_at(struct trainer *t, const struct head *head, const char *name, const float *weights)
{
    static const struct {
        const char *part;
        bool squared; /* [out, out], else [out] */
    } zero[] = {{"fc1.bias", false}, {"fc2.weight", true}, {"fc2.bias", false}};
    size_t out = (size_t)head->out;
    float *zeros = mem_new(out * out, sizeof *zeros); // [out, out]
    char *path = mem_format("%s.fc1.weight", name);
    memset(zeros, 0, out * out * sizeof *zeros);
    upload(t, path, weights);
    free(path);
    for (size_t i = 0; i < sizeof zero / sizeof *zero; i++) {
        path = mem_format("%s.%s", name, zero[i].part);
        upload(t, path, zeros);
        free(path);
    }
    free(zeros);
}

int trainer_start_heads(struct trainer *t, struct error *err)
{
    const struct head *image = &t->clip->image_head, *text = &t->clip->text_head;
    bool found = false, saved = t->settings.model && !settings_is_tiny(&t->settings);
    (void)err;
    if (!t->images.mean || !t->texts.mean || saved)
        return 0;
    size_t images = (size_t)image->out * t->images.width, texts = (size_t)text->out * t->texts.width, count;
    float *weights = mem_new(images + texts, sizeof *weights); // [out, in] of either head
    if (t->ranks->rank == 0) {
        int *photos = list_pairs(&t->data, &count);
        struct canonical_side sides[2] = {{&t->images, photos, weights}, {&t->texts, photos + count, weights + images}};
        found = canonical_find(t->dev, &sides[0], &sides[1], count, image->out);
        free(photos);
    }
    ranks_tell(t->ranks, &found, sizeof found);
    ranks_tell(t->ranks, weights, (images + texts) * sizeof *weights);
    if (found) {
        begin_at(t, image, "image_head", weights);
        begin_at(t, text, "text_head", weights + images);
    }
    free(weights);
    return 0;
}
