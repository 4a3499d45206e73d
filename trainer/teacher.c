#include "trainer/teacher.h"

#include "trainer/batch_loss.h"

#include <math.h>

static bool sees_the_same(const struct preprocess *a, const struct preprocess *b)
{
    return a->resize == b->resize && a->fit == b->fit && a->crop == b->crop && a->upright == b->upright &&
           a->filter == b->filter;
}

/* The trained scale is kept as its logarithm; a teacher's never changes. */
static struct tensor *scale_of(const struct clip *clip)
{
    float scale;
    tensor_download(&scale, clip->logit_scale);
    scale = clip->raw_scale ? scale : fminf(expf(scale), 100);
    struct tensor *tensor = tensor_new(clip->dev, DTYPE_F32, 1, (int[]){1});
    tensor_upload(tensor, &scale);
    return tensor;
}

int teacher_open(struct teacher *teacher, const struct clip *pupil, const struct settings *settings, struct error *err)
{
    const char *folder = settings->distill_model;
    *teacher = (struct teacher){.weight = (float)settings->distill_weight};
    if (!folder)
        return 0;
    if (clip_open(&teacher->clip, pupil->dev, folder, 0, err) != 0)
        return -1;
    if (!teacher->clip->has_image || !teacher->clip->has_text)
        return error_set(err, EXIT_USAGE, "--distill-model %s: not a pair of an image and a text tower", folder);
    if (!sees_the_same(&teacher->clip->preprocess, &pupil->preprocess))
        return error_set(err, EXIT_USAGE,
                         "--distill-model %s sees other squares of photos (%d pixels a side) than the model (%d)",
                         folder, teacher->clip->preprocess.crop, pupil->preprocess.crop);
    teacher->scale = scale_of(teacher->clip);
    return 0;
}

void teacher_close(struct teacher *teacher)
{
    tensor_free(teacher->scale);
    clip_close(teacher->clip);
}

void teacher_look(struct contrastive *options, const struct teacher *teacher, struct tape *tape,
                  const struct batch *batch, int part)
{
    const struct clip *clip = teacher->clip;
    if (!clip)
        return;
    int count = batch->count;
    options->distillation = teacher->weight;
    options->teacher_scale = teacher->scale;
    options->teacher_image = TAPE_TENSOR(tape, DTYPE_F32, count, clip->embed_dim);
    options->teacher_text = TAPE_TENSOR(tape, DTYPE_F32, count, clip->embed_dim);
    struct tape *looking = tape_new(clip->dev, false);
    for (int first = 0; first < count; first += part) {
        struct batch_part here = {clip, batch, first, count - first < part ? count - first : part};
        size_t offset = (size_t)first * (size_t)clip->embed_dim * sizeof(float);
        struct tensor *image = clip_embed_images(looking, clip, batch_part_images(looking, &here, NULL));
        struct tensor *text = clip_embed_texts(looking, clip, batch_part_texts(looking, &here, NULL));
        buffer_copy(options->teacher_image->buffer, offset, image->buffer, 0, tensor_bytes(image));
        buffer_copy(options->teacher_text->buffer, offset, text->buffer, 0, tensor_bytes(text));
        tape_reset(looking);
    }
    tape_free(looking);
}
