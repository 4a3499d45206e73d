/* A whole small dual encoder: ten training steps against PyTorch, the gradient of the loss along directions, saving
 * and opening, equal runs, and what a step asks of the device. The golden comes from goldens/make_training.py. */
#include "runtime/ops/adamw.h"
#include "tests/golden.h"
#include "tests/op_check.h"
#include "tests/scratch.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 10, ALL_GROUPS = 1u << GROUP_IMAGE | 1u << GROUP_TEXT | 1u << GROUP_HEAD | 1u << GROUP_SCALE };

/* The optimiser of make_training.py. */
static const struct adamw optimizer = {
    .beta1 = 0.9f,
    .beta2 = 0.98f,
    .eps = 1e-6f,
    .max_norm = 1,
    .rates = {[GROUP_IMAGE] = 1e-3f, [GROUP_TEXT] = 5e-4f, [GROUP_HEAD] = 2e-3f, [GROUP_SCALE] = 1e-2f},
    .weight_decay = {[GROUP_IMAGE] = 0.1f, [GROUP_TEXT] = 0.2f, [GROUP_HEAD] = 0.3f, [GROUP_SCALE] = 0.4f},
};

static struct clip *open_model(struct device *dev, const char *folder)
{
    struct error err;
    struct clip *clip;
    CHECK(clip_open(&clip, dev, folder, ALL_GROUPS, &err) == 0, "%s", err.text);
    return clip;
}

static struct tensor *forward(struct tape *tape, const struct clip *clip, const struct golden *golden)
{
    struct tensor *images = golden_images(tape, clip, golden);
    return clip_loss(tape, clip, images, golden_texts(tape, clip, golden), NULL);
}

static float loss_of(const struct clip *clip, const struct golden *golden)
{
    float loss;
    struct tape *tape = tape_new(clip->dev, false);
    tensor_download(&loss, forward(tape, clip, golden));
    tape_free(tape);
    return loss;
}

/* One step; returns the loss before it. */
static float train_step(struct tape *tape, const struct clip *clip, const struct golden *golden, int step)
{
    float loss;
    struct adamw settings = optimizer;
    settings.step = step;
    struct tensor *total = forward(tape, clip, golden);
    tape_backward(tape, total);
    adamw_step(clip->arena, &settings);
    tensor_download(&loss, total);
    tape_reset(tape);
    return loss;
}

/* Returns all trained values after `STEPS` steps, [trained_numbers]; caller frees. */
static float *train(float *losses /* [STEPS] */, const struct clip *clip, const struct golden *golden)
{
    struct tape *tape = tape_new(clip->dev, true);
    for (int step = 1; step <= STEPS; step++)
        losses[step - 1] = train_step(tape, clip, golden, step);
    tape_free(tape);
    size_t bytes = clip->arena->trained_numbers * sizeof(float);
    float *values = mem_new(bytes, 1);
    buffer_download(values, clip->arena->values, 0, bytes);
    return values;
}

static void check_losses(struct device *dev, const struct golden *golden)
{
    float losses[STEPS], again[STEPS];
    struct clip *clip = open_model(dev, golden->folder), *other = open_model(dev, golden->folder);
    float *values = train(losses, clip, golden), *other_values = train(again, other, golden);
    struct npy want = golden_numbers(golden, "losses.npy");
    CHECK(want.ndim == 1 && want.shape[0] == STEPS, "losses.npy does not hold %d losses", STEPS);
    for (int i = 0; i < STEPS; i++)
        CHECK(fabs((double)losses[i] - (double)want.data[i]) < 1e-5, "step %d: loss %.7g, PyTorch has %.7g", i + 1,
              (double)losses[i], (double)want.data[i]);
    CHECK(memcmp(losses, again, sizeof losses) == 0, "the losses of two runs differ");
    CHECK(memcmp(values, other_values, clip->arena->trained_numbers * sizeof *values) == 0,
          "the weights of two runs differ");
    npy_free(&want);
    free(values);
    free(other_values);
    clip_close(clip);
    clip_close(other);
}

/* ---- the gradient of the whole loss ---- */

/* Sets values to start + step * direction and returns the loss there. */
static double loss_at(const struct clip *clip, const struct golden *golden, const float *start, const float *direction,
                      double step)
{
    size_t count = clip->arena->trained_numbers;
    float *moved = mem_new(count, sizeof *moved); // [count]
    for (size_t i = 0; i < count; i++)
        moved[i] = start[i] + (float)(step * (double)direction[i]);
    buffer_upload(clip->arena->values, 0, moved, count * sizeof *moved);
    free(moved);
    return (double)loss_of(clip, golden);
}

