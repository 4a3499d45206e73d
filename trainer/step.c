/* One epoch of training steps. */
#include "trainer/batch_loss.h"
#include "trainer/trainer.h"

#include <stdlib.h>

/* Random numbers depend on (seed, step, rank) alone, so that a resumed run draws what the first would have drawn. */
static void train_batch(struct trainer *t, const struct batch *batch, bool taken)
{
    uint64_t seed = (uint64_t)t->settings.seed << 32 | (uint32_t)t->position.step;
    tape_seed(t->tape, seed + (uint64_t)t->ranks->rank * UINT64_C(0x9e3779b97f4a7c15));
    if (taken) {
        struct tensor *loss = batch_loss(t, batch);
        double factor = schedule_factor(&t->schedule, t->position.step);
        struct adamw adamw = optimizer_at(t, t->position.step, factor);
        adamw_backward(t->tape, loss, t->clip->arena, &adamw);
        clip_limit_scale(t->clip);
        size_t bytes = tensor_bytes(t->guard);
        buffer_copy(t->losses->buffer, (size_t)t->unlogged * bytes, t->guard->buffer, 0, bytes);
        t->unlogged++;
    } else {
        report_flush(t); /* the steps of a flush follow each other */
    }
    tape_reset(t->tape);
    device_mark(t->dev);
    t->position.step++;
    t->position.pair += batch->drawn;
    report_step(t);
}

int trainer_open_loader(struct trainer *t, int epoch, int skipped, struct error *err)
{
    struct loader_source source = {.data = &t->data,
                                   .settings = &t->settings,
                                   .share = &t->share,
                                   .rank = t->ranks->rank,
                                   .preprocess = t->images.rows ? NULL : &t->clip->preprocess,
                                   .bad = &t->bad,
                                   .dev = t->dev};
    return loader_open(&t->loader, &source, epoch, skipped, err);
}

/* Samples that wait were drawn for the shares before. */
static int share_anew(struct trainer *t, struct error *err)
{
    loader_close(t->loader);
    t->loader = NULL;
    return trainer_open_loader(t, t->position.epoch, t->position.pair, err);
}

/* False when the ranks do not go on. *result becomes -1 when this one cannot, which it says before the next step. */
static bool step(int *result, struct trainer *t, bool stop, struct error *err)
{
    struct batch batch = {0};
    bool goes_on, able = *result == 0 && !stop && t->position.step < t->total_steps && !device_failed(t->dev) &&
                         !soundness_lost(t);
    int more = able ? loader_next(&batch, t->loader, err) : 0;
    bool taken = together_before_step(&goes_on, t, batch.count, more > 0, stop);
    *result = more < 0 ? -1 : *result;
    if (!goes_on)
        return false;
    train_batch(t, &batch, taken);
    if (t->share_is_new)
        *result = share_anew(t, err);
    return true;
}

int trainer_epoch(struct trainer *t, bool (*stop)(void), struct error *err)
{
    int result = t->loader ? 0 : trainer_open_loader(t, t->position.epoch, t->position.pair, err);
    together_begin(t);
    while (step(&result, t, stop(), err))
        ;
    t->epoch_waited = t->loader ? loader_waited(t->loader) : 0;
    loader_close(t->loader);
    t->loader = NULL;
    if (result == 0 && !t->stopped && !soundness_lost(t) && t->position.step < t->total_steps &&
        t->position.epoch + 1 < t->settings.epochs)
        result = trainer_open_loader(t, t->position.epoch + 1, 0, err);
    if (result == 0)
        result = device_finish(t->dev, err);
    if (ranks_agree(t->ranks, result, err) != 0)
        return -1;
    bad_samples_share(&t->bad, t->ranks);
    return together_check_weights(t, err);
}
