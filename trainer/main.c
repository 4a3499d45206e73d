/* ./trainer: opens data, device and model, runs the epochs, leaves a model folder. */
#include "runtime/gemm/gemm.h"
#include "runtime/ops/loss_scale.h"
#include "runtime/ops/step_guard.h"
#include "runtime/paths.h"
#include "runtime/profile.h"
#include "trainer/trained.h"
#include "trainer/trainer.h"
#include "trainer/vocabulary.h"

#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

static volatile sig_atomic_t stop_requested;
static void request_stop(int signal_number)
{
    (void)signal_number;
    stop_requested = 1;
}

/* ---- where things are ---- */

static char *run_name(void)
{
    time_t now = time(NULL);
    struct tm parts;
    char name[32];
    localtime_r(&now, &parts);
    strftime(name, sizeof name, "%Y%m%d-%H%M%S", &parts);
    return mem_format("%s", name);
}

/* The run changed last below `out`, or NULL. */
static char *latest_run(const char *out)
{
    char *latest = NULL;
    struct timespec newest = {0};
    DIR *stream = opendir(out);
    for (struct dirent *entry; stream && (entry = readdir(stream));) {
        char *checkpoints = mem_format("%s/%s/checkpoints", out, entry->d_name);
        struct stat status;
        bool newer = entry->d_name[0] != '.' && stat(checkpoints, &status) == 0 &&
                     (status.st_mtim.tv_sec > newest.tv_sec ||
                      (status.st_mtim.tv_sec == newest.tv_sec && status.st_mtim.tv_nsec > newest.tv_nsec));
        if (newer) {
            newest = status.st_mtim;
            free(latest);
            latest = path_join(out, entry->d_name);
        }
        free(checkpoints);
    }
    if (stream)
        closedir(stream);
    return latest;
}

static int choose_folder(struct trainer *t, struct error *err)
{
    const struct settings *s = &t->settings;
    if (s->resume && strcmp(s->resume, "latest") != 0) {
        t->folder = mem_format("%s", s->resume);
    } else if (s->name) {
        t->folder = path_join(s->out, s->name);
    } else if (s->resume) {
        t->folder = latest_run(s->out);
        if (!t->folder)
            return error_set(err, EXIT_BAD_DATA, "--resume latest: no run with a checkpoint in %s", s->out);
    } else {
        char *name = run_name();
        t->folder = path_join(s->out, name);
        free(name);
    }
    return file_make_folders(t->folder, err);
}

/* With no data named: the sample, and the pretrained towers if tools/demo.sh has fetched them. */
static void choose_sample(struct settings *s)
{
    static const char *const places[] = {"towers", "build/towers"};
    s->train_data = OCLIP_SAMPLE "/captions.csv";
    s->image_root = OCLIP_SAMPLE "/images";
    fprintf(stderr, "no --train-data: training on the sample that ships, %s\n", s->train_data);
    for (int i = 0; i < 2 && !s->model && !s->image_model; i++) {
        char *image = path_join(places[i], "dinov2-small"), *text = path_join(places[i], "all-MiniLM-L6-v2");
        if (file_is_folder(image) && file_is_folder(text)) {
            s->image_model = image;
            s->text_model = text;
            fprintf(stderr, "with the pretrained towers in %s\n", places[i]);
            return;
        }
        free(image);
        free(text);
    }
    if (!s->model && !s->image_model) {
        s->model = "tiny";
        fprintf(stderr, "without pretrained towers (sh tools/demo.sh fetches them): a small pair from scratch\n");
    }
}

/* ---- opening ---- */

static bool wants_sigmoid_loss(const struct settings *s)
{
    return s->loss && strcmp(s->loss, "siglip") == 0;
}

/* A model that exists keeps its loss unless another is asked for. */
static int open_saved_model(struct trainer *t, struct error *err)
{
    const struct settings *s = &t->settings;
    const struct clip_training training = trained_parts(s);
    if (clip_open_to_train(&t->clip, t->dev, s->model, &training, err) != 0)
        return -1;
    if (s->loss)
        t->clip->sigmoid_loss = wants_sigmoid_loss(s);
    if (t->clip->sigmoid_loss && !t->clip->logit_bias)
        return error_set(err, EXIT_USAGE, "--loss siglip: %s has no logit bias; it was made for --loss clip", s->model);
    return 0;
}

