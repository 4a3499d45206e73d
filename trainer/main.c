/* ./trainer: opens data, device and model, runs the epochs, leaves a model folder. */
#include "trainer/trainer.h"

#include <signal.h>

/* Signals that ask to stop wait, in this thread and all that it starts, until somebody looks. No handler runs: drivers
 * built on LLVM replace it by one that removes the files of what is being compiled, which then fails. */
static void hold_stop_signals(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);
}

static bool stop_is_asked(void)
{
    sigset_t pending;
    sigpending(&pending);
    return sigismember(&pending, SIGINT) == 1 || sigismember(&pending, SIGTERM) == 1;
}

static bool save_is_due(struct trainer *t, double *saved_at)
{
    bool due = t->settings.save_frequency > 0 ? t->position.epoch % t->settings.save_frequency == 0
                                              : clock_seconds() - *saved_at > 60;
    if (due)
        *saved_at = clock_seconds();
    ranks_tell(t->ranks, &due, sizeof due);
    return due;
}

/* By rank 0, for all. */
static int evaluate(struct trainer *t, struct evaluation *evaluation, double seconds, int pairs, struct error *err)
{
    int result = 0;
    if (t->ranks->rank == 0 && (result = trainer_evaluate(t, evaluation, err)) == 0) {
        report_epoch(t, evaluation, seconds, pairs);
        report_page(t, false);
    }
    ranks_tell(t->ranks, &evaluation->loss, sizeof evaluation->loss);
    return ranks_agree(t->ranks, result, err);
}

static int save(struct trainer *t, struct error *err)
{
    together_gather_moments(t);
    int result = t->ranks->rank == 0 ? trainer_save(t, err) : 0;
    together_free_moments(t);
    return ranks_agree(t->ranks, result, err);
}

static int run_epoch(struct trainer *t, struct evaluation *evaluation, struct error *err)
{
    double start = t->logged_at = clock_seconds();
    int first_step = t->position.step;
    if (trainer_epoch(t, stop_is_asked, err) != 0)
        return -1;
    report_flush(t);
    if (soundness_check(t, err) != 0)
        return -1;
    if (t->stopped)
        return 0;
    double seconds = clock_seconds() - start;
    t->all_waited += t->epoch_waited;
    t->all_seconds += seconds;
    int pairs = (t->position.step - first_step) * settings_step_pairs(&t->settings);
    if (evaluate(t, evaluation, seconds, pairs, err) != 0)
        return -1;
    schedule_epoch_done(&t->schedule, evaluation->loss);
    t->position.epoch++;
    t->position.pair = 0;
    return 0;
}

static bool goes_on(const struct trainer *t)
{
    return t->position.step < t->total_steps && t->position.epoch < t->settings.epochs && !t->stopped;
}

static int run(struct trainer *t, struct error *err)
{
    double saved_at = clock_seconds();
    struct evaluation last = {0};
    t->bar = progress_begin("training", t->total_steps, "steps", t->settings.quiet);
    while (goes_on(t))
        if (run_epoch(t, &last, err) != 0 || (goes_on(t) && save_is_due(t, &saved_at) && save(t, err) != 0))
            return -1;
    progress_end(&t->bar);
    if (save(t, err) != 0)
        return -1;
    if (t->ranks->rank == 0)
        report_page(t, true);
    if (t->stopped) {
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

/* All ranks fail alike; one says so. */
static int fail(const struct trainer *t, const struct error *err)
{
    return t->ranks->rank == 0 ? error_report(err) : (int)err->code;
}

static int train(struct ranks *ranks, void *settings)
{
    struct trainer t = {.settings = *(const struct settings *)settings, .ranks = ranks};
    struct error err = {0};
    int code = EXIT_OK;
    t.settings.ranks = ranks->count;
    t.settings.quiet |= ranks->rank > 0;
    if (trainer_open(&t, &err) != 0) {
        code = fail(&t, &err);
    } else if ((t.settings.dry_run ? plan_print(&t, &err) : run(&t, &err)) != 0) {
        code = fail(&t, &err);
        if (code == EXIT_NO_MEMORY)
            plan_advise(&t);
        if (trainer_is_saved(&t))
            report_note(&t, "what was saved goes on with --resume %s", t.folder);
    } else if (t.stopped) {
        code = EXIT_INTERRUPTED;
    }
    if (ranks->rank == 0 && trainer_write_profile(&t, &err) != 0)
        code = error_report(&err);
    trainer_close(&t);
    return code;
}

int main(int argc, char **argv)
{
    struct settings settings;
    struct error err = {0};
    int code;
    if (settings_read(&settings, argc, argv, &err) != 0)
        return error_report(&err);
    hold_stop_signals();
    return ranks_run(&code, settings_devices(&settings), train, &settings, &err) != 0 ? error_report(&err) : code;
}