/* Along a group's own gradient the loss must rise by the gradient's length. */
static void check_direction(const struct clip *clip, const struct golden *golden, const float *values,
                            const float *gradient, int group)
{
    const struct arena *arena = clip->arena;
    float *direction = mem_new(arena->trained_numbers, sizeof *direction);
    double length = 0;
    for (int p = 0; p < arena->count; p++)
        for (size_t i = 0; arena->params[p].group == group && i < tensor_count(arena->params[p].tensor); i++) {
            size_t at = arena->params[p].offset + i;
            direction[at] = gradient[at];
            length += (double)gradient[at] * (double)gradient[at];
        }
    length = sqrt(length);
    CHECK(length > 0, "group %d has no gradient", group);
    for (size_t i = 0; i < arena->trained_numbers; i++)
        direction[i] /= (float)length;

    double step =
        5e-3 / length; /* moves the loss by about a hundredth: far above rounding, and still nearly straight */
    double rise = loss_at(clip, golden, values, direction, step) - loss_at(clip, golden, values, direction, -step);
    CHECK(fabs(rise / (2 * step) - length) < 2e-3 * length,
          "group %d: the loss rises by %.6g a unit, its gradient is %.6g", group, rise / (2 * step), length);
    free(direction);
}

static void check_directions(struct device *dev, const struct golden *golden)
{
    struct clip *clip = open_model(dev, golden->folder);
    const struct arena *arena = clip->arena;
    size_t bytes = arena->trained_numbers * sizeof(float);
    float *values = mem_new(bytes, 1), *gradient = mem_new(bytes, 1); // [trained_numbers]
    struct tape *tape = tape_new(dev, true);
    tape_backward(tape, forward(tape, clip, golden));
    buffer_download(values, arena->values, 0, bytes);
    for (int i = 0; i < arena->count; i++)
        if (arena->params[i].trained)
            tensor_download(gradient + arena->params[i].offset, arena->params[i].tensor->grad);
    tape_free(tape);
    for (int group = GROUP_IMAGE; group <= GROUP_SCALE; group++)
        check_direction(clip, golden, values, gradient, group);
    free(values);
    free(gradient);
    clip_close(clip);
}

/* ---- saving ---- */

static void check_same_tensors(const char *got_folder, const char *want_folder)
{
    struct error err;
    struct safetensors *got, *want;
    CHECK(safetensors_open_folder(&got, got_folder, &err) == 0, "%s", err.text);
    CHECK(safetensors_open_folder(&want, want_folder, &err) == 0, "%s", err.text);
    CHECK(safetensors_count(got) == safetensors_count(want), "%d tensors were saved of %d", safetensors_count(got),
          safetensors_count(want));
    for (int i = 0; i < safetensors_count(want); i++) {
        const struct stored_tensor *a = safetensors_at(got, i), *b = safetensors_at(want, i);
        CHECK(strcmp(a->name, b->name) == 0, "%s was saved as %s", b->name, a->name);
        CHECK(a->ndim == b->ndim && memcmp(a->shape, b->shape, (size_t)a->ndim * sizeof *a->shape) == 0 &&
                  memcmp(a->data, b->data, (size_t)a->count * sizeof(float)) == 0,
              "%s was not saved as it was read", a->name);
    }
    safetensors_close(got);
    safetensors_close(want);
}

static void check_saving(struct device *dev, const struct golden *golden)
{
    struct error err;
    char *folder = scratch_new();
    struct clip *clip = open_model(dev, golden->folder);
    CHECK(clip_save(clip, folder, &err) == 0, "%s", err.text);
    check_same_tensors(folder, golden->folder);

    float losses[STEPS];
    free(train(losses, clip, golden));
    CHECK(clip_save(clip, folder, &err) == 0, "%s", err.text);
    struct clip *reopened = open_model(dev, folder);
    float before = loss_of(clip, golden), after = loss_of(reopened, golden);
    CHECK(memcmp(&before, &after, sizeof before) == 0, "the loss is %.9g, and %.9g once saved and opened",
          (double)before, (double)after);
    clip_close(reopened);
    clip_close(clip);
    scratch_free(folder);
}

