/* What a run says: the progress bar, out.log, params.txt, records of steps and epochs, TensorBoard's curves. */
#include "runtime/ops/loss_scale.h"
#include "runtime/ops/step_guard.h"
#include "trainer/page.h"
#include "trainer/records.h"
#include "trainer/tensorboard.h"
#include "trainer/trainer.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int report_open(struct trainer *t, struct error *err)
{
    char *log = path_join(t->folder, "out.log");
    t->log = fopen(log, "a");
    int result = t->log ? 0 : error_set(err, EXIT_FAILED, "%s: cannot be written", log);
    free(log);
    return result;
}

int report_start(struct trainer *t, struct error *err)
{
    const int step = t->position.step;
    char *params = path_join(t->folder, "params.txt");
    int written = settings_write(&t->settings, params, err);
    free(params);
    if (written != 0 || records_open(&t->results, t->folder, "results.jsonl", step, err) != 0 ||
        records_open(&t->steps, t->folder, "steps.jsonl", step, err) != 0 ||
        records_open(&t->examples, t->folder, "examples.jsonl", step, err) != 0)
        return -1;
    if (strcmp(t->settings.report_to, "tensorboard") != 0)
        return 0;
    char *folder = path_join(t->folder, "tensorboard");
    int result = tensorboard_open(&t->events, folder, step, err);
    free(folder);
    return result;
}

void report_close(struct trainer *t)
{
    FILE *const streams[] = {t->log, t->results, t->steps, t->examples, t->events};
    for (size_t i = 0; i < sizeof streams / sizeof *streams; i++)
        if (streams[i])
            fclose(streams[i]);
}

static void write_log(struct trainer *t, const char *text)
{
    if (!t->log)
        return;
    time_t now = time(NULL);
    struct tm parts;
    char stamp[32];
    gmtime_r(&now, &parts);
    strftime(stamp, sizeof stamp, "%Y-%m-%d %H:%M:%S", &parts);
    fprintf(t->log, "%s | %s\n", stamp, text);
    fflush(t->log);
}

void report_note(struct trainer *t, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    write_log(t, text);
    if (!t->settings.quiet)
        fprintf(stderr, "%s%s\n", t->bar.visible ? "\r\033[K" : "", text);
}

/* Steps that were skipped since the last line. */
static void report_skipped(struct trainer *t)
{
    float scale[LOSS_SCALE_NUMBERS];
    if (!t->loss_scale)
        return;
    loss_scale_download(scale, t->loss_scale);
    int skipped = (int)scale[LOSS_SCALE_SKIPPED];
    if (skipped > t->skipped)
        report_note(t,
                    "%d of the steps up to %d skipped: their gradients left fp16's range; the loss is now scaled by %g",
                    skipped - t->skipped, t->position.step, (double)scale[LOSS_SCALE_FACTOR]);
    t->skipped = skipped;
}

/* The heads' learning rate in a step of the run, counted from 1. */
static double rate_of(const struct trainer *t, int step)
{
    return t->settings.lr_head * schedule_factor(&t->schedule, step - 1);
}

static double mean_loss(const struct trainer *t)
{
    return t->epoch_losses ? t->epoch_loss / t->epoch_losses : 0;
}

static void write_scalar(struct trainer *t, const char *tag, int step, double value)
{
    if (t->events)
        tensorboard_scalar(t->events, tag, step, value);
}

/* steps [t->unlogged, STEP_GUARD_NUMBERS]: those since the last line. */
static void record_steps(struct trainer *t, const float *steps)
{
    double seconds = clock_seconds() - t->logged_at;
    double pairs_per_s = seconds > 0 ? t->unlogged * settings_step_pairs(&t->settings) / seconds : 0;
    for (int i = 0; i < t->unlogged; i++) {
        int step = t->position.step - t->unlogged + 1 + i;
        double rate = rate_of(t, step);
        double loss = (double)steps[i * STEP_GUARD_NUMBERS + STEP_GUARD_LOSS];
        record_write(t->steps, json_pack("{s:i, s:i, s:o, s:f, s:f}", "step", step, "epoch", t->position.epoch + 1,
                                         "loss", record_number(loss), "lr", rate, "pairs_per_s", pairs_per_s));
        write_scalar(t, "train/loss", step, loss);
        write_scalar(t, "train/lr", step, rate);
    }
    write_scalar(t, "train/pairs_per_s", t->position.step, pairs_per_s);
    fflush(t->steps);
    if (t->events)
        fflush(t->events);
}