static int open_model(struct trainer *t, struct error *err)
{
    const struct settings *s = &t->settings;
    bool tiny = s->model && strcmp(s->model, "tiny") == 0;
    if (s->model && !tiny)
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
        .sigmoid_loss = wants_sigmoid_loss(s),
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
    if (t->settings.no_tower_dropout)
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
    bool standardise = t->clip->image_head.kind == HEAD_MLP && !s->seed_faults && strcmp(s->recipe, "default") == 0;
    bool saved = s->model && strcmp(s->model, "tiny") != 0; /* its heads take raw features */
    if (s->augments && s->lock_image)
        report_note(t, "--aug-cfg makes each photo new in each epoch: --lock-image's features are not cached");
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
    int *rows = mem_new(t->data.texts.count, sizeof *rows), count = 0; // texts of the training photos
    for (int i = 0; i < t->data.train.photo_count; i++) {
        int photo = t->data.train.photos[i];
        for (int text = t->data.first_text[photo]; text < t->data.first_text[photo + 1]; text++)
            rows[count++] = text;
    }
    features_standardise(&t->texts, rows, (size_t)count);
    if (saved)
        features_absorb(&t->clip->text_head, "text_head", t->clip->arena, &t->texts);
    free(rows);
    return 0;
}

static void plan_steps(struct trainer *t)
{
    const struct settings *s = &t->settings;
    int pairs = dataset_epoch_size(&t->data, s);
    t->steps_per_epoch = pairs / settings_step_pairs(s) + (pairs % settings_step_pairs(s) >= 2);
    long steps = (long)t->steps_per_epoch * s->epochs;
    t->total_steps = s->max_steps > 0 && s->max_steps < steps ? s->max_steps : (int)steps;
    t->schedule = (struct schedule){.scheduler = s->scheduler,
                                    .warmup = s->warmup,
                                    .steps = t->total_steps,
                                    .cooldown = (long)s->epochs_cooldown * t->steps_per_epoch,
                                    .factor = 1};
}

/* Data that cannot be used leaves the list of what is wrong with it. */
static int open_data(struct trainer *t, struct error *err)
{
    struct error ignored;
    t->bad = (struct bad_samples){.limit = t->settings.max_bad_samples, .quiet = t->settings.quiet};
    if (dataset_open(&t->data, &t->settings, &t->bad, err) == 0)
        return 0;
    if (t->bad.known.list.count > 0 && choose_folder(t, &ignored) == 0 &&
        bad_samples_open(&t->bad, t->folder, &ignored) == 0)
        report_note(t, "what is broken is listed in %s/bad_samples.jsonl", t->folder);
    return -1;
}

static int open_all(struct trainer *t, struct error *err)
{
    if (t->settings.sample)
        choose_sample(&t->settings);
    if (open_data(t, err) != 0 || device_open(&t->dev, t->settings.device, err) != 0 ||
        device_go_without(t->dev, t->settings.without, err) != 0)
        return -1;
    buffer_limit(t->dev, t->settings.max_memory);
    if (t->settings.profile)
        device_profile_start(t->dev);
    if (choose_folder(t, err) != 0 || report_open(t, err) != 0 || bad_samples_open(&t->bad, t->folder, err) != 0)
        return -1;
    gemm_set_tuning(t->dev, t->settings.tune);
    report_note(t, "%s", device_info(t->dev)->label);
    gemm_set_precision(t->dev, t->settings.precision);
    if (open_model(t, err) != 0)
        return -1;
    if (clip_precision_note(t->clip))
        report_note(t, "%s", clip_precision_note(t->clip));
    t->clip->preprocess.upright |= t->settings.exif_orientation;
    if (strcmp(t->settings.precision, "fp32") != 0) /* features are cached by the fingerprint */
        hash_add_text(&t->clip->fingerprint, t->settings.precision);
    set_training(t);
    if (teacher_open(&t->teacher, t->clip, &t->settings, err) != 0 || open_features(t, err) != 0)
        return -1;
    plan_steps(t);
    t->position = (struct position){.best = -1};
    if (t->settings.ema_decay > 0)
        arena_start_average(t->clip->arena);
    t->tape = tape_new(t->dev, true);
    if (device_precision(t->dev) == PRECISION_FP16)
        t->loss_scale = loss_scale_new(t->dev);
    t->guard = step_guard_new(t->dev);
    t->losses = tensor_new(t->dev, DTYPE_F32, 2, (int[]){LOSS_SLOTS, STEP_GUARD_NUMBERS});
    report_note(t, "%d photos to train on, %d to validate on; %d steps of %d pairs in %d epochs; run folder %s",
                t->data.train.photo_count, t->data.val.photo_count, t->total_steps, settings_step_pairs(&t->settings),
                t->settings.epochs, t->folder);
    if (plan_choose(t, err) != 0)
        return -1;
    int found = t->settings.resume ? trainer_resume(t, err) : 1;
    if (found == 0)
        report_note(t, "resumed at epoch %d, step %d", t->position.epoch + 1, t->position.step);
    return found < 0 ? -1 : report_start(t, err);
}