static void check_that_a_larger_tokenizer_is_refused(struct device *dev, const struct golden *golden)
{
    struct error err = {0};
    struct clip *clip = open_model(dev, golden->folder);
    char *folder = scratch_new(), lines[2000];
    CHECK(clip_save(clip, folder, &err) == 0, "%s", err.text);
    clip_close(clip);
    strcpy(lines, "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n");
    while (strlen(lines) + 3 < sizeof lines)
        strcat(lines, "a\n");
    free(scratch_file(folder, "vocab.txt", lines, strlen(lines)));
    CHECK(clip_open(&clip, dev, folder, 0, &err) == -1 && strstr(err.text, "the tokenizer beside it gives ids up to"),
          "a tokenizer of too many ids was taken: %s", err.text);
    scratch_free(folder);
}

/* ---- what a step asks of the device ---- */

/* From its third step on a run builds no program, creates no buffer, and waits for the device only where the loss is
 * read. */
static void check_steady_state(struct device *built, const struct golden *golden)
{
    struct error err;
    struct device *dev;
    char spec[16];
    snprintf(spec, sizeof spec, "%d", device_info(built)->index);
    CHECK(device_open(&dev, spec, &err) == 0, "%s", err.text);
    struct clip *clip = open_model(dev, golden->folder);
    struct tape *tape = tape_new(dev, true);
    struct device_counters early = {0};
    for (int step = 1; step <= 6; step++) {
        train_step(tape, clip, golden, step);
        if (step == 2)
            early = *device_counters(dev);
    }
    const struct device_counters *now = device_counters(dev);
    CHECK(now->programs_built == early.programs_built && now->programs_loaded == early.programs_loaded,
          "programs are built or loaded in a steady state");
    CHECK(now->buffers_created == early.buffers_created, "%ld buffers were created in a steady state",
          now->buffers_created - early.buffers_created);
    CHECK(now->waits - early.waits <= 4, "four steps waited %ld times for the device", now->waits - early.waits);
    tape_free(tape);
    clip_close(clip);
    device_close(dev);
}

/* ---- ways to take the same step ---- */

enum way { WAY_APART, WAY_TOGETHER, WAY_CHECKPOINTED };

/* What the parameters are after three steps with dropout. [trained_numbers]; caller frees. */
static float *values_after(struct device *dev, const struct golden *golden, enum way way)
{
    struct clip *clip = open_model(dev, golden->folder);
    struct adamw settings = optimizer;
    settings.max_norm = 0;
    clip->image.vit.blocks.config.dropout = clip->text.blocks.config.dropout = 0.3f;
    if (way == WAY_CHECKPOINTED)
        clip_checkpoint_blocks(clip, true);
    struct tape *tape = tape_new(dev, true);
    for (settings.step = 1; settings.step <= 3; settings.step++) {
        tape_seed(tape, (uint64_t)settings.step);
        struct tensor *loss = forward(tape, clip, golden);
        if (way == WAY_APART) {
            tape_backward(tape, loss);
            adamw_step(clip->arena, &settings);
        } else {
            adamw_backward(tape, loss, clip->arena, &settings);
        }
        tape_reset(tape);
    }
    size_t bytes = clip->arena->trained_numbers * sizeof(float);
    float *values = mem_new(bytes, 1);
    buffer_download(values, clip->arena->values, 0, bytes);
    tape_free(tape);
    clip_close(clip);
    return values;
}

static void check_ways(struct device *dev, const struct golden *golden)
{
    struct clip *clip = open_model(dev, golden->folder);
    size_t bytes = clip->arena->trained_numbers * sizeof(float);
    clip_close(clip);
    float *apart = values_after(dev, golden, WAY_APART);
    for (enum way way = WAY_TOGETHER; way <= WAY_CHECKPOINTED; way++) {
        float *values = values_after(dev, golden, way);
        CHECK(memcmp(values, apart, bytes) == 0, "way %d to train ends elsewhere than backward pass, then update", way);
        free(values);
    }
    free(apart);
}

/* ---- a batch in parts ---- */

/* Some of the golden's pairs, for one tower. */
struct part {
    const struct clip *clip;
    struct golden golden;
    struct tensor *(*features)(struct tape *tape, const struct clip *clip, const struct golden *golden);
};

static struct tensor *run_part(struct tape *tape, const void *context, struct tensor *none)
{
    const struct part *part = context;
    CHECK(!none, "a part has no input");
    return part->features(tape, part->clip, &part->golden);
}

