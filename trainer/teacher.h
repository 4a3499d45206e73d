/* A model whose similarities a run learns from besides its own pairs (distillation).
 *
 *     if (teacher_open(&t->teacher, t->clip, &t->settings, &err) != 0) ... // --distill-model; nothing without it
 *     teacher_look(&options, &t->teacher, t->tape, batch, part);           // fills in what the loss wants of a teacher
 *     teacher_close(&t->teacher);
 */
#ifndef OCLIP_TEACHER_H
#define OCLIP_TEACHER_H

#include "models/clip.h"
#include "trainer/loader.h"

struct teacher {
    struct clip *clip;    /* NULL: there is none */
    struct tensor *scale; // [1], of its logits
    float weight;         /* of its cross-entropy in the loss */
};

/* It has to see the same square of a photo as `pupil`, and to have one: features that are cached leave none. */
int teacher_open(struct teacher *teacher, const struct clip *pupil, const struct settings *settings,
                 struct error *err) MUST_CHECK;
void teacher_close(struct teacher *teacher);

/* Embeds the batch, `part` pairs at a time, into tensors of `tape`. */
void teacher_look(struct contrastive *options, const struct teacher *teacher, struct tape *tape,
                  const struct batch *batch, int part);

#endif
