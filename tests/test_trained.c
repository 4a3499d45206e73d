/* What is trained of a model: the last layers of a tower. The model is the one of goldens/make_training.py. */
#include "runtime/ops/adamw.h"
#include "tests/golden.h"
#include "tests/op_check.h"

#include <stdlib.h>
#include <string.h>

enum { STEPS = 3, ALL_GROUPS = 1u << GROUP_IMAGE | 1u << GROUP_TEXT | 1u << GROUP_HEAD | 1u << GROUP_SCALE };

static struct clip *open_to_train(struct device *dev, const struct golden *golden, const struct clip_training *training)
{
    struct error err;
    struct clip *clip;
    CHECK(clip_open_to_train(&clip, dev, golden->folder, training, &err) == 0, "%s", err.text);
    return clip;
}

/* The loss of the golden's pairs, and on a recording tape the gradients. */
static float run(struct tape *tape, const struct clip *clip, const struct golden *golden)
{
    float number;
    struct tensor *images = golden_images(tape, clip, golden);
    struct tensor *loss = clip_loss(tape, clip, images, golden_texts(tape, clip, golden), NULL);
    if (tape_recording(tape))
        tape_backward(tape, loss);
    tensor_download(&number, loss);
    return number;
}

static void train(const struct clip *clip, const struct golden *golden)
{
    struct adamw settings = {.beta1 = 0.9f, .beta2 = 0.98f, .eps = 1e-6f};
    for (int group = 0; group < ARENA_GROUPS; group++)
        settings.rates[group] = 1e-2f;
    struct tape *tape = tape_new(clip->dev, true);
    for (settings.step = 1; settings.step <= STEPS; settings.step++) {
        run(tape, clip, golden);
        adamw_step(clip->arena, &settings);
        tape_reset(tape);
    }
    tape_free(tape);
}

static float *numbers_of(const struct clip *clip, const struct param *param)
{
    float *numbers = mem_new(tensor_count(param->tensor), sizeof *numbers);
    arena_download(numbers, clip->arena, param);
    return numbers;
}

/* Whether a parameter has the same bits in both models. */
static bool is_same(const struct clip *clip, const struct clip *other, const char *name)
{
    const struct param *param = arena_find(clip->arena, name);
    float *numbers = numbers_of(clip, param), *others = numbers_of(other, arena_find(other->arena, name));
    bool same = memcmp(numbers, others, tensor_bytes(param->tensor)) == 0;
    free(numbers);
    free(others);
    return same;
}

/* ---- the last layers ---- */

static void check_gradients(const struct clip *clip, const struct clip *whole)
{
    for (int i = 0; i < clip->arena->count; i++) {
        const struct param *param = &clip->arena->params[i];
        if (!param->trained)
            continue;
        const struct tensor *grad = param->tensor->grad, *want = arena_find(whole->arena, param->name)->tensor->grad;
        CHECK(grad && want, "%s has no gradient", param->name);
        size_t bytes = tensor_bytes(grad);
        float *numbers = mem_new(bytes, 1), *wanted = mem_new(bytes, 1);
        tensor_download(numbers, grad);
        tensor_download(wanted, want);
        CHECK(memcmp(numbers, wanted, bytes) == 0, "%s: another gradient than in a model that is all trained",
              param->name);
        free(numbers);
        free(wanted);
    }
}

/* What is trained has the gradients it would have anyway, and moves; what is not stays bit for bit. */
static void check_last_layers(struct device *dev, const struct golden *golden)
{
    const struct clip_training all = {.groups = ALL_GROUPS};
    const struct clip_training last = {.groups = ALL_GROUPS, .unlocked = {[GROUP_IMAGE] = 1, [GROUP_TEXT] = 1}};
    struct clip *whole = open_to_train(dev, golden, &all), *clip = open_to_train(dev, golden, &last);
    struct tape *tape = tape_new(dev, true), *other_tape = tape_new(dev, true);
    CHECK(run(tape, clip, golden) == run(other_tape, whole, golden), "locking layers changes the loss");
    check_gradients(clip, whole);
    tape_free(tape);
    tape_free(other_tape);
    clip_close(whole);
    clip_close(clip);

    clip = open_to_train(dev, golden, &last);
    struct clip *before = open_to_train(dev, golden, &last);
    train(clip, golden);
    int moved[2] = {0};
    for (int i = 0; i < clip->arena->count; i++) {
        const struct param *param = &clip->arena->params[i];
        bool tower = param->group == GROUP_IMAGE || param->group == GROUP_TEXT;
        bool trained = !tower || param->layer == clip->arena->layers[param->group];
        CHECK(is_same(clip, before, param->name) == !trained, "%s %s", param->name, trained ? "stays" : "moves");
        moved[trained]++;
    }
    CHECK(moved[0] > 0 && moved[1] > 0, "all layers are alike");
    clip_close(before);
    clip_close(clip);
}

static void test(struct device *dev)
{
    struct golden golden = golden_open("training");
    check_last_layers(dev, &golden);
    golden_close(&golden);
}

int main(void)
{
    for_each_device(test);
    return EXIT_OK;
}
