/* Towers against transformers' Dinov2Model, ViTModel and BertModel and timm's VisionTransformer: features, and the
 * gradient of every parameter. The goldens come from goldens/make_towers.py. */
#include "tests/golden.h"
#include "tests/op_check.h"

#include <stdio.h>
#include <stdlib.h>

static const struct {
    const char *name; /* of the folder */
    bool text, gradients;
} towers[] = {
    {"dinov2", false, true},          {"vit", false, false},       {"timm_classes", false, false},
    {"timm_plain", false, false},     {"timm_avg", false, false},  {"timm_avg_norm_first", false, false},
    {"timm_map", false, false},       {"timm_clip", false, false}, {"bert_mean", true, true},
    {"bert_normalised", true, false}, {"bert_first", true, true},
};

static const double feature_tolerance = 1e-5, gradient_tolerance = 1e-4;

/* loss = sum(features * seed) */
static void backward(struct tape *tape, struct tensor *features, const struct golden *golden)
{
    struct npy numbers = golden_numbers(golden, "seed.npy");
    struct tensor *seed = tape_upload(tape, DTYPE_F32, 2, features->dim, numbers.data);
    tape_backward_from(tape, &features, &seed, 1);
    npy_free(&numbers);
}

/* Gradients stand in a file under the tensors' own names. Loaded in the place of the weights they are in our layout. */
static void load_gradients(struct clip *clip, const struct golden *golden, bool text)
{
    struct error err;
    struct safetensors *file;
    char *path = golden_path(golden, "gradients.safetensors");
    const struct layout *layout = text ? clip->text_layout : clip->image_layout;
    int layers = text ? clip->text.config.blocks.layers : clip->image.layers;
    CHECK(safetensors_open(&file, path, &err) == 0, "%s", err.text);
    CHECK(layout_load(clip->arena, layout, text ? "text" : "image", layers, file, layout_prefix(layout, file), &err) ==
              0,
          "%s", err.text);
    safetensors_close(file);
    free(path);
}

static void check_tower(struct device *dev, const char *name, bool text, bool gradients)
{
    char *folder = mem_format("towers/%s", name);
    struct golden golden = golden_open(folder);
    struct clip *clip = golden_open_tower(dev, &golden, text);
    struct tensor *(*run)(struct tape *, const struct clip *, const struct golden *) =
        text ? golden_texts : golden_images;

    struct tape *inference = tape_new(dev, false), *recording = tape_new(dev, true);
    golden_check(&golden, "features.npy", run(inference, clip, &golden), feature_tolerance);
    struct tensor *features = run(recording, clip, &golden);
    golden_check(&golden, "features.npy", features, feature_tolerance);
    if (gradients) {
        backward(recording, features, &golden);
        load_gradients(clip, &golden, text);
        for (int i = 0; i < clip->arena->count; i++)
            golden_check_gradient(&golden, &clip->arena->params[i], gradient_tolerance);
    }
    printf("%s agrees\n", name);
    tape_free(recording);
    tape_free(inference);
    clip_close(clip);
    golden_close(&golden);
    free(folder);
}

static void test(struct device *dev)
{
    for (size_t i = 0; i < sizeof towers / sizeof *towers; i++)
        check_tower(dev, towers[i].name, towers[i].text, towers[i].gradients);
}

int main(void)
{
    for_each_device(test);
    return EXIT_OK;
}
