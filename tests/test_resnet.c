/* ResNet towers against timm's ResNet and open_clip's ModifiedResNet: features; and for one training step, in which
 * batch norms use the batch's statistics, the gradient of every parameter and what the running statistics become. Their
 * files, read and written. The goldens come from goldens/make_resnets.py. */
#include "runtime/util/file.h"
#include "tests/golden.h"
#include "tests/op_check.h"
#include "tests/scratch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double feature_tolerance = 1e-5, gradient_tolerance = 1e-4;
static const unsigned all_groups = 1u << GROUP_IMAGE | 1u << GROUP_TEXT | 1u << GROUP_SCALE;

/* ---- the two models a folder may hold ---- */

static struct clip *open_model(struct device *dev, const char *folder, bool pair, unsigned trained)
{
    struct error err;
    struct clip *clip;
    struct clip_recipe recipe = {.image_folder = folder};
    CHECK((pair ? clip_open_towers(&clip, dev, folder, trained, &err)
                : clip_create(&clip, dev, &recipe, trained, &err)) == 0,
          "%s", err.text);
    return clip;
}

static void check_features(struct device *dev, const struct clip *clip, const struct golden *golden)
{
    struct tape *tape = tape_new(dev, false);
    golden_check(golden, "image_features.npy", golden_images(tape, clip, golden), feature_tolerance);
    if (clip->has_text)
        golden_check(golden, "text_features.npy", golden_ids(tape, clip, golden), feature_tolerance);
    tape_free(tape);
}

/* ---- one training step ---- */

/* The loss of timm's towers is sum(features * seed). */
static void backward(struct tape *tape, const struct clip *clip, const struct golden *golden)
{
    struct tensor *features = golden_images(tape, clip, golden);
    if (clip->has_text) {
        struct tensor *loss = clip_loss(tape, clip, features, golden_ids(tape, clip, golden), NULL);
        golden_check(golden, "loss.npy", loss, feature_tolerance);
        tape_backward(tape, loss);
        return;
    }
    struct npy numbers = golden_numbers(golden, "seed.npy");
    struct tensor *seed = tape_upload(tape, DTYPE_F32, 2, features->dim, numbers.data);
    golden_check(golden, "train_features.npy", features, feature_tolerance);
    tape_backward_from(tape, &features, &seed, 1);
    npy_free(&numbers);
}

/* What stands before the image tower's names in the golden files. */
static const char *image_prefix(const struct clip *clip)
{
    return clip->has_text ? "visual." : "";
}

/* They take the place of the weights and running statistics, so that they stand in our layout. */
static void load_trained(struct clip *clip, const struct golden *golden)
{
    struct error err;
    struct safetensors *file;
    char *path = golden_path(golden, "trained.safetensors");
    CHECK(safetensors_open(&file, path, &err) == 0 &&
              layout_load(clip->arena, clip->image_layout, "image", clip->image.layers, file, image_prefix(clip),
                          &err) == 0,
          "%s", err.text);
    if (clip->has_text)
        CHECK(layout_load(clip->arena, &layout_open_clip_text, "text", clip->text.config.blocks.layers, file, "",
                          &err) == 0 &&
                  layout_load(clip->arena, &layout_scales, "", 1, file, "", &err) == 0,
              "%s", err.text);
    safetensors_close(file);
    free(path);
}

static void check_statistic(const struct clip *clip, const struct param *param, const float *got)
{
    size_t count = tensor_count(param->tensor);
    float *want = mem_new(count, sizeof *want);    // [count]
    double *exact = mem_new(count, sizeof *exact); // [count]
    arena_download(want, clip->arena, param);
    for (size_t i = 0; i < count; i++)
        exact[i] = (double)want[i];
    check_close(param->name, got, exact, count, feature_tolerance);
    free(exact);
    free(want);
}

/* What a step leaves in every parameter's gradient, and in every running statistic. */
static float **step_numbers(struct device *dev, const struct clip *clip, const struct golden *golden)
{
    struct arena *arena = clip->arena;
    struct tape *tape = tape_new(dev, true);
    backward(tape, clip, golden);
    float **numbers = mem_new((size_t)arena->count, sizeof *numbers); // [arena->count]
    for (int i = 0; i < arena->count; i++) {
        const struct param *param = &arena->params[i];
        numbers[i] = golden_download(param->kept ? param->tensor : param->tensor->grad);
    }
    tape_free(tape);
    return numbers;
}

