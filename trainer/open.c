/* Opens what a run needs, in order: data, device, folder, model, cached features, where heads start, the plan. */
#include "runtime/gemm/gemm.h"
#include "runtime/ops/loss_scale.h"
#include "runtime/ops/step_guard.h"
#include "runtime/paths.h"
#include "runtime/profile.h"
#include "trainer/trained.h"
#include "trainer/trainer.h"
#include "trainer/vocabulary.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* A model that exists keeps its loss unless another is asked for. */
static int open_saved_model(struct trainer *t, struct error *err)
{
    const struct settings *s = &t->settings;
    const struct clip_training training = trained_parts(s);
    if (clip_open_to_train(&t->clip, t->dev, s->model, &training, err) != 0)
        return -1;
    if (s->loss)
        t->clip->sigmoid_loss = settings_wants_sigmoid_loss(s);
    if (t->clip->sigmoid_loss && !t->clip->logit_bias)
        return error_set(err, EXIT_USAGE, "--loss siglip: %s has no logit bias; it was made for --loss clip", s->model);
    return 0;
}

static int open_model(struct trainer *t, struct error *err)
{
    const struct settings *s = &t->settings;
    bool tiny = settings_is_tiny(s);
    if (settings_saved_model(s))
        return open_saved_model(t, err);
    if (!tiny && !s->image_model)
        return error_set(err, EXIT_USAGE,
                         "no model: give --image-model and --text-model, or --model DIR, or --model tiny");
    struct clip_recipe recipe = {
        .image_folder = s->image_model,
        .text_folder = s->text_model,
        .head = strcmp(s->head, "linear") == 0 ? HEAD_LINEAR : HEAD_MLP,
        .embed_dim = s->embed_dim,
        .head_dropout = (float)s->dropout,
        .max_tokens = s->max_tokens,
        .raw_scale = s->seed_faults,
        .unnormalised = s->seed_faults,
        .sigmoid_loss = settings_wants_sigmoid_loss(s),
        .tiny = tiny,
        .seed = (uint64_t)s->seed,
    };
    const struct clip_training training = trained_parts(s);
    char *tokenizer = path_join(t->folder, "tokenizer");
    int result = 0;
    if (tiny) {
        recipe.text_folder = tokenizer;
        result = vocabulary_write(tokenizer, &t->data.texts, 8000, err);
    }
    if (result == 0)
        result = clip_create_to_train(&t->clip, t->dev, &recipe, &training, err);
    free(tokenizer);
    return result;
}

static void set_training(struct trainer *t)
{
    t->clip->image_head.dropout = t->clip->text_head.dropout = (float)t->settings.dropout;
    if (t->settings.dropout == 0)
        t->clip->text.config.blocks.dropout = t->clip->text.blocks.config.dropout = 0;
    clip_checkpoint_blocks(t->clip, t->settings.grad_checkpointing);
}

/* Photos that could not be read leave the data. */
static int leave_out(struct trainer *t, const bool *bad, struct error *err)
{
    size_t count = 0;
    for (size_t i = 0; i < t->data.photos.count; i++) {
        if (bad[i])
            bad_samples_add_photo(&t->bad, &t->clip->preprocess, t->data.photos.items[i]);
        count += bad[i];
    }
    dataset_drop(&t->data, bad);
    return bad_samples_check(&t->bad, count, t->data.photos.count, err);
}

/* Features of locked towers; photos that turn out unreadable leave the data. */
static int open_features(struct trainer *t, struct error *err)
{
    const struct settings *s = &t->settings;
    bool standardise = t->clip->image_head.kind == HEAD_MLP && !s->seed_faults;
    bool saved = settings_saved_model(s); /* its heads take raw features */
    if (s->augments && s->lock_image)
        report_note(t, "--aug-cfg makes each photo new in each epoch: --lock-image's features are not cached");
    if (t->data.stream && !s->val_data)
        report_note(t, "shards are streamed: nothing is held out to validate on; --val-data names what to");
    if (t->data.stream && (s->lock_image || s->lock_text))
        report_note(t, "shards are streamed: features of locked towers are not cached");
    if (s->lock_image && !s->augments && !t->data.stream) {
        bool *bad = mem_new(t->data.photos.count, sizeof *bad);
        int result = features_of_images(&t->images, bad, t->clip, &t->data, s, err);
        if (result == 0)
            result = leave_out(t, bad, err);
        free(bad);
        if (result != 0)
            return -1;
        if (standardise)
            features_standardise(&t->images, t->data.train.photos, (size_t)t->data.train.photo_count);
        if (standardise && saved)
            features_absorb(&t->clip->image_head, "image_head", t->clip->arena, &t->images);
    }
    if (!s->lock_text || t->data.stream)
        return 0;
    if (features_of_texts(&t->texts, t->clip, &t->data, s, err) != 0)
        return -1;
    if (!standardise)
        return 0;
    size_t count;
    int *pairs = dataset_train_pairs(&t->data, &count); // [2, count]
    features_standardise(&t->texts, pairs + count, count);
    if (saved)
        features_absorb(&t->clip->text_head, "text_head", t->clip->arena, &t->texts);
    free(pairs);
    return 0;
}

