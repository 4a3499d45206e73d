/* From a batch to its loss.
 *
 *     struct tensor *loss = batch_loss(t, batch);      // on t->tape; the batch must stay until the tape is reset. [1]
 *
 * Ranks do this together: the loss is that of all their pairs, t->counts of each.
 */
#ifndef OCLIP_BATCH_LOSS_H
#define OCLIP_BATCH_LOSS_H

#include "models/clip.h"
#include "trainer/loader.h"

struct trainer;

struct tensor *batch_loss(struct trainer *t, const struct batch *batch);

/* A part of a batch, for the towers of a model. */
struct batch_part {
    const struct clip *clip;
    const struct batch *batch;
    int first, count;
};

/* The towers' features of it: functions for tape_part(), whose context is the part. [count, features] */
struct tensor *batch_part_images(struct tape *tape, const void *part, struct tensor *none);
struct tensor *batch_part_texts(struct tape *tape, const void *part, struct tensor *none);

#endif