/* Stages run again give the same bits, and move no statistic twice. */
static void check_checkpointing(struct device *dev, const struct golden *golden, bool pair)
{
    struct clip *plain = open_model(dev, golden->folder, pair, all_groups);
    struct clip *again = open_model(dev, golden->folder, pair, all_groups);
    clip_checkpoint_blocks(again, true);
    float **want = step_numbers(dev, plain, golden), **got = step_numbers(dev, again, golden);
    for (int i = 0; i < plain->arena->count; i++) {
        const struct param *param = &plain->arena->params[i];
        CHECK(memcmp(got[i], want[i], tensor_count(param->tensor) * sizeof(float)) == 0, "%s: %s has other bits",
              golden->folder, param->name);
        free(got[i]);
        free(want[i]);
    }
    free(got);
    free(want);
    clip_close(again);
    clip_close(plain);
}

static void check_training(struct device *dev, struct clip *clip, const struct golden *golden)
{
    struct arena *arena = clip->arena;
    struct tape *tape = tape_new(dev, true);
    backward(tape, clip, golden);
    float **states = mem_new((size_t)arena->count, sizeof *states); // [arena->count], NULL for what is trained
    for (int i = 0; i < arena->count; i++)
        if (arena->params[i].kept)
            states[i] = golden_download(arena->params[i].tensor);
    load_trained(clip, golden);
    for (int i = 0; i < arena->count; i++) {
        if (states[i])
            check_statistic(clip, &arena->params[i], states[i]);
        else
            golden_check_gradient(golden, &arena->params[i], gradient_tolerance);
        free(states[i]);
    }
    free(states);
    tape_free(tape);
}

/* A frozen tower keeps its running statistics, whatever records. */
static void check_frozen(struct device *dev, const struct golden *golden, bool pair)
{
    struct clip *clip = open_model(dev, golden->folder, pair, 0);
    struct tape *tape = tape_new(dev, true);
    golden_check(golden, "image_features.npy", golden_images(tape, clip, golden), feature_tolerance);
    golden_check(golden, "image_features.npy", golden_images(tape, clip, golden), feature_tolerance);
    tape_free(tape);
    clip_close(clip);
}

/* ---- files ---- */

/* What the layout writes is what was read: every tensor of the file but the counts of batches, which nothing needs. */
static void check_collected(const struct clip *clip, const struct golden *golden)
{
    struct error err;
    struct safetensors *file;
    struct tensor_list list = {0};
    CHECK(safetensors_open_folder(&file, golden->folder, &err) == 0, "%s", err.text);
    layout_collect(&list, clip->arena, clip->image_layout, "image", clip->image.layers, image_prefix(clip), STORED_F32);
    int wanted = 0;
    for (int i = 0; i < safetensors_count(file); i++) {
        const char *name = safetensors_at(file, i)->name;
        wanted += (!clip->has_text || strncmp(name, "visual.", 7) == 0) && !strstr(name, "num_batches_tracked");
    }
    CHECK(list.count == wanted, "%s: %d tensors of %d", golden->folder, list.count, wanted);
    for (int i = 0; i < list.count; i++) {
        const struct stored_tensor *got = &list.items[i], *want = safetensors_find(file, got->name);
        CHECK(want && want->ndim == got->ndim && want->count == got->count &&
                  memcmp(want->shape, got->shape, (size_t)got->ndim * sizeof *got->shape) == 0 &&
                  memcmp(want->data, got->data, (size_t)want->count * sizeof(float)) == 0,
              "%s: %s is missing or differs", golden->folder, got->name);
    }
    tensor_list_free(&list);
    safetensors_close(file);
}

/* Counts of batches too: what was let lie goes back as it was. */
static void check_same_tensors(const char *folder, const char *original)
{
    struct error err;
    struct safetensors *got, *want;
    CHECK(safetensors_open_folder(&got, folder, &err) == 0 && safetensors_open_folder(&want, original, &err) == 0, "%s",
          err.text);
    CHECK(safetensors_count(got) == safetensors_count(want), "%s: %d tensors of %d", original, safetensors_count(got),
          safetensors_count(want));
    for (int i = 0; i < safetensors_count(want); i++) {
        const struct stored_tensor *a = safetensors_at(want, i), *b = safetensors_find(got, a->name);
        CHECK(b && a->dtype == b->dtype && a->count == b->count &&
                  memcmp(a->data, b->data, (size_t)(a->count * stored_dtypes[a->dtype].size)) == 0,
              "%s: %s is missing or differs", original, a->name);
    }
    safetensors_close(want);
    safetensors_close(got);
}

