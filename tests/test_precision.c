/* Activations in 16 bits and products of 16-bit integers: whole towers' features and gradients against those of
 * float32, training runs, and half precision's loss scale. */
#include "runtime/gemm/gemm.h"
#include "runtime/ops/adamw.h"
#include "runtime/ops/loss_scale.h"
#include "tests/golden.h"
#include "tests/op_check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALL_GROUPS = 1u << GROUP_IMAGE | 1u << GROUP_TEXT | 1u << GROUP_HEAD | 1u << GROUP_SCALE, STEPS = 30 };

static const char *const precisions[] = {"bf16", "fp16", "int16"}; /* one trains with the first two */

/* ---- towers ---- */

static const struct {
    const char *name; /* of the folder */
    bool text;
} towers[] = {
    {"dinov2", false},    {"vit", false},      {"timm_avg", false},       {"timm_map", false},
    {"timm_clip", false}, {"bert_mean", true}, {"bert_normalised", true}, {"bert_first", true},
};

static double cosine(const float *a, const float *b, size_t count)
{
    double along = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < count; i++) {
        along += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    return along / sqrt(aa * bb);
}

/* The golden's features, all of its rows at once: they are few and short, so that one alone may be off by more. */
static void check_features(const struct golden *golden, const struct tensor *features, const char *how)
{
    double least = strcmp(how, "int16") == 0 ? 0.999999 : 0.9999;
    struct npy want = golden_numbers(golden, "features.npy");
    float *got = golden_download(features);
    CHECK(features->dtype == DTYPE_F32, "features are not float32");
    double same = cosine(got, want.data, tensor_count(features));
    printf("%s, %s: cosine %.7f\n", golden->folder, how, same);
    CHECK(same > least, "%s, %s: the cosine to the reference is %.7f", golden->folder, how, same);
    free(got);
    npy_free(&want);
}

static void check_tower(struct device *dev, const char *name, bool text, const char *precision)
{
    char *folder = mem_format("towers/%s", name);
    struct golden golden = golden_open(folder);
    gemm_set_precision(dev, precision);
    struct clip *clip = golden_open_tower(dev, &golden, text);
    struct tape *tape = tape_new(dev, false);
    check_features(&golden, (text ? golden_texts : golden_images)(tape, clip, &golden), precision);
    tape_free(tape);
    clip_close(clip);
    golden_close(&golden);
    free(folder);
}

/* A ResNet stays as it is, to the bit, and says so. */
static void check_resnet(struct device *dev)
{
    struct golden golden = golden_open("resnets/basic");
    struct clip *clip = golden_open_tower(dev, &golden, false);
    struct tape *tape = tape_new(dev, false);
    struct tensor *wide = golden_images(tape, clip, &golden);
    CHECK(!clip_precision_note(clip), "float32 is noted as an exception");
    gemm_set_precision(dev, "bf16");
    struct tensor *same = golden_images(tape, clip, &golden);
    CHECK(clip_precision_note(clip), "nothing says that a ResNet stays float32");
    float *want = golden_download(wide), *got = golden_download(same);
    CHECK(memcmp(want, got, tensor_bytes(wide)) == 0, "a ResNet's features depend on the precision");
    free(want);
    free(got);
    tape_free(tape);
    clip_close(clip);
    golden_close(&golden);
}

static void test_towers(struct device *dev)
{
    check_resnet(dev);
    for (int p = 0; p < 3; p++)
        for (size_t i = 0; i < sizeof towers / sizeof *towers; i++)
            check_tower(dev, towers[i].name, towers[i].text, precisions[p]);
    gemm_set_precision(dev, "fp32");
}

/* ---- training ---- */

struct run {
    struct clip *clip;
    struct tape *tape;
    struct adamw adamw;
    const struct golden *golden;
};

static struct run run_begin(struct device *dev, const struct golden *golden, const char *precision)
{
    struct error err;
    struct run run = {.golden = golden, .adamw = {.beta1 = 0.9f, .beta2 = 0.98f, .eps = 1e-6f, .max_norm = 1}};
    gemm_set_precision(dev, precision);
    CHECK(clip_open(&run.clip, dev, golden->folder, ALL_GROUPS, &err) == 0, "%s", err.text);
    run.tape = tape_new(dev, true);
    if (device_precision(dev) == PRECISION_FP16)
        run.adamw.loss_scale = loss_scale_new(dev);
    for (int group = GROUP_IMAGE; group <= GROUP_SCALE; group++)
        run.adamw.rates[group] = 1e-3f;
    return run;
}

static void run_end(struct run *run)
{
    tape_free(run->tape);
    tensor_free(run->adamw.loss_scale);
    clip_close(run->clip);
}

static float run_step(struct run *run)
{
    float number;
    run->adamw.step++;
    struct tensor *images = golden_images(run->tape, run->clip, run->golden);
    struct tensor *loss =
        clip_loss(run->tape, run->clip, images, golden_texts(run->tape, run->clip, run->golden), NULL);
    adamw_backward(run->tape, loss, run->clip->arena, &run->adamw);
    tensor_download(&number, loss);
    tape_reset(run->tape);
    return number;
}

static int skipped_steps(const struct run *run)
{
    float scale[LOSS_SCALE_NUMBERS] = {0};
    if (run->adamw.loss_scale)
        loss_scale_download(scale, run->adamw.loss_scale);
    return (int)scale[LOSS_SCALE_SKIPPED];
}

