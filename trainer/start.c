/* Where new heads begin: over cached features of both towers at the maps under which pairs of the training photos
 * resemble each other most, the same on all ranks; else at random. */
#include "trainer/canonical.h"
#include "trainer/trainer.h"

#include <stdlib.h>

/* The first layer is the map; the second adds nothing yet. weights [out, in] */
static void begin_at(struct trainer *t, const struct head *head, const char *name, const float *weights)
{
    float *zeros = mem_new((size_t)head->out * (size_t)head->out, sizeof *zeros); // [out, out]
    const struct {
        const char *part;
        const float *numbers;
    } parts[] = {{"fc1.weight", weights}, {"fc1.bias", zeros}, {"fc2.weight", zeros}, {"fc2.bias", zeros}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        char *path = mem_format("%s.%s", name, parts[i].part);
        arena_upload(t->clip->arena, arena_find(t->clip->arena, path), parts[i].numbers);
        free(path);
    }
    free(zeros);
}

void trainer_start_heads(struct trainer *t)
{
    const struct head *image = &t->clip->image_head, *text = &t->clip->text_head;
    bool found = false;
    if (!t->images.mean || !t->texts.mean || settings_saved_model(&t->settings))
        return;
    size_t images = (size_t)image->out * t->images.width, texts = (size_t)text->out * t->texts.width, count;
    float *weights = mem_new(images + texts, sizeof *weights); // [out, in] of either head
    bool goes_on = t->settings.resume && trainer_is_saved(t);  /* the checkpoint has what heads were and became */
    if (t->ranks->rank == 0 && !goes_on) {
        int *photos = dataset_train_pairs(&t->data, &count);
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
}