static void plan_steps(struct trainer *t)
{
    struct settings *s = &t->settings;
    int pairs = dataset_epoch_size(&t->data, s);
    int least = s->ranks > 2 ? s->ranks : 2;
    long of_epoch = pairs / settings_step_pairs(s) + (pairs % settings_step_pairs(s) >= least);
    long steps = of_epoch * s->epochs, most = s->max_steps > 0 ? s->max_steps : INT_MAX;
    t->total_steps = (int)(steps < most ? steps : most);
    if (s->warmup < 0) /* Adam's first steps are as long as the rate allows: random weights are thrown far by them */
        s->warmup = settings_is_tiny(s) ? t->total_steps / 10 : 0;
    t->schedule = (struct schedule){.scheduler = s->scheduler,
                                    .warmup = s->warmup,
                                    .steps = t->total_steps,
                                    .cooldown = s->epochs_cooldown * of_epoch,
                                    .factor = 1};
}

/* Data that cannot be used leaves the list of what is wrong with it. */
static int open_data(struct trainer *t, struct error *err)
{
    struct error ignored;
    t->bad = (struct bad_samples){.limit = t->settings.max_bad_samples, .quiet = t->settings.quiet};
    if (t->settings.ranks > (1 << 24) / t->settings.batch_size / t->settings.accum_freq)
        return error_set(err, EXIT_USAGE, "--batch-size %d x --accum-freq %d x %d ranks are more than %d pairs a step",
                         t->settings.batch_size, t->settings.accum_freq, t->settings.ranks, 1 << 24);
    if (dataset_open(&t->data, &t->settings, &t->bad, err) == 0)
        return 0;
    if (t->ranks->rank == 0 && t->bad.known.list.count > 0 && places_choose_folder(t, &ignored) == 0 &&
        bad_samples_open(&t->bad, t->folder, &ignored) == 0)
        report_note(t, "what is broken is listed in %s/bad_samples.jsonl", t->folder);
    return -1;
}

static int open_device(struct trainer *t, struct error *err)
{
    char *device = places_choose_device(t);
    int result = device_open(&t->dev, device, err);
    free(device);
    if (result != 0 || device_go_without(t->dev, t->settings.without, err) != 0)
        return -1;
    buffer_limit(t->dev, t->settings.max_memory);
    if (t->settings.profile)
        device_profile_start(t->dev);
    gemm_set_tuning(t->dev, t->settings.tune);
    gemm_set_precision(t->dev, t->settings.precision);
    return 0;
}

/* One after the other: drivers start up in the first call, and some do not expect it from two threads. */
static int open_devices(struct trainer *t, struct error *err)
{
    for (int r = 0; r < t->ranks->count; r++)
        if (ranks_agree(t->ranks, r == t->ranks->rank ? open_device(t, err) : 0, err) != 0)
            return -1;
    return 0;
}

/* All ranks work in the folder that rank 0 chooses, and it alone writes to it. */
static int open_folder(struct trainer *t, struct error *err)
{
    char folder[4096] = "";
    int result = 0;
    if (t->ranks->rank == 0) {
        result = places_choose_folder(t, err);
        if (result == 0)
            result = report_open(t, err);
        if (result == 0)
            result = bad_samples_open(&t->bad, t->folder, err);
        snprintf(folder, sizeof folder, "%s", t->folder ? t->folder : "");
    }
    ranks_tell(t->ranks, folder, sizeof folder);
    if (t->ranks->rank > 0)
        t->folder = mem_format("%s", folder);
    return result;
}

static void note_devices(struct trainer *t)
{
    const char *label = device_info(t->dev)->label;
    enum { ROOM = sizeof device_info(t->dev)->label };
    char *labels = mem_new((size_t)t->ranks->count, ROOM); // [count, ROOM]
    ranks_gather_each(t->ranks, labels, label, ROOM);
    for (int r = 0; r < t->ranks->count; r++)
        report_note(t, "%s", labels + (size_t)r * ROOM);
    free(labels);
}

