/* Everything a training run holds; what its parts (step, evaluate, checkpoint, report) work on.
 *
 *     main opens it, runs epochs of steps, evaluates after each, saves, and closes it.
 */
#ifndef OCLIP_TRAINER_H
#define OCLIP_TRAINER_H

#include "models/metrics.h"
#include "runtime/ops/adamw.h"
#include "runtime/ops/grad_sum.h"
#include "runtime/util/progress.h"
#include "trainer/features.h"
#include "trainer/loader.h"
#include "trainer/schedule.h"
#include "trainer/share.h"
#include "trainer/teacher.h"

/* What a checkpoint carries besides the arena. */
struct position {
    int epoch, pair; /* the epoch, and how many of its pairs are done */
    int step;        /* steps done in the whole run */
    double best;     /* validation recall at its best, the mean of at 1, 5, 10 both ways; -1 before any */
    int best_epoch;
};

struct evaluation {
    double loss;
    struct recall recall;
    double mean_recall;
    struct json_t *examples; /* trainer/examples.h; NULL without validation photos; report_epoch() takes it */
};

struct trainer {
    struct settings settings;
    struct ranks *ranks; /* of which this is one; rank 0 writes and says what there is to */
    struct share share;
    bool share_is_new;              /* from the next step on */
    int *counts;                    // [ranks->count] pairs that each has in this step
    double step_began, step_waited; /* when the last step did, and ranks->waited then */
    bool stopped;                   /* ranks were asked to stop, and all have */
    char *folder;                   /* of the run */
    struct device *dev;
    struct clip *clip;
    struct teacher teacher;
    struct dataset data;
    struct bad_samples bad;
    struct loader *loader;         /* of the next epoch, which decodes while this one is evaluated; NULL: not begun */
    struct features images, texts; /* of locked towers; rows NULL otherwise */
    struct tape *tape;             /* records; evaluation uses one that does not */
    struct grad_sum *grad_sum;     /* NULL: one rank */
    float *moments[2];             // [trained_numbers] with --zero, while a checkpoint is written: those of all ranks
    struct schedule schedule;
    struct position position;
    int total_steps;
    float *best_values; // as arena->values, of the best epoch; NULL before any

    struct tensor *loss_scale;     /* runtime/ops/loss_scale.h; NULL unless activations are fp16 */
    int skipped;                   /* steps, as far as reported */
    struct tensor *guard;          // [2], runtime/ops/step_guard.h: of the step that runs
    struct tensor *losses;         // [LOSS_SLOTS, 2], on the device: what it said of steps not logged yet
    int unsound, unsound_in_a_row; /* steps that were left out since they were not finite */
    int unlogged;
    double logged_at; /* clock_seconds() of the last line */
    double epoch_loss;
    int epoch_losses;
    double epoch_waited, all_waited, all_seconds; /* in which the device had no photos; of training steps in all */
    double page_at, page_seconds;                 /* when report.html was written last, and how long that took */
    struct progress bar;
    FILE *log, *results, *steps, *examples, *events; /* what report.c writes to; NULL: closed, or not wanted */
};
enum { LOSS_SLOTS = 512 };

/* places.c: the folder of the run; this rank's device, which the caller frees; with no data named, the sample, and the
 * model if none is named either: before the defaults that depend on it. */
char *places_choose_device(const struct trainer *t);
int places_choose_folder(struct trainer *t, struct error *err) MUST_CHECK;
void places_choose_sample(struct settings *settings);

/* open.c: from t->settings alone. The profile is written however the run ended: what failed may be what it shows. */
int trainer_open(struct trainer *t, struct error *err) MUST_CHECK;
int trainer_write_profile(struct trainer *t, struct error *err) MUST_CHECK;
void trainer_close(struct trainer *t); /* also after a failure */

/* start.c: once features are known; a saved model's heads stay as they are, and those of a checkpoint will come. */
void trainer_start_heads(struct trainer *t);

/* step.c: the rest of the epoch at position.epoch. Stops early at --max-steps or when stop() says so on any rank. */
int trainer_open_loader(struct trainer *t, int epoch, int skipped, struct error *err) MUST_CHECK;
int trainer_epoch(struct trainer *t, bool (*stop)(void), struct error *err) MUST_CHECK;

/* together.c: what several ranks do together. Before a step each says how many pairs it has for it, whether it is able
 * to go on, and whether it was asked to stop. All go on or none does, and take the step if each has a pair. */
void together_begin(struct trainer *t); /* before the first step of some */
bool together_before_step(bool *goes_on, struct trainer *t, int pairs, bool able, bool stop);
/* Weights are the same on all ranks, or it fails; on devices of different kinds they become so. */
int together_check_weights(struct trainer *t, struct error *err) MUST_CHECK;
/* Around trainer_save(): the moments that others keep come, and go. */
void together_gather_moments(struct trainer *t);
void together_free_moments(struct trainer *t);

/* optimizer.c */
struct adamw optimizer_at(const struct trainer *t, int step, double factor); /* factor: of all learning rates */

/* soundness.c: counts the steps that the guard left out; returns the sum of the losses of those it did not, and how
 * many. The check fails when the last ones all were left out. */
double soundness_count(int *sound, struct trainer *t, const float *steps /* [count, 2] */, int count);
bool soundness_lost(const struct trainer *t);
int soundness_check(const struct trainer *t, struct error *err) MUST_CHECK;
int soundness_of_weights(const float *values, size_t count, struct error *err) MUST_CHECK;

/* plan.c: with --max-memory, splits the step and checkpoints so that it fits, the fastest way first, which is tried;
 * fails with EXIT_NO_MEMORY. Weights are as before. plan_print(): what the run will take, on stdout. plan_advise():
 * after memory ran out, what would have fit. */
int plan_choose(struct trainer *t, struct error *err) MUST_CHECK;
int plan_print(struct trainer *t, struct error *err) MUST_CHECK;
void plan_advise(struct trainer *t);

/* evaluate.c: of what would be saved as model; keeps that if it is the best. */
int trainer_evaluate(struct trainer *t, struct evaluation *evaluation, struct error *err) MUST_CHECK;

/* checkpoint.c: writes DIR/checkpoints/..., DIR/model and DIR/best; reads the newest whole checkpoint back (returns 1
 * when there is none). */
int trainer_save(struct trainer *t, struct error *err) MUST_CHECK;
int trainer_resume(struct trainer *t, struct error *err) MUST_CHECK;
bool trainer_is_saved(const struct trainer *t); /* whether there is a checkpoint to resume from */
void trainer_keep_best(struct trainer *t, const struct evaluation *evaluation);

/* report.c */
int report_open(struct trainer *t, struct error *err) MUST_CHECK;  /* once the folder is known */
int report_start(struct trainer *t, struct error *err) MUST_CHECK; /* once it is known at which step the run goes on */
void report_close(struct trainer *t);
void report_note(struct trainer *t, const char *format, ...) PRINTF_LIKE(2, 3);   /* to stderr and out.log */
void report_step(struct trainer *t);                                              /* after each step */
void report_flush(struct trainer *t);                                             /* waits for the device */
void report_recall(char *text, size_t room, const struct evaluation *evaluation); /* one line for people */
void report_page(struct trainer *t, bool last);                                   /* report.html, if it is due */
void report_epoch(struct trainer *t, const struct evaluation *evaluation, double seconds, int pairs);

#endif