/* One part of `each` pairs after the other. */
static struct tensor *features_in_parts(struct tape *tape, struct part part, int each)
{
    struct tensor *parts[GOLDEN_TEXTS];
    const struct golden whole = part.golden;
    size_t bytes = preprocess_bytes(&part.clip->preprocess);
    int count = 0;
    for (int first = 0; first < whole.text_count; first += each) {
        part.golden.text_count = whole.text_count - first < each ? whole.text_count - first : each;
        part.golden.pictures = whole.pictures + (size_t)first * bytes;
        part.golden.picture_bytes = (size_t)part.golden.text_count * bytes;
        memcpy(part.golden.texts, whole.texts + first, (size_t)part.golden.text_count * sizeof *whole.texts);
        parts[count++] = tape_part(tape, run_part, &part, sizeof part);
    }
    return op_stack_rows(tape, parts, count);
}

/* All gradients [trained_numbers] of the loss over all pairs, with the towers run `each` pairs at a time; caller frees.
 */
static float *gradients_in_parts(const struct clip *clip, const struct golden *golden, int each)
{
    struct tape *tape = tape_new(clip->dev, true);
    float *gradients = mem_new(clip->arena->trained_numbers, sizeof *gradients);
    struct tensor *images = features_in_parts(tape, (struct part){clip, *golden, golden_images}, each);
    struct tensor *texts = features_in_parts(tape, (struct part){clip, *golden, golden_texts}, each);
    tape_backward(tape, clip_loss(tape, clip, images, texts, NULL));
    for (int i = 0; i < clip->arena->count; i++) {
        struct param *param = &clip->arena->params[i];
        if (param->trained)
            tensor_download(gradients + param->offset, param->tensor->grad);
    }
    tape_free(tape);
    struct adamw settings = {.beta1 = 0.9f, .beta2 = 0.98f, .eps = 1e-6f, .step = 1}; /* moves nothing: rates are 0 */
    adamw_step(clip->arena, &settings);
    return gradients;
}

static void check_parts(struct device *dev, const struct golden *golden)
{
    struct clip *clip = open_model(dev, golden->folder);
    size_t count = clip->arena->trained_numbers;
    float *whole = gradients_in_parts(clip, golden, golden->text_count);
    double *want = mem_new(count, sizeof *want);
    for (size_t i = 0; i < count; i++)
        want[i] = (double)whole[i];
    for (int each = 1; each < golden->text_count; each += 2) {
        float *parts = gradients_in_parts(clip, golden, each);
        check_close("gradients of a batch in parts", parts, want, count, 1e-6);
        free(parts);
    }
    free(want);
    free(whole);
    clip_close(clip);
}

/* Where a step took it, or how it came with the model: from there the next step can take it back. */
static void check_scale(struct device *dev, const struct golden *golden)
{
    const float nan = NAN,
                cases[][2] = {{-0.5f, 0}, {0, 0}, {3.5f, 3.5f}, {4.6051702f, 4.6051702f}, {4.6052f, 4.6051702f}};
    struct clip *clip = open_model(dev, golden->folder);
    struct tape *tape = tape_new(dev, true);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        float got;
        tensor_upload(clip->logit_scale, &cases[i][0]);
        clip_limit_scale(clip);
        tensor_download(&got, clip->logit_scale);
        CHECK(got == cases[i][1], "a logit scale of %g became %g, not %g", (double)cases[i][0], (double)got,
              (double)cases[i][1]);
    }
    train_step(tape, clip, golden, 1);
    float moved;
    tensor_download(&moved, clip->logit_scale);
    CHECK(moved < 4.6f, "a logit scale of log 100 is %g after a step towards a smaller one", (double)moved);
    tensor_upload(clip->logit_scale, &nan);
    clip_limit_scale(clip);
    tensor_download(&moved, clip->logit_scale);
    CHECK(isnan(moved), "a logit scale of NaN became %g, which hides it", (double)moved);
    tape_free(tape);
    clip_close(clip);
}

static void test(struct device *dev)
{
    struct golden golden = golden_open("training");
    check_parts(dev, &golden);
    check_losses(dev, &golden);
    check_directions(dev, &golden);
    check_saving(dev, &golden);
    check_scale(dev, &golden);
    check_ways(dev, &golden);
    check_that_a_larger_tokenizer_is_refused(dev, &golden);
    check_steady_state(dev, &golden);
    golden_close(&golden);
}

int main(void)
{
    char *cache = scratch_new();
    CHECK(setenv("OCLIP_CACHE", cache, 1) == 0, "cannot set OCLIP_CACHE");
    for_each_device(test);
    scratch_free(cache);
    return EXIT_OK;
}
