/* bench: towers and training steps. MODEL is a preset with random weights (models/presets.h), or a folder. */
#include "models/presets.h"
#include "runtime/gemm/gemm.h"
#include "runtime/ops/adamw.h"
#include "runtime/ops/loss_scale.h"
#include "runtime/util/file.h"
#include "runtime/util/lines.h"
#include "runtime/util/random.h"
#include "tools/bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A model and one batch for it. */
struct step {
    struct clip *clip;
    struct tape *tape;
    unsigned char *pixels;     // [batch, side, side, 3]
    const char *photo;         /* the first of them is read from this file in each run; NULL: none */
    struct packed_texts texts; // batch texts
    int batch;
    struct adamw adamw;
};

static int open_model(struct bench *bench, struct step *step, const char *model, bool training, struct error *err)
{
    unsigned trained = training ? ~0u : 0;
    if (file_is_folder(model))
        return clip_open(&step->clip, bench->session.dev, model, trained, err);
    return preset_open(&step->clip, bench->session.dev, model, trained, 1, err);
}

/* Texts of --tokens random ids each, or the first lines of --texts through the model's tokenizer. */
static int make_texts(struct bench *bench, struct step *step, struct error *err)
{
    struct random random = random_begin(3);
    if (!bench->texts) {
        step->texts = (struct packed_texts){.count = step->batch, .total = step->batch * bench->tokens};
        step->texts.lengths = mem_new((size_t)step->batch, sizeof(int));
        step->texts.ids = mem_new((size_t)step->texts.total, sizeof(int));
        for (int i = 0; i < step->batch; i++)
            step->texts.lengths[i] = bench->tokens;
        for (int i = 0; i < step->texts.total; i++)
            step->texts.ids[i] = (int)random_below(&random, 1000);
        return 0;
    }
    struct string_list lines = {0};
    if (lines_read(&lines, bench->texts, LINES_FILLED, err) != 0)
        return -1;
    int result = 0;
    if (!step->clip->tokenizer && !bench->tokenizer)
        result = error_set(err, EXIT_USAGE, "this preset has no tokenizer: give --tokenizer DIR with --texts");
    else if (!step->clip->tokenizer)
        result = tokenizer_open(&step->clip->tokenizer, bench->tokenizer, err);
    if (result == 0 && lines.count < (size_t)step->batch)
        result =
            error_set(err, EXIT_BAD_DATA, "%s: %zu lines for a batch of %d", bench->texts, lines.count, step->batch);
    if (result == 0)
        texts_pack(&step->texts, step->clip, (const char *const *)lines.items, step->batch);
    string_list_free(&lines);
    return result;
}

static int step_open(struct bench *bench, struct step *step, const char *model, bool training, struct error *err)
{
    *step = (struct step){.batch = bench->batch};
    if (open_model(bench, step, model, training, err) != 0)
        return -1;
    if (bench->checkpointing)
        clip_checkpoint_blocks(step->clip, true);
    step->tape = tape_new(bench->session.dev, training);
    step->adamw = (struct adamw){.beta1 = 0.9f, .beta2 = 0.98f, .eps = 1e-6f};
    if (training && device_precision(bench->session.dev) == PRECISION_FP16)
        step->adamw.loss_scale = loss_scale_new(bench->session.dev);
    for (int group = 0; group < 4; group++)
        step->adamw.rates[group] = 1e-5f;
    if (step->clip->has_image) {
        size_t bytes = (size_t)step->batch * preprocess_bytes(&step->clip->preprocess);
        step->pixels = mem_new(bytes, 1);
        for (size_t i = 0; i < bytes; i++)
            step->pixels[i] = (unsigned char)(i * 2654435761u >> 13);
    }
    return step->clip->has_text ? make_texts(bench, step, err) : 0;
}

static void step_close(struct step *step)
{
    tape_free(step->tape);
    tensor_free(step->adamw.loss_scale);
    clip_close(step->clip);
    texts_free(&step->texts);
    free(step->pixels);
}

