/* Whole models in the layouts that people have them in, against the libraries that wrote them: features, the loss and
 * the gradient of every parameter; and their files, written back and read again. The goldens come from
 * goldens/make_clip_towers.py and goldens/make_layouts.py. */
#include "models/files/clip_config.h"
#include "runtime/util/file.h"
#include "runtime/util/json.h"
#include "tests/golden.h"
#include "tests/op_check.h"
#include "tests/scratch.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct golden_case {
    const char *folder;
    const char *formats[4]; /* that it can be written in; the first is the one it is in, byte by byte */
    bool gradients;
    bool half; /* the reference has float32 weights: only cosines are near */
} cases[] = {
    {"clip_towers/hf_quick_gelu", {"hf", "open_clip", "dual-encoder"}, true, false},
    {"clip_towers/hf_gelu", {"hf", "open_clip", "dual-encoder"}, false, false},
    {"clip_towers/open_clip", {"open_clip", "hf", "dual-encoder"}, false, false},
    {"layouts/open_clip_custom", {"open_clip", "hf"}, true, false},
    {"layouts/open_clip_timm", {"open_clip"}, true, false},
    {"layouts/open_clip_siglip", {"open_clip", "hf"}, true, false},
    {"layouts/siglip", {"hf"}, true, false},
    {"layouts/dual_vit_bert", {"dual-encoder"}, true, false},
    {"layouts/dual_dinov2_bert", {"dual-encoder"}, false, false},
    {"layouts/dual_clip_bert", {"dual-encoder"}, false, false},
    {"layouts/hf_shards", {"hf", "open_clip"}, false, false},
    {"layouts/hf_fp16", {"hf", "open_clip"}, false, true},
    {"layouts/hf_bf16", {"hf", "open_clip"}, false, true},
};

static const double feature_tolerance = 1e-5, gradient_tolerance = 1e-4, least_cosine = 0.9999;
static const unsigned all_groups = 1u << GROUP_IMAGE | 1u << GROUP_TEXT | 1u << GROUP_HEAD | 1u << GROUP_SCALE;

/* ---- features ---- */

/* The smallest cosine between rows of a tensor and of a file of the same shape. */
static double smallest_cosine(const struct golden *golden, const char *file, const struct tensor *got)
{
    struct npy want = golden_numbers(golden, file);
    float *numbers = golden_download(got);
    int width = tensor_width(got);
    double smallest = 1;
    for (int row = 0; row < tensor_rows(got); row++) {
        double product = 0, a = 0, b = 0;
        for (int i = row * width; i < (row + 1) * width; i++) {
            product += (double)numbers[i] * (double)want.data[i];
            a += (double)numbers[i] * (double)numbers[i];
            b += (double)want.data[i] * (double)want.data[i];
        }
        smallest = fmin(smallest, product / sqrt(a * b));
    }
    free(numbers);
    npy_free(&want);
    return smallest;
}

static void check_side(const struct golden *golden, const char *file, const struct tensor *got, bool half)
{
    if (!half)
        golden_check(golden, file, got, feature_tolerance);
    else
        CHECK(smallest_cosine(golden, file, got) > least_cosine, "%s: %s is off", golden->folder, file);
}

/* What the towers give, behind linear heads if the model has them, not normalised. */
static void check_features(struct tape *tape, const struct clip *clip, const struct golden *golden, bool half)
{
    struct tensor *image = head_forward(tape, &clip->image_head, golden_images(tape, clip, golden));
    struct tensor *text = head_forward(tape, &clip->text_head, golden_ids(tape, clip, golden));
    check_side(golden, "image_features.npy", image, half);
    check_side(golden, "text_features.npy", text, half);
}

/* ---- gradients ---- */

static int load_part(struct clip *clip, const struct layout *layout, const char *ours, int layers,
                     struct safetensors *file, struct error *err)
{
    const char *prefix = layout->prefixes ? layout_prefix(layout, file) : "";
    CHECK(prefix, "the gradients are not in the %s layout", layout->name);
    return layout_load(clip->arena, layout, ours, layers, file, prefix, err);
}