static int open_parts(struct trainer *t, struct error *err)
{
    if (open_model(t, err) != 0 || settings_check_loss(&t->settings, t->clip->sigmoid_loss, err) != 0)
        return -1;
    if (clip_precision_note(t->clip))
        report_note(t, "%s", clip_precision_note(t->clip));
    t->clip->preprocess.upright |= t->settings.exif_orientation;
    if (strcmp(t->settings.precision, "fp32") != 0) /* features are cached by the fingerprint */
        hash_add_text(&t->clip->fingerprint, t->settings.precision);
    set_training(t);
    return teacher_open(&t->teacher, t->clip, &t->settings, err) != 0 ? -1 : open_features(t, err);
}

/* Rank 0 before the others, who find features in the cache then. */
static int open_in_turn(struct trainer *t, struct error *err)
{
    int result = t->ranks->rank == 0 ? open_parts(t, err) : 0;
    if (ranks_agree(t->ranks, result, err) != 0)
        return -1;
    return t->ranks->rank > 0 ? open_parts(t, err) : 0;
}

static int open_steps(struct trainer *t, struct error *err)
{
    trainer_start_heads(t);
    plan_steps(t);
    t->position = (struct position){.best = -1};
    if (t->settings.ema_decay > 0)
        arena_start_average(t->clip->arena);
    t->tape = tape_new(t->dev, true);
    if (device_precision(t->dev) == PRECISION_FP16)
        t->loss_scale = loss_scale_new(t->dev);
    t->guard = step_guard_new(t->dev);
    t->losses = tensor_new(t->dev, DTYPE_F32, 2, (int[]){LOSS_SLOTS, STEP_GUARD_NUMBERS});
    if (t->settings.zero && t->clip->arena->trained_numbers > 0)
        arena_shard(t->clip->arena, t->ranks->rank, t->ranks->count);
    t->grad_sum = grad_sum_new(t->clip->arena, t->ranks);
    t->share = share_equally(t->ranks->count, settings_step_pairs(&t->settings));
    t->counts = mem_new((size_t)t->ranks->count, sizeof *t->counts);
    report_note(t, "%d photos to train on, %d to validate on; %d steps of %d pairs in %d epochs; run folder %s",
                t->data.train.photo_count, t->data.val.photo_count, t->total_steps, settings_step_pairs(&t->settings),
                t->settings.epochs, t->folder);
    return plan_choose(t, err);
}

static int open_position(struct trainer *t, struct error *err)
{
    int found = t->settings.resume ? trainer_resume(t, err) : 1;
    if (found == 0)
        report_note(t, "resumed at epoch %d, step %d", t->position.epoch + 1, t->position.step);
    else if (found > 0 && t->settings.resume)
        report_note(t, "no checkpoint in %s yet: the run begins anew", t->folder);
    return found < 0 ? -1 : 0;
}

/* After each part, all ranks could open it, or none goes on. */
int trainer_open(struct trainer *t, struct error *err)
{
    static int (*const parts[])(struct trainer *, struct error *) = {open_data,    open_devices, open_folder,
                                                                     open_in_turn, open_steps,   open_position};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (ranks_agree(t->ranks, parts[i](t, err), err) != 0)
            return -1;
        if (parts[i] == open_folder)
            note_devices(t);
    }
    return ranks_agree(t->ranks, t->ranks->rank == 0 ? report_start(t, err) : 0, err);
}

int trainer_write_profile(struct trainer *t, struct error *err)
{
    if (!t->settings.profile || !t->dev)
        return 0;
    device_profile_table(t->dev, stderr);
    return device_profile_write(t->dev, t->settings.profile, err);
}

void trainer_close(struct trainer *t)
{
    report_close(t);
    loader_close(t->loader);
    features_free(&t->images);
    features_free(&t->texts);
    grad_sum_free(t->grad_sum);
    tensor_free(t->losses);
    tensor_free(t->guard);
    tensor_free(t->loss_scale);
    tape_free(t->tape);
    teacher_close(&t->teacher);
    clip_close(t->clip);
    device_close(t->dev);
    dataset_free(&t->data);
    bad_samples_close(&t->bad);
    share_free(&t->share);
    free(t->counts);
    free(t->best_values);
    free(t->folder);
}