static struct tensor *image_features(struct step *step)
{
    int side = step->clip->preprocess.crop;
    return clip_image_features(step->tape, step->clip,
                               tape_upload(step->tape, DTYPE_U8, 4, (int[]){step->batch, side, side, 3}, step->pixels));
}

static struct tensor *text_features(struct step *step)
{
    return clip_text_features(step->tape, step->clip, step->texts.ids, step->texts.lengths, step->texts.count);
}

static void read_photo(struct step *step)
{
    struct error err;
    CHECK(preprocess_file(step->pixels, &step->clip->preprocess, step->photo, &err) == 0, "%s", err.text);
}

static void image_step(void *context)
{
    struct step *step = context;
    if (step->photo)
        read_photo(step);
    image_features(step);
    tape_reset(step->tape);
}

static void text_step(void *context)
{
    struct step *step = context;
    text_features(step);
    tape_reset(step->tape);
}

static void train_step(void *context)
{
    struct step *step = context;
    struct tensor *images = image_features(step);
    struct tensor *loss = clip_loss(step->tape, step->clip, images, text_features(step), NULL);
    step->adamw.step++;
    adamw_backward(step->tape, loss, step->clip->arena, &step->adamw);
    tape_reset(step->tape);
}

/* Multiply-adds of the matrix products of one forward pass, counted as two: 24 width^2 a token and block, and the
 * attention of each to `context` tokens. The last block goes on with `wanted` rows only (wanted_rows of transformer.h).
 * Beside the blocks a vision transformer has the patch embedding; a ResNet the convolutions, and the attention's
 * projections. */
static double block_flops(const struct transformer_config *blocks, double tokens, double context, double wanted)
{
    double width = blocks->width, mlp = blocks->mlp_width;
    double attention = 6 * width * width + 4 * context * width, rest = 2 * width * width + 4 * width * mlp;
    return blocks->layers * tokens * attention + ((blocks->layers - 1) * tokens + wanted) * rest;
}

static double vit_flops(const struct vit_config *vit)
{
    double side = vit->image_side / vit->patch, patches = side * side;
    return block_flops(&vit->blocks, patches + 1, patches + 1, 1) +
           2 * patches * 3 * vit->patch * vit->patch * vit->blocks.width;
}

/* And `side` becomes that of its output. */
static double unit_flops(const struct resnet_unit *unit, double *side)
{
    if (!unit->weight)
        return 0;
    *side = ceil(floor(*side / unit->average) / unit->stride);
    return 2 * (double)tensor_count(unit->weight) * *side * *side;
}

static double resnet_flops(const struct resnet *resnet, double side)
{
    double flops = 0;
    for (int i = 0; i < RESNET_UNITS; i++)
        flops += unit_flops(&resnet->stem[i], &side);
    side = ceil(side / 2);
    for (int b = 0; b < resnet->block_count; b++) {
        double outer = side;
        flops += unit_flops(&resnet->blocks[b].shortcut, &outer);
        for (int i = 0; i < RESNET_UNITS; i++)
            flops += unit_flops(&resnet->blocks[b].units[i], &side);
    }
    return flops + (resnet->qkv.weight ? 2 * (double)tensor_count(resnet->qkv.weight) * (side * side + 1) : 0);
}

static double image_flops(const struct step *step)
{
    const struct image_tower *image = &step->clip->image;
    return step->batch * (image->kind == &image_vit ? vit_flops(&image->vit.config)
                                                    : resnet_flops(&image->resnet, step->clip->preprocess.crop));
}

static double text_flops(const struct step *step)
{
    const struct text_config *text = &step->clip->text.config;
    double flops = 0;
    for (int i = 0; i < step->texts.count; i++) {
        double tokens = step->texts.lengths[i], context = text->blocks.causal ? tokens / 2 : tokens;
        flops += block_flops(&text->blocks, tokens, context,
                             text->blocks.causal || text->pooling != POOLING_MEAN ? 1 : tokens);
    }
    return flops;
}