/* They take the place of the weights, so that they stand in our layout. */
static void load_gradients(struct clip *clip, const struct golden *golden)
{
    struct error err;
    struct safetensors *file;
    char *path = golden_path(golden, "gradients.safetensors");
    CHECK(safetensors_open(&file, path, &err) == 0 &&
              load_part(clip, clip->stored.image, "image", clip->image.layers, file, &err) == 0 &&
              load_part(clip, clip->stored.text, "text", clip->text.config.blocks.layers, file, &err) == 0 &&
              load_part(clip, &layout_scales, "", 1, file, &err) == 0,
          "%s", err.text);
    if (clip->image_head.kind == HEAD_LINEAR)
        CHECK(layout_load(clip->arena, &layout_head_linear, "image_head", 1, file, "visual_projection.", &err) == 0 &&
                  layout_load(clip->arena, &layout_head_linear, "text_head", 1, file, "text_projection.", &err) == 0,
              "%s", err.text);
    safetensors_close(file);
    free(path);
}

static void check_gradients(struct tape *tape, struct clip *clip, const struct golden *golden)
{
    struct tensor *loss = clip_loss(tape, clip, golden_images(tape, clip, golden), golden_ids(tape, clip, golden), NULL);
    golden_check(golden, "loss.npy", loss, feature_tolerance);
    tape_backward(tape, loss);
    load_gradients(clip, golden);
    for (int i = 0; i < clip->arena->count; i++)
        golden_check_gradient(golden, &clip->arena->params[i], gradient_tolerance);
}

/* ---- files ---- */

/* Every tensor of one folder stands in the other with the same dtype, shape and bytes. */
static void check_same_tensors(const char *got_folder, const char *want_folder)
{
    struct error err;
    struct safetensors *got, *want;
    CHECK(safetensors_open_folder(&got, got_folder, &err) == 0 &&
              safetensors_open_folder(&want, want_folder, &err) == 0,
          "%s", err.text);
    CHECK(safetensors_count(got) == safetensors_count(want), "%s: %d tensors were written of %d", want_folder,
          safetensors_count(got), safetensors_count(want));
    for (int i = 0; i < safetensors_count(want); i++) {
        const struct stored_tensor *a = safetensors_at(got, i), *b = safetensors_at(want, i);
        CHECK(strcmp(a->name, b->name) == 0 && a->dtype == b->dtype && a->ndim == b->ndim && a->count == b->count &&
                  memcmp(a->shape, b->shape, (size_t)a->ndim * sizeof *a->shape) == 0,
              "%s: %s was written for %s", want_folder, a->name, b->name);
        CHECK(memcmp(a->data, b->data, (size_t)(a->count * stored_dtypes[a->dtype].size)) == 0,
              "%s: %s has other numbers", want_folder, a->name);
    }
    safetensors_close(got);
    safetensors_close(want);
}

/* Written in one form, opened again, and from that written in the first form again. */
static void check_saved(struct tape *tape, const struct clip *clip, const struct golden *golden,
                        const struct golden_case *c, const char *format)
{
    struct error err;
    struct clip *again;
    char *folder = scratch_new(), *back = scratch_new();
    CHECK(clip_save_as(clip, folder, format, clip->stored.dtype, &err) == 0 &&
              clip_open_towers(&again, clip->dev, folder, 0, &err) == 0,
          "%s as %s: %s", c->folder, format, err.text);
    check_features(tape, again, golden, c->half);
    if (strcmp(format, c->formats[0]) == 0)
        check_same_tensors(folder, golden->folder);
    else if (strcmp(format, "dual-encoder") != 0 && !clip->open_clip) {
        CHECK(clip_save_as(again, back, c->formats[0], clip->stored.dtype, &err) == 0, "%s", err.text);
        check_same_tensors(back, golden->folder);
    }
    clip_close(again);
    scratch_free(folder);
    scratch_free(back);
}

static void check_case(struct device *dev, const struct golden_case *c)
{
    struct error err;
    struct clip *clip;
    struct golden golden = golden_open(c->folder);
    CHECK(clip_open(&clip, dev, golden.folder, 0, &err) != 0, "%s has no tokenizer, but opens", c->folder);
    CHECK(clip_open_towers(&clip, dev, golden.folder, all_groups, &err) == 0, "%s", err.text);

    struct tape *inference = tape_new(dev, false), *recording = tape_new(dev, true);
    check_features(inference, clip, &golden, c->half);
    check_features(recording, clip, &golden, c->half);
    for (int i = 0; c->formats[i]; i++)
        check_saved(inference, clip, &golden, c, c->formats[i]);
    CHECK(clip_save_as(clip, "nowhere", "dual-encoders", STORED_F32, &err) != 0, "an unknown format is taken");
    tape_reset(recording);
    if (c->gradients)
        check_gradients(recording, clip, &golden);
    printf("%s agrees\n", c->folder);
    tape_free(recording);
    tape_free(inference);
    clip_close(clip);
    golden_close(&golden);
}

