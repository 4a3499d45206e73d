/* What is trained of a model: the last layers of a tower, or updates of low rank. The model is the one of
 * goldens/make_training.py. */
#include "runtime/ops/adamw.h"
#include "runtime/util/json.h"
#include "tests/golden.h"
#include "tests/op_check.h"
#include "tests/scratch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 3, RANK = 3, ALL_GROUPS = 1u << GROUP_IMAGE | 1u << GROUP_TEXT | 1u << GROUP_HEAD | 1u << GROUP_SCALE };

static struct clip *open_to_train(struct device *dev, const char *folder, const struct clip_training *training)
{
    struct error err;
    struct clip *clip;
    CHECK(clip_open_to_train(&clip, dev, folder, training, &err) == 0, "%s", err.text);
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

static float *gradient_of(const struct param *param)
{
    CHECK(param->tensor->grad, "%s has no gradient", param->name);
    float *numbers = mem_new(tensor_count(param->tensor), sizeof *numbers);
    tensor_download(numbers, param->tensor->grad);
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
        float *numbers = gradient_of(param), *wanted = gradient_of(arena_find(whole->arena, param->name));
        CHECK(memcmp(numbers, wanted, tensor_bytes(param->tensor)) == 0,
              "%s: another gradient than in a model that is all trained", param->name);
        free(numbers);
        free(wanted);
    }
}