static int run_model(struct bench *bench, const char *what, const char *const *words, int count, struct error *err)
{
    static const struct {
        const char *what;
        void (*step)(void *context);
        bool image, text;
        double passes; /* a backward pass is two more forward ones */
    } kinds[] = {{"image", image_step, true, false, 1},
                 {"text", text_step, false, true, 1},
                 {"train", train_step, true, true, 3}};
    size_t kind = 0;
    while (strcmp(kinds[kind].what, what) != 0)
        kind++;
    if (count < 1)
        return error_set(err, EXIT_USAGE, "%s wants a model: a preset (%s) or a folder", what, preset_names());
    struct step step;
    int result = step_open(bench, &step, words[0], kinds[kind].passes > 1, err);
    step.photo = count > 1 ? words[1] : NULL;
    if (step.photo && result == 0 && !file_exists(step.photo))
        result = error_set(err, EXIT_USAGE, "no photo %s", step.photo);
    if (result == 0 && ((kinds[kind].image && !step.clip->has_image) || (kinds[kind].text && !step.clip->has_text)))
        result = error_set(err, EXIT_USAGE, "%s has no tower for \"%s\"", words[0], what);
    if (result == 0) {
        struct bench_work work = {
            .items = step.batch,
            .flops = kinds[kind].passes *
                     ((kinds[kind].image ? image_flops(&step) : 0) + (kinds[kind].text ? text_flops(&step) : 0)),
        };
        char name[160];
        snprintf(name, sizeof name, "%s %s, batch %d%s%s", what, words[0], step.batch, bench->texts ? ", texts " : "",
                 bench->texts ? bench->texts : "");
        result = bench_time(bench, name, kinds[kind].step, &step, &work, err);
    }
    step_close(&step);
    return result;
}

static int run_image(struct bench *bench, const char *const *words, int count, struct error *err)
{
    return run_model(bench, "image", words, count, err);
}

static int run_text(struct bench *bench, const char *const *words, int count, struct error *err)
{
    return run_model(bench, "text", words, count, err);
}

static int run_train(struct bench *bench, const char *const *words, int count, struct error *err)
{
    return run_model(bench, "train", words, count, err);
}

static void print_choice(void *context, const char *work, const char *choice, double gflops)
{
    const struct bench *bench = context;
    if (bench->session.json)
        printf("{\"case\":\"tune\",\"work\":\"%s\",\"choice\":\"%s\",\"gflops\":%.6g}\n", work, choice, gflops);
    else if (gflops > 0)
        printf("%-36s %-36s %8.1f GFLOP/s\n", work, choice, gflops);
    else
        printf("%-36s %-36s not measured\n", work, choice);
}

/* Every product that training on --batch pairs makes, and looking at a single picture or text. */
static void make_all_products(struct step *step)
{
    const struct clip *clip = step->clip;
    if (clip->has_image && clip->has_text)
        train_step(step);
    step->batch = 1;
    step->texts.total = step->texts.lengths ? step->texts.lengths[0] : 0;
    step->texts.count = step->texts.lengths ? 1 : 0;
    if (clip->has_image)
        image_step(step);
    if (clip->has_text)
        text_step(step);
}

static int run_tune(struct bench *bench, const char *const *words, int count, struct error *err)
{
    struct step step;
    if (count < 1)
        return error_set(err, EXIT_USAGE, "tune wants a model: a preset (%s) or a folder", preset_names());
    gemm_set_tuning(bench->session.dev, bench->session.tune ? bench->session.tune : "full");
    int result = step_open(bench, &step, words[0], true, err);
    if (result == 0) {
        make_all_products(&step);
        result = device_finish(bench->session.dev, err);
    }
    if (result == 0)
        gemm_each_choice(bench->session.dev, print_choice, bench);
    step_close(&step);
    return result;
}

const struct bench_case bench_model_cases[] = {
    {"image", "MODEL [PHOTO]", "pictures through the image tower; the first from this file, decoded in each run",
     run_image},
    {"text", "MODEL", "texts through the text tower: --tokens random ids each, or --texts", run_text},
    {"train", "MODEL", "a training step: forward, backward, AdamW", run_train},
    {"tune", "MODEL", "look for the fastest products of this model (--tune full by default), and keep what is found",
     run_tune},
    {0},
};