/* ---- refusals ---- */

/* Configs of open_clip that are not plain CLIP's, and what the error must mention. */
static void check_refused(void)
{
    static const struct {
        const char *config, *mention;
    } refused[] = {
        {"{}", "embed_dim"},
        {"{\"model_cfg\": {\"embed_dim\": 8, \"vision_cfg\": {\"timm_model_name\": \"vit\", \"timm_proj\": \"mlp\"}}}",
         "timm_proj"},
        {"{\"model_cfg\": {\"embed_dim\": 8, \"vision_cfg\": {\"pool_type\": \"avg\"}}}", "pool_type"},
        {"{\"model_cfg\": {\"embed_dim\": 8, \"vision_cfg\": {\"layers\": [3, 4, 6, 3]}}}", "layers"},
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

/* ---- weights that are not what the config says ---- */

static void copy_file(const char *to, const char *from, const char *name)
{
    struct error err;
    char *path = path_join(from, name), *text;
    size_t size;
    CHECK(file_read(&text, &size, path, 1 << 20, &err) == 0, "%s", err.text);
    free(scratch_file(to, name, text, size));
    free(text);
    free(path);
}

/* Writes the golden's model with one tensor changed, and takes the error that opening it gives. */
static void check_unfit(struct device *dev, void (*change)(struct stored_tensor *tensors, int *count),
                        const char *mention)
{
    struct error err;
    struct clip *clip;
    struct safetensors *file;
    struct golden golden = golden_open("clip_towers/hf_gelu");
    char *folder = scratch_new(), *path = path_join(folder, "model.safetensors");
    copy_file(folder, golden.folder, "config.json");
    copy_file(folder, golden.folder, "preprocessor_config.json");
    CHECK(safetensors_open_folder(&file, golden.folder, &err) == 0, "%s", err.text);
    int count = safetensors_count(file);
    struct stored_tensor *tensors = mem_new((size_t)count + 1, sizeof *tensors);
    for (int i = 0; i < count; i++)
        tensors[i] = *safetensors_at(file, i);
    change(tensors, &count);
    CHECK(safetensors_write(path, tensors, count, NULL, &err) == 0, "%s", err.text);
    CHECK(clip_open_towers(&clip, dev, folder, 0, &err) != 0, "%s: such weights are taken", mention);
    CHECK(strstr(err.text, mention), "\"%s\" does not mention %s", err.text, mention);
    free(tensors);
    safetensors_close(file);
    free(path);
    scratch_free(folder);
    golden_close(&golden);
}

static struct stored_tensor *find_norm(struct stored_tensor *tensors)
{
    while (strcmp(tensors->name, "vision_model.pre_layrnorm.bias") != 0)
        tensors++;
    return tensors;
}

static void rename_tensor(struct stored_tensor *tensors, int *count)
{
    (void)count;
    find_norm(tensors)->name = "vision_model.pre_layernorm.bias";
}

static void shorten(struct stored_tensor *tensors, int *count)
{
    (void)count;
    find_norm(tensors)->shape[0] = find_norm(tensors)->count = 3;
}

static void add_tensor(struct stored_tensor *tensors, int *count)
{
    tensors[*count] = *find_norm(tensors);
    tensors[(*count)++].name = "vision_model.encoder.layers.1.layer_norm1.bias";
}

static void add_spare(struct stored_tensor *tensors, int *count)
{
    add_tensor(tensors, count);
    tensors[*count - 1].name = "text_model.encoder.position_ids";
}

static void test(struct device *dev)
{
    check_unfit(dev, rename_tensor, "vision_model.pre_layrnorm.bias");
    check_unfit(dev, shorten, "vision_model.pre_layrnorm.bias has shape [3]");
    check_unfit(dev, add_tensor, "vision_model.encoder.layers.1.layer_norm1.bias");
    check_unfit(dev, add_spare, "text_model.encoder.position_ids");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_case(dev, &cases[i]);
}

int main(void)
{
    check_refused();
    for_each_device(test);
    return EXIT_OK;
}