/* Fetches the losses of all steps since the last line: the only place where training waits for the device. */
void report_flush(struct trainer *t)
{
    if (t->unlogged == 0)
        return;
    float steps[LOSS_SLOTS * STEP_GUARD_NUMBERS]; // [unlogged, STEP_GUARD_NUMBERS]
    int sound;
    buffer_download(steps, t->losses->buffer, 0, (size_t)t->unlogged * STEP_GUARD_NUMBERS * sizeof *steps);
    if (device_failed(t->dev))
        return;
    double sum = soundness_count(&sound, t, steps, t->unlogged);
    char text[160];
    snprintf(text, sizeof text, "epoch %d step %d loss %.6f lr %.3g", t->position.epoch + 1, t->position.step,
             sum / sound, rate_of(t, t->position.step));
    write_log(t, text);
    report_skipped(t);
    record_steps(t, steps);
    t->epoch_loss += sum;
    t->epoch_losses += sound;
    t->unlogged = 0;
    t->logged_at = clock_seconds();
}

void report_step(struct trainer *t)
{
    bool due = t->settings.log_every > 0 ? t->unlogged >= t->settings.log_every : clock_seconds() - t->logged_at > 1;
    if (due || t->unlogged == LOSS_SLOTS)
        report_flush(t);
    progress_step(&t->bar, t->position.step, "epoch %d  loss %.3f  lr %.2g", t->position.epoch + 1, mean_loss(t),
                  rate_of(t, t->position.step));
}

/* Validation figures are left out where nothing is held out. */
static json_t *validation_json(const struct evaluation *e)
{
    const double *i2t = e->recall.image_to_text, *t2i = e->recall.text_to_image;
    return json_pack("{s:o, s:f, s:f, s:f, s:f, s:f, s:f}", "val_loss", record_number(e->loss),
                     "text_retrieval_recall@1", i2t[0], "text_retrieval_recall@5", i2t[1], "text_retrieval_recall@10",
                     i2t[2], "image_retrieval_recall@1", t2i[0], "image_retrieval_recall@5", t2i[1],
                     "image_retrieval_recall@10", t2i[2]);
}

/* All numbers that validation gave, as curves. */
static void write_validation(struct trainer *t, const json_t *validation)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)validation, name, value)
    {
        char *tag = mem_format("val/%s", strcmp(name, "val_loss") == 0 ? "loss" : name);
        write_scalar(t, tag, t->position.step, json_is_number(value) ? json_number_value(value) : (double)NAN);
        free(tag);
    }
}

void report_recall(char *text, size_t room, const struct evaluation *e)
{
    const double *i2t = e->recall.image_to_text, *t2i = e->recall.text_to_image;
    snprintf(text, room, "recall@1/5/10 image->text %.1f/%.1f/%.1f %%, text->image %.1f/%.1f/%.1f %%", 100 * i2t[0],
             100 * i2t[1], 100 * i2t[2], 100 * t2i[0], 100 * t2i[1], 100 * t2i[2]);
}

void report_epoch(struct trainer *t, const struct evaluation *e, double seconds, int pairs)
{
    double loss = mean_loss(t);
    bool validated = t->data.val.photo_count > 0;
    double waited = seconds > 0 ? t->epoch_waited / seconds : 0;
    json_t *line =
        json_pack("{s:i, s:i, s:o, s:f, s:f, s:f, s:f, s:I, s:I}", "epoch", t->position.epoch + 1, "step",
                  t->position.step, "train_loss", record_number(loss), "lr", rate_of(t, t->position.step), "seconds",
                  seconds, "pairs_per_s", pairs / seconds, "data_wait_share", waited, "bad_samples",
                  (json_int_t)t->bad.known.list.count, "skipped_steps", (json_int_t)t->skipped + t->unsound);
    CHECK(line, "cannot make a line of results.jsonl");
    if (validated) {
        json_t *validation = validation_json(e);
        write_validation(t, validation);
        json_object_update_new(line, validation);
    }
    record_write(t->results, line);
    fflush(t->results);
    if (e->examples) {
        json_object_set_new(e->examples, "epoch", json_integer(t->position.epoch + 1));
        json_object_set_new(e->examples, "step", json_integer(t->position.step));
        record_write(t->examples, e->examples);
        fflush(t->examples);
    }
    if (t->events)
        fflush(t->events);

    char recall[160], summary[300];
    report_recall(recall, sizeof recall, e);
    snprintf(summary, sizeof summary, "epoch %d: loss %.4f  %.0f pairs/s  waited for data %.1f %%",
             t->position.epoch + 1, loss, pairs / seconds, 100 * waited);
    size_t used = strlen(summary);
    if (validated)
        snprintf(summary + used, sizeof summary - used, "  val loss %.4f  %s", e->loss, recall);
    write_log(t, summary);
    t->epoch_loss = 0;
    t->epoch_losses = 0;
}

/* It may cost a twentieth of the time; the last one is always written. A run does not end for want of a report. */
void report_page(struct trainer *t, bool last)
{
    enum { SHARE = 20 };
    struct error err;
    double start = clock_seconds();
    if (!last && start - t->page_at < SHARE * t->page_seconds)
        return;
    if (page_write(t->folder, &err) != 0)
        report_note(t, "no report: %s", err.text);
    t->page_at = clock_seconds();
    t->page_seconds = t->page_at - start;
}
