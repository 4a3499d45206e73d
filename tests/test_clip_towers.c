/* CLIP's towers against transformers' CLIPModel and open_clip's CLIP: features, the loss and the gradient of every
 * parameter; and their files, read and written. The goldens come from goldens/make_clip_towers.py. */
#include "models/files/clip_config.h"
#include "runtime/util/file.h"
#include "runtime/util/json.h"
#include "tests/golden.h"
#include "tests/op_check.h"
#include "tests/scratch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct golden_case {
    const char *folder;
    const struct layout *image, *text; /* that its files have */
    bool gradients;
} cases[] = {
    {"clip_towers/hf_quick_gelu", &layout_clip_vision, &layout_clip_text, true},
    {"clip_towers/hf_gelu", &layout_clip_vision, &layout_clip_text, false},
    {"clip_towers/open_clip", &layout_open_clip_visual, &layout_open_clip_text, false},
};

static const double feature_tolerance = 1e-5, gradient_tolerance = 1e-4;
static const unsigned all_groups = 1u << GROUP_IMAGE | 1u << GROUP_TEXT | 1u << GROUP_SCALE;

/* Whole numbers from a file of floats; caller frees */
static int *read_ints(const struct golden *golden, const char *file, int *count)
{
    struct npy numbers = golden_numbers(golden, file);
    *count = (int)numbers.shape[0];
    int *ints = mem_new((size_t)*count, sizeof *ints); // [count]
    for (int i = 0; i < *count; i++)
        ints[i] = (int)numbers.data[i];
    npy_free(&numbers);
    return ints;
}

static struct tensor *embed_ids(struct tape *tape, const struct clip *clip, const struct golden *golden)
{
    int total, count;
    int *ids = read_ints(golden, "ids.npy", &total);         // [total]
    int *lengths = read_ints(golden, "lengths.npy", &count); // [count]
    struct tensor *features = clip_text_features(tape, clip, ids, lengths, count);
    free(lengths);
    free(ids);
    return features;
}

static void check_features(struct tape *tape, const struct clip *clip, const struct golden *golden)
{
    golden_check(golden, "image_features.npy", golden_images(tape, clip, golden), feature_tolerance);
    golden_check(golden, "text_features.npy", embed_ids(tape, clip, golden), feature_tolerance);
}

/* They take the place of the weights, so that they stand in our layout. */
static void load_gradients(struct clip *clip, const struct golden *golden, const struct golden_case *c)
{
    struct error err;
    struct safetensors *file;
    char *path = golden_path(golden, "gradients.safetensors");
    int image_layers = clip->image.layers, text_layers = clip->text.config.blocks.layers;
    CHECK(safetensors_open(&file, path, &err) == 0 &&
              layout_load(clip->arena, c->image, "image", image_layers, file, "", &err) == 0 &&
              layout_load(clip->arena, c->text, "text", text_layers, file, "", &err) == 0 &&
              layout_load(clip->arena, &layout_logit_scale, "", 1, file, "", &err) == 0,
          "%s", err.text);
    safetensors_close(file);
    free(path);
}

static void check_gradients(struct tape *tape, struct clip *clip, const struct golden *golden,
                            const struct golden_case *c)
{
    struct tensor *loss = clip_loss(tape, clip, golden_images(tape, clip, golden), embed_ids(tape, clip, golden));
    golden_check(golden, "loss.npy", loss, feature_tolerance);
    tape_backward(tape, loss);
    load_gradients(clip, golden, c);
    for (int i = 0; i < clip->arena->count; i++)
        golden_check_gradient(golden, &clip->arena->params[i], gradient_tolerance);
}

