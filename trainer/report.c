/* What a run says: the progress bar, out.log, results.jsonl. */
#include "runtime/ops/loss_scale.h"
#include "trainer/trainer.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int open_log(FILE **stream, const char *folder, const char *name, struct error *err)
{
    char *path = path_join(folder, name);
    *stream = fopen(path, "a");
    int result = *stream ? 0 : error_set(err, EXIT_FAILED, "%s: cannot be written", path);
    free(path);
    return result;
}

int report_open(struct trainer *t, struct error *err)
{
    if (open_log(&t->log, t->folder, "out.log", err) != 0)
        return -1;
    return open_log(&t->results, t->folder, "results.jsonl", err);
}

void report_close(struct trainer *t)
{
    if (t->log)
        fclose(t->log);
    if (t->results)
        fclose(t->results);
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

/* Fetches the losses of all steps since the last line: the only place where training waits for the device. */
void report_flush(struct trainer *t, double rate)
{
    if (t->unlogged == 0)
        return;
    float losses[LOSS_SLOTS];
    buffer_download(losses, t->losses->buffer, 0, (size_t)t->unlogged * sizeof *losses);
    if (device_failed(t->dev))
        return;
    double sum = 0;
    for (int i = 0; i < t->unlogged; i++)
        sum += (double)losses[i];
    char text[160];
    snprintf(text, sizeof text, "epoch %d step %d loss %.6f lr %.3g", t->position.epoch + 1, t->position.step,
             sum / t->unlogged, rate);
    write_log(t, text);
    report_skipped(t);
    t->epoch_loss += sum;
    t->epoch_losses += t->unlogged;
    t->unlogged = 0;
    t->logged_at = clock_seconds();
}

void report_step(struct trainer *t, double rate)
{
    bool due = t->settings.log_every > 0 ? t->unlogged >= t->settings.log_every
                                         : clock_seconds() - t->logged_at > 1 || t->unlogged == LOSS_SLOTS;
    if (due || t->unlogged == LOSS_SLOTS)
        report_flush(t, rate);
    double loss = t->epoch_losses ? t->epoch_loss / t->epoch_losses : 0;
    progress_step(&t->bar, t->position.step, "epoch %d  loss %.3f  lr %.2g", t->position.epoch + 1, loss, rate);
}

/* Validation figures are left out where nothing is held out. */
static json_t *validation_json(const struct evaluation *e)
{
    const double *i2t = e->recall.image_to_text, *t2i = e->recall.text_to_image;
    return json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "val_loss", e->loss, "text_retrieval_recall@1", i2t[0],
                     "text_retrieval_recall@5", i2t[1], "text_retrieval_recall@10", i2t[2], "image_retrieval_recall@1",
                     t2i[0], "image_retrieval_recall@5", t2i[1], "image_retrieval_recall@10", t2i[2]);
}

void report_recall(char *text, size_t room, const struct evaluation *e)
{
    const double *i2t = e->recall.image_to_text, *t2i = e->recall.text_to_image;
    snprintf(text, room, "recall@1/5/10 image->text %.1f/%.1f/%.1f %%, text->image %.1f/%.1f/%.1f %%", 100 * i2t[0],
             100 * i2t[1], 100 * i2t[2], 100 * t2i[0], 100 * t2i[1], 100 * t2i[2]);
}

void report_epoch(struct trainer *t, const struct evaluation *e, double seconds, int pairs, double rate)
{
    double loss = t->epoch_losses ? t->epoch_loss / t->epoch_losses : 0;
    bool validated = t->data.val.photo_count > 0;
    double waited = seconds > 0 ? t->epoch_waited / seconds : 0;
    json_t *line =
        json_pack("{s:i, s:i, s:f, s:f, s:f, s:f, s:f, s:I}", "epoch", t->position.epoch + 1, "step", t->position.step,
                  "train_loss", loss, "lr", rate, "seconds", seconds, "pairs_per_s", pairs / seconds, "data_wait_share",
                  waited, "bad_samples", (json_int_t)t->bad.known.list.count);
    CHECK(line, "cannot make a line of results.jsonl");
    if (validated)
        json_object_update_new(line, validation_json(e));
    char *text = json_dumps(line, JSON_REAL_PRECISION(6) | JSON_COMPACT);
    fprintf(t->results, "%s\n", text);
    fflush(t->results);
    free(text);
    json_decref(line);

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