static void check_saved(struct device *dev, const struct clip *clip, const struct golden *golden)
{
    struct error err;
    char *folder = scratch_new();
    CHECK(clip_save(clip, folder, &err) == 0, "%s", err.text);
    check_same_tensors(folder, golden->folder);
    struct clip *again = open_model(dev, folder, true, 0);
    check_features(dev, again, golden);
    clip_close(again);
    scratch_free(folder);
}

/* What the error of a folder like the golden one but for its config must mention. */
static void check_refused(struct device *dev)
{
    static const struct {
        const char *like, *config, *mention;
    } refused[] = {
        {"basic", "{\"architecture\": \"resnet50\"", "not those of a resnet50"},
        {"basic", "{\"architecture\": \"resnetv2_50\"", "resnetv2_50"},
        {"clip", "{\"model_type\": \"clip_resnet\", \"width\": 4, \"image_size\": 64, \"heads\": 2",
         "oclip_projection_dim"},
        {"clip",
         "{\"model_type\": \"clip_resnet\", \"width\": 4, \"image_size\": 96, \"heads\": 2, \"oclip_projection_dim\": "
         "20,"
         " \"layers\": [2, 1, 1, 1]",
         "64 pixels"},
        {"clip",
         "{\"model_type\": \"clip_resnet\", \"width\": 4, \"image_size\": 64, \"heads\": 2, \"oclip_projection_dim\": "
         "20,"
         " \"layers\": [2, 1, 1]",
         "layers"},
        {"clip",
         "{\"model_type\": \"clip_resnet\", \"width\": 4, \"image_size\": 64, \"heads\": 3, \"oclip_projection_dim\": "
         "20,"
         " \"layers\": [2, 1, 1, 1]",
         "heads"},
    };
    static const char tail[] = ", \"pretrained_cfg\": {\"input_size\": [3, 64, 64], \"interpolation\": \"bicubic\","
                               " \"crop_pct\": 0.9, \"mean\": [0.5, 0.5, 0.5], \"std\": [0.5, 0.5, 0.5]}}";
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct error err;
        struct clip *clip;
        size_t size;
        char *weights, *folder = scratch_new(), *config = mem_format("%s%s", refused[i].config, tail);
        char *from =
            mem_format("%s/goldens/resnets/%s/%s", getenv("OCLIP_TEST_DATA"), refused[i].like,
                       strcmp(refused[i].like, "clip") == 0 ? "open_clip_model.safetensors" : "model.safetensors");
        CHECK(file_read(&weights, &size, from, 1 << 20, &err) == 0, "%s", err.text);
        free(scratch_file(folder, "model.safetensors", weights, size));
        free(scratch_file(folder, "config.json", config, strlen(config)));
        struct clip_recipe recipe = {.image_folder = folder};
        CHECK(clip_create(&clip, dev, &recipe, 0, &err) != 0, "%s is taken", config);
        CHECK(strstr(err.text, refused[i].mention) && strstr(err.text, folder), "%s", err.text);
        scratch_free(folder);
        free(weights);
        free(from);
        free(config);
    }
}

static void check_tower(struct device *dev, const char *name, bool pair)
{
    struct golden golden = golden_open(name);
    struct clip *clip = open_model(dev, golden.folder, pair, all_groups);
    check_features(dev, clip, &golden);
    check_collected(clip, &golden);
    if (pair)
        check_saved(dev, clip, &golden);
    check_training(dev, clip, &golden);
    check_checkpointing(dev, &golden, pair);
    check_frozen(dev, &golden, pair);
    printf("%s agrees\n", name);
    clip_close(clip);
    golden_close(&golden);
}

static void test(struct device *dev)
{
    check_tower(dev, "resnets/basic", false);
    check_tower(dev, "resnets/bottleneck", false);
    check_tower(dev, "resnets/clip", true);
    check_refused(dev);
}

int main(void)
{
    for_each_device(test);
    return EXIT_OK;
}