/* What the layouts write is what was read: every tensor of the file, with its name, shape and numbers. */
static void check_collected(const struct clip *clip, const struct golden *golden, const struct golden_case *c)
{
    struct error err;
    struct safetensors *file;
    struct tensor_list list = {0};
    CHECK(safetensors_open_folder(&file, golden->folder, &err) == 0, "%s", err.text);
    layout_collect(&list, clip->arena, c->image, "image", clip->image.layers, "");
    layout_collect(&list, clip->arena, c->text, "text", clip->text.config.blocks.layers, "");
    layout_collect(&list, clip->arena, &layout_logit_scale, "", 1, "");
    CHECK(list.count == safetensors_count(file), "%s: %d tensors of %d", c->folder, list.count,
          safetensors_count(file));
    for (int i = 0; i < list.count; i++) {
        const struct stored_tensor *got = &list.items[i], *want = safetensors_find(file, got->name);
        CHECK(want && want->ndim == got->ndim && want->count == got->count &&
                  memcmp(want->shape, got->shape, (size_t)got->ndim * sizeof *got->shape) == 0,
              "%s: %s is missing or has another shape", c->folder, got->name);
        float *numbers = mem_new((size_t)want->count, sizeof *numbers); // [count]
        CHECK(safetensors_to_float(numbers, want, &err) == 0, "%s", err.text);
        CHECK(memcmp(numbers, got->data, (size_t)want->count * sizeof *numbers) == 0, "%s: %s has other numbers",
              c->folder, got->name);
        free(numbers);
    }
    tensor_list_free(&list);
    safetensors_close(file);
}

static void check_config(const char *folder)
{
    struct error err;
    json_t *config;
    char *path = path_join(folder, "config.json");
    CHECK(json_read(&config, path, &err) == 0, "%s", err.text);
    const json_t *vision = json_object_get(config, "vision_config"), *text = json_object_get(config, "text_config");
    CHECK(strcmp(json_text_or(config, "model_type", ""), "clip") == 0 &&
              json_int_or(config, "projection_dim", 0) == json_int_or(vision, "projection_dim", 1) &&
              json_is_integer(json_object_get(vision, "intermediate_size")) && json_is_object(text),
          "%s is not that of a CLIPModel", path);
    json_decref(config);
    free(path);
}

/* Saved as transformers' CLIPModel, whatever it was read from, and opened again. */
static void check_saved(struct tape *tape, const struct clip *clip, const struct golden *golden)
{
    struct error err;
    struct clip *again;
    char *folder = scratch_new();
    CHECK(clip_save(clip, folder, &err) == 0 && clip_open_towers(&again, clip->dev, folder, 0, &err) == 0, "%s",
          err.text);
    check_features(tape, again, golden);
    clip_close(again);
    check_config(folder);
    scratch_free(folder);
}

static void check_case(struct device *dev, const struct golden_case *c)
{
    struct error err;
    struct clip *clip;
    struct golden golden = golden_open(c->folder);
    CHECK(clip_open(&clip, dev, golden.folder, 0, &err) != 0, "%s has no tokenizer, but opens", c->folder);
    CHECK(clip_open_towers(&clip, dev, golden.folder, all_groups, &err) == 0, "%s", err.text);

    struct tape *inference = tape_new(dev, false), *recording = tape_new(dev, true);
    check_features(inference, clip, &golden);
    check_features(recording, clip, &golden);
    check_collected(clip, &golden, c);
    check_saved(inference, clip, &golden);
    tape_reset(recording);
    if (c->gradients)
        check_gradients(recording, clip, &golden, c);
    printf("%s agrees\n", c->folder);
    tape_free(recording);
    tape_free(inference);
    clip_close(clip);
    golden_close(&golden);
}

/* Configs of open_clip that are not plain CLIP's, and what the error must mention. */
static void check_refused(void)
{
    static const struct {
        const char *config, *mention;
    } refused[] = {
        {"{}", "embed_dim"},
        {"{\"model_cfg\": {\"embed_dim\": 8, \"vision_cfg\": {\"timm_model_name\": \"vit\"}}}", "timm_model_name"},
        {"{\"model_cfg\": {\"embed_dim\": 8, \"vision_cfg\": {\"pool_type\": \"avg\"}}}", "pool_type"},
        {"{\"model_cfg\": {\"embed_dim\": 8, \"vision_cfg\": {\"layers\": 2, \"width\": 8, \"mlp_ratio\": 1e300}}}",
         "mlp_ratio"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct error err;
        json_t *config;
        char *folder = scratch_new();
        free(scratch_file(folder, "open_clip_config.json", refused[i].config, strlen(refused[i].config)));
        CHECK(clip_config_read(&config, folder, &err) != 0, "%s is taken", refused[i].config);
        CHECK(strstr(err.text, refused[i].mention) && strstr(err.text, folder), "%s", err.text);
        scratch_free(folder);
    }
}

static void test(struct device *dev)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_case(dev, &cases[i]);
}

int main(void)
{
    check_refused();
    for_each_device(test);
    return EXIT_OK;
}