/* Of losses from float32's, each after as many steps that were not skipped. exact [STEPS] */
static double largest_difference(struct run *run, const float *exact)
{
    double largest = 0;
    for (int taken = 0; taken < STEPS; taken = run->adamw.step - skipped_steps(run)) {
        largest = fmax(largest, fabs((double)run_step(run) - (double)exact[taken]));
        CHECK(skipped_steps(run) < 4, "%d steps were skipped", skipped_steps(run));
    }
    return largest;
}

static void check_losses(struct device *dev, const struct golden *golden)
{
    static const double allowed[] = {3e-2, 5e-3};
    float exact[STEPS];
    struct run run = run_begin(dev, golden, "fp32");
    for (int step = 0; step < STEPS; step++)
        exact[step] = run_step(&run);
    run_end(&run);
    CHECK(exact[STEPS - 1] < 0.7f * exact[0], "the loss goes from %g to %g only", (double)exact[0],
          (double)exact[STEPS - 1]);
    for (int p = 0; p < 2; p++) {
        run = run_begin(dev, golden, precisions[p]);
        double off = largest_difference(&run, exact);
        run_end(&run);
        printf("%s: losses within %.2g of float32's in %d steps\n", precisions[p], off, STEPS);
        CHECK(off < allowed[p], "%s: losses are up to %g from float32's", precisions[p], off);
    }
}

static void set_scale(struct run *run, int which, float number)
{
    buffer_upload(run->adamw.loss_scale->buffer, (size_t)which * sizeof number, &number, sizeof number);
}

/* A factor that no half-precision gradient survives: the step changes nothing but the factor. */
static void check_overflow(struct device *dev, const struct golden *golden)
{
    float before[LOSS_SCALE_NUMBERS], after[LOSS_SCALE_NUMBERS];
    struct run run = run_begin(dev, golden, "fp16");
    set_scale(&run, LOSS_SCALE_FACTOR, 1024);
    run_step(&run);
    loss_scale_download(before, run.adamw.loss_scale);
    CHECK(before[LOSS_SCALE_GOOD] == 1 && before[LOSS_SCALE_SKIPPED] == 0, "a good step was skipped");
    set_scale(&run, LOSS_SCALE_FACTOR, 0x1p60f);
    float *numbers = check_arena_numbers(run.clip->arena);
    run_step(&run);
    float *same = check_arena_numbers(run.clip->arena);
    loss_scale_download(after, run.adamw.loss_scale);
    CHECK(memcmp(numbers, same, 3 * run.clip->arena->trained_numbers * sizeof *same) == 0,
          "a step with gradients that are not finite changed the weights or their moments");
    CHECK(after[LOSS_SCALE_FACTOR] == 0x1p59f && after[LOSS_SCALE_SKIPPED] == 1 && after[LOSS_SCALE_GOOD] == 0 &&
              after[LOSS_SCALE_POWER1] == before[LOSS_SCALE_POWER1],
          "after an overflow: factor %g, %g skipped, %g good", (double)after[LOSS_SCALE_FACTOR],
          (double)after[LOSS_SCALE_SKIPPED], (double)after[LOSS_SCALE_GOOD]);

    set_scale(&run, LOSS_SCALE_FACTOR, 1024);
    set_scale(&run, LOSS_SCALE_GOOD, LOSS_SCALE_PATIENCE - 1);
    run_step(&run);
    loss_scale_download(after, run.adamw.loss_scale);
    CHECK(after[LOSS_SCALE_FACTOR] == 2048 && after[LOSS_SCALE_GOOD] == 0, "after %d good steps: factor %g, %g good",
          LOSS_SCALE_PATIENCE, (double)after[LOSS_SCALE_FACTOR], (double)after[LOSS_SCALE_GOOD]);
    free(numbers);
    free(same);
    run_end(&run);
}

/* In float32 the factor comes out again, and a skipped step does not count. */
static void check_scaled_step(struct device *dev, const struct golden *golden)
{
    struct run plain = run_begin(dev, golden, "fp32"), scaled = run_begin(dev, golden, "fp32");
    plain.adamw.max_norm = scaled.adamw.max_norm = 0;
    scaled.adamw.loss_scale = loss_scale_new(dev);
    set_scale(&scaled, LOSS_SCALE_FACTOR, INFINITY);
    run_step(&scaled);
    set_scale(&scaled, LOSS_SCALE_FACTOR, 4096);
    run_step(&plain);
    run_step(&scaled);
    size_t count = plain.clip->arena->trained_numbers;
    float *want = check_arena_numbers(plain.clip->arena), *got = check_arena_numbers(scaled.clip->arena);
    for (size_t i = 0; i < count; i++)
        CHECK(fabsf(got[i] - want[i]) <= 1e-7f, "number %zu is %.9g after a scaled step, %.9g after a plain one", i,
              (double)got[i], (double)want[i]);
    free(want);
    free(got);
    run_end(&plain);
    run_end(&scaled);
}

static void test_training(struct device *dev)
{
    struct golden golden = golden_open("training");
    check_losses(dev, &golden);
    check_overflow(dev, &golden);
    check_scaled_step(dev, &golden);
    golden_close(&golden);
}

int main(void)
{
    for_each_device(test_towers);
    for_each_device(test_training);
    return EXIT_OK;
}
