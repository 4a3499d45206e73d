/* ./trainer: opens data, device and model, runs the epochs, leaves a model folder. */
#include "trainer/trainer.h"

#include <signal.h>

static volatile sig_atomic_t stop_requested;
static void request_stop(int signal_number)
{
    (void)signal_number;
    stop_requested = 1;
}

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
    report_flush(t);
    if (soundness_check(t, err) != 0)
        return -1;
    if (stop_requested)
        return 0;
    double seconds = clock_seconds() - start;
    t->all_waited += t->epoch_waited;
    t->all_seconds += seconds;
    if (trainer_evaluate(t, evaluation, err) != 0)
        return -1;
    report_epoch(t, evaluation, seconds, (t->position.step - first_step) * settings_step_pairs(&t->settings));
    report_page(t, false);
    schedule_epoch_done(&t->schedule, evaluation->loss);
    t->position.epoch++;
    t->position.pair = 0;
    return 0;
}

static bool goes_on(const struct trainer *t)
{
    return t->position.step < t->total_steps && t->position.epoch < t->settings.epochs && !stop_requested;
}

static int run(struct trainer *t, struct error *err)
{
    double saved_at = clock_seconds();
    struct evaluation last = {0};
    t->bar = progress_begin("training", t->total_steps, "steps", t->settings.quiet);
    while (goes_on(t))
        if (run_epoch(t, &last, err) != 0 || (goes_on(t) && save_is_due(t, &saved_at) && trainer_save(t, err) != 0))
            return -1;
    progress_end(&t->bar);
    if (trainer_save(t, err) != 0)
        return -1;
    report_page(t, true);
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
    if (trainer_open(&t, &err) != 0) {
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
    if (trainer_write_profile(&t, &err) != 0)
        code = error_report(&err);
    trainer_close(&t);
    return code;
}