/* However the run ended: what failed may be what the trace shows. */
static int write_profile(struct trainer *t, struct error *err)
{
    if (!t->settings.profile || !t->dev)
        return 0;
    device_profile_table(t->dev, stderr);
    return device_profile_write(t->dev, t->settings.profile, err);
}

static void close_all(struct trainer *t)
{
    report_close(t);
    loader_close(t->loader);
    features_free(&t->images);
    features_free(&t->texts);
    tensor_free(t->losses);
    tensor_free(t->guard);
    tensor_free(t->loss_scale);
    tape_free(t->tape);
    teacher_close(&t->teacher);
    clip_close(t->clip);
    device_close(t->dev);
    dataset_free(&t->data);
    bad_samples_close(&t->bad);
    free(t->best_values);
    free(t->folder);
}

/* ---- running ---- */

static bool save_is_due(const struct trainer *t, double *saved_at)
{
    bool due = t->settings.save_frequency > 0 ? t->position.epoch % t->settings.save_frequency == 0
                                              : clock_seconds() - *saved_at > 60;
    if (due)
        *saved_at = clock_seconds();
    return due;
}

static int run_epoch(struct trainer *t, struct evaluation *evaluation, struct error *err)
{
    double start = t->logged_at = clock_seconds();
    int first_step = t->position.step;
    if (trainer_epoch(t, &stop_requested, err) != 0)
        return -1;
    double rate = t->settings.lr_head * schedule_factor(&t->schedule, t->position.step);
    report_flush(t, rate);
    if (soundness_check(t, err) != 0)
        return -1;
    if (stop_requested)
        return 0;
    double seconds = clock_seconds() - start;
    t->all_waited += t->epoch_waited;
    t->all_seconds += seconds;
    if (trainer_evaluate(t, evaluation, err) != 0)
        return -1;
    report_epoch(t, evaluation, seconds, (t->position.step - first_step) * settings_step_pairs(&t->settings), rate);
    report_page(t, false);
    schedule_epoch_done(&t->schedule, evaluation->loss);
    t->position.epoch++;
    t->position.pair = 0;
    return 0;
}

static int run(struct trainer *t, struct error *err)
{
    double saved_at = clock_seconds();
    struct evaluation last = {0};
    t->bar = progress_begin("training", t->total_steps, "steps", t->settings.quiet);
    while (t->position.step < t->total_steps && t->position.epoch < t->settings.epochs && !stop_requested)
        if (run_epoch(t, &last, err) != 0 || (save_is_due(t, &saved_at) && trainer_save(t, err) != 0))
            return -1;
    progress_end(&t->bar);
    report_page(t, true);
    if (trainer_save(t, err) != 0)
        return -1;
    if (stop_requested) {
        report_note(t, "interrupted; go on with --resume %s", t->folder);
        return 0;
    }
    if (t->position.best >= 0) {
        char recall[160];
        report_recall(recall, sizeof recall, &last);
        report_note(t, "last epoch: %s; best mean recall %.1f %% in epoch %d", recall, 100 * t->position.best,
                    t->position.best_epoch + 1);
    }
    report_note(t, "model: %s/model; waited for data %.1f %% of the time; device memory at most %.1f MB", t->folder,
                t->all_seconds > 0 ? 100 * t->all_waited / t->all_seconds : 0, (double)buffer_bytes_peak(t->dev) / 1e6);
    return 0;
}

int main(int argc, char **argv)
{
    struct trainer t = {0};
    struct error err = {0};
    if (settings_read(&t.settings, argc, argv, &err) != 0)
        return error_report(&err);
    struct sigaction action = {.sa_handler = request_stop};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);

    int code = EXIT_OK;
    if (open_all(&t, &err) != 0) {
        code = error_report(&err);
    } else if ((t.settings.dry_run ? plan_print(&t, &err) : run(&t, &err)) != 0) {
        code = error_report(&err);
        if (code == EXIT_NO_MEMORY)
            plan_advise(&t);
        if (trainer_is_saved(&t))
            report_note(&t, "what was saved goes on with --resume %s", t.folder);
    } else if (stop_requested) {
        code = EXIT_INTERRUPTED;
    }
    if (write_profile(&t, &err) != 0)
        code = error_report(&err);
    close_all(&t);
    return code;
}