/* What is trained has the gradients it would have anyway, and moves; what is not stays bit for bit. */
static void check_last_layers(struct device *dev, const struct golden *golden)
{
    const struct clip_training all = {.groups = ALL_GROUPS};
    const struct clip_training last = {.groups = ALL_GROUPS, .unlocked = {[GROUP_IMAGE] = 1, [GROUP_TEXT] = 1}};
    struct clip *whole = open_to_train(dev, golden->folder, &all), *clip = open_to_train(dev, golden->folder, &last);
    struct tape *tape = tape_new(dev, true), *other_tape = tape_new(dev, true);
    CHECK(run(tape, clip, golden) == run(other_tape, whole, golden), "locking layers changes the loss");
    check_gradients(clip, whole);
    tape_free(tape);
    tape_free(other_tape);
    clip_close(whole);
    clip_close(clip);

    clip = open_to_train(dev, golden->folder, &last);
    struct clip *before = open_to_train(dev, golden->folder, &last);
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

/* ---- updates of low rank ---- */

static const struct clip_training low_rank = {
    .groups = 1u << (GROUP_LORA + GROUP_IMAGE) | 1u << (GROUP_LORA + GROUP_TEXT) | 1u << GROUP_HEAD | 1u << GROUP_SCALE,
    .lora = {.rank = RANK, .alpha = 2 * RANK, .targets = (1u << LORA_TARGETS) - 1, .seed = 5},
};

static float loss_of(const struct clip *clip, const struct golden *golden)
{
    struct tape *tape = tape_new(clip->dev, false);
    float loss = run(tape, clip, golden);
    tape_free(tape);
    return loss;
}

static struct param *part_of(const struct clip *clip, const char *linear, const char *part)
{
    char name[128];
    snprintf(name, sizeof name, "%s.%s", linear, part);
    return arena_find(clip->arena, name);
}

/* The gradients of A and B are scale B^T dW and scale dW A^T, where dW is the merged weight's in a model without them.
 */
static void check_chain_rule(const struct clip *clip, const struct clip *merged, const char *linear)
{
    const struct param *a_param = part_of(clip, linear, "lora_a"), *b_param = part_of(clip, linear, "lora_b");
    int in = a_param->tensor->dim[1], out = b_param->tensor->dim[0];
    float *a = numbers_of(clip, a_param), *b = numbers_of(clip, b_param); // [RANK, in], [out, RANK]
    float *da = gradient_of(a_param), *db = gradient_of(b_param), *dw = gradient_of(part_of(merged, linear, "weight"));
    double *want_a = mem_new((size_t)(RANK * in), sizeof *want_a),
           *want_b = mem_new((size_t)(out * RANK), sizeof *want_b);
    const double scale = (double)low_rank.lora.alpha / RANK;
    for (int o = 0; o < out; o++)
        for (int i = 0; i < in; i++)
            for (int r = 0; r < RANK; r++) {
                want_a[r * in + i] += scale * (double)b[o * RANK + r] * (double)dw[o * in + i];
                want_b[o * RANK + r] += scale * (double)dw[o * in + i] * (double)a[r * in + i];
            }
    check_close(a_param->name, da, want_a, (size_t)(RANK * in), 1e-4);
    check_close(b_param->name, db, want_b, (size_t)(out * RANK), 1e-4);
    free(want_a);
    free(want_b);
    free(a);
    free(b);
    free(da);
    free(db);
    free(dw);
}

/* A trained model, and the folder it was saved in, where the updates are merged. */
static void check_merged(const struct clip *clip, const struct golden *golden, const char *folder)
{
    static const char *const linears[] = {"image.0.qkv", "image.1.out", "text.0.fc1", "text.1.fc2"};
    struct clip *merged = open_to_train(clip->dev, folder, &(struct clip_training){.groups = ALL_GROUPS});
    double loss = (double)loss_of(clip, golden);
    float got = loss_of(merged, golden);
    check_close("the loss of the merged model", &got, &loss, 1, 1e-5);
    struct tape *tape = tape_new(clip->dev, true), *merged_tape = tape_new(clip->dev, true);
    run(tape, clip, golden);
    run(merged_tape, merged, golden);
    for (size_t i = 0; i < sizeof linears / sizeof *linears; i++)
        check_chain_rule(clip, merged, linears[i]);
    tape_free(tape);
    tape_free(merged_tape);
    clip_close(merged);
}

static void check_update(const struct clip *clip, const struct safetensors *file, const char *theirs,
                         const char *ours /* all of it, or from this row on */, int row, int rows)
{
    char *name = mem_format("base_model.model.%s.weight", theirs);
    const struct stored_tensor *stored = safetensors_find(file, name);
    float *numbers = numbers_of(clip, arena_find(clip->arena, ours)), *got = mem_new(1 << 16, sizeof *got);
    struct error err;
    CHECK(stored && stored->ndim == 2 && stored->shape[0] == rows && stored->count < 1 << 16 &&
              safetensors_to_float(got, stored, &err) == 0 &&
              memcmp(got, numbers + row * stored->shape[1], (size_t)stored->count * sizeof *got) == 0,
          "%s was not saved as it is", name);
    free(got);
    free(numbers);
    free(name);
}

/* As peft names updates of transformers' modules, where query, key and value are three. */
static void check_adapter(const struct clip *clip, const char *model)
{
    struct error err;
    struct safetensors *file;
    char *folder = mem_format("%s/lora", model), *weights = mem_format("%s/adapter_model.safetensors", folder),
         *path = mem_format("%s/adapter_config.json", folder);
    CHECK(clip_save_lora(clip, folder, "base", &err) == 0 && safetensors_open(&file, weights, &err) == 0, "%s",
          err.text);
    int width = arena_find(clip->arena, "image.1.out.weight")->tensor->dim[0];
    const char *attention = "vision_model.encoder.layer.1.attention.attention.";
    char *value_a = mem_format("%svalue.lora_A", attention), *value_b = mem_format("%svalue.lora_B", attention);
    check_update(clip, file, value_a, "image.1.qkv.lora_a", 0, RANK);
    check_update(clip, file, value_b, "image.1.qkv.lora_b", 2 * width, width);
    check_update(clip, file, "text_model.encoder.layer.0.output.dense.lora_A", "text.0.fc2.lora_a", 0, RANK);
    json_t *config;
    CHECK(json_read(&config, path, &err) == 0, "%s", err.text);
    CHECK(json_int_or(config, "r", 0) == RANK && json_real_or(config, "lora_alpha", 0) == 2 * RANK &&
              strcmp(json_text_or(config, "base_model_name_or_path", ""), "base") == 0,
          "%s is of another update", path);
    enum { MODULES = 2 * 2 * 6, HEAD_TENSORS = 2 * 6 }; /* towers, layers, modules; heads */
    CHECK(json_array_size(json_object_get(config, "target_modules")) == MODULES &&
              safetensors_count(file) == 2 * MODULES + HEAD_TENSORS,
          "%d tensors of updates", safetensors_count(file));
    json_decref(config);
    safetensors_close(file);
    free(value_a);
    free(value_b);
    free(weights);
    free(path);
    free(folder);
}

static void check_low_rank(struct device *dev, const struct golden *golden)
{
    struct error err;
    struct clip *base = open_to_train(dev, golden->folder, &(struct clip_training){0});
    struct clip *clip = open_to_train(dev, golden->folder, &low_rank);
    CHECK(loss_of(clip, golden) == loss_of(base, golden), "updates do not start at zero");
    train(clip, golden);
    for (int i = 0; i < base->arena->count; i++) {
        const struct param *param = &base->arena->params[i];
        bool tower = param->group == GROUP_IMAGE || param->group == GROUP_TEXT;
        CHECK(!tower || is_same(base, clip, param->name), "%s moves", param->name);
    }
    char *folder = scratch_new();
    CHECK(clip_save(clip, folder, &err) == 0, "%s", err.text);
    check_merged(clip, golden, folder);
    check_adapter(clip, folder);
    scratch_free(folder);
    clip_close(clip);
    clip_close(base);
}

static void test(struct device *dev)
{
    struct golden golden = golden_open("training");
    check_last_layers(dev, &golden);
    check_low_rank(dev, &golden);
    golden_close(&golden);
}

int main(void)
{
    for_each_device(test);
    return EXIT_OK;
}
