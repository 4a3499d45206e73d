/* One epoch of training steps. */
#include "trainer/batch_loss.h"
#include "trainer/trainer.h"

#include <stdlib.h>

/* Random numbers depend on (seed, step) alone, so that a resumed run draws what the first would have drawn. */
static void train_batch(struct trainer *t, const struct batch *batch)
{
    tape_seed(t->tape, (uint64_t)t->settings.seed << 32 | (uint32_t)t->position.step);
    if (batch->count >= 2) {
        struct tensor *loss = batch_loss(t, batch);
        double factor = schedule_factor(&t->schedule, t->position.step);
        struct adamw adamw = optimizer_at(t, t->position.step, factor);
        adamw_backward(t->tape, loss, t->clip->arena, &adamw);
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
                                   .preprocess = t->images.rows ? NULL : &t->clip->preprocess,
                                   .bad = &t->bad,
                                   .dev = t->dev};
    return loader_open(&t->loader, &source, epoch, skipped, err);
}

int trainer_epoch(struct trainer *t, volatile const int *stop, struct error *err)
{
    struct batch batch;
    int more = 1, result = 0;
    if (!t->loader && trainer_open_loader(t, t->position.epoch, t->position.pair, err) != 0)
        return -1;
    while (!*stop && t->position.step < t->total_steps && !device_failed(t->dev) && !soundness_lost(t) &&
           (more = loader_next(&batch, t->loader, err)) > 0)
        train_batch(t, &batch);
    t->epoch_waited = loader_waited(t->loader);
    loader_close(t->loader);
    t->loader = NULL;
    if (more < 0)
        return -1;
    if (more == 0 && !soundness_lost(t) && t->position.step < t->total_steps &&
        t->position.epoch + 1 < t->settings.epochs)
        result = trainer_open_loader(t, t->position.epoch + 1, 0, err);
    return result == 0 ? device_finish(t->dev, err) : -1;
}
