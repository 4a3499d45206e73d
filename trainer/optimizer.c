/* The optimizer's settings at a step. */
#include "trainer/trainer.h"

#include <math.h>

/* An average of few steps forgets soon, so that it does not stay where training began (TensorFlow's num_updates). */
struct adamw optimizer_at(const struct trainer *t, int step, double factor)
{
    const struct settings *s = &t->settings;
    const struct {
        double rate, decay, layers;
    } groups[] = {[GROUP_IMAGE] = {s->lr_image, s->wd_image, s->layer_decay_image},
                  [GROUP_TEXT] = {s->lr_text, s->wd_text, s->layer_decay_text},
                  [GROUP_HEAD] = {s->lr_head, s->wd_head, 1},
                  [GROUP_SCALE] = {s->lr_head, 0, 1},
                  [GROUP_LORA + GROUP_IMAGE] = {s->lr_image, s->wd_image, s->layer_decay_image},
                  [GROUP_LORA + GROUP_TEXT] = {s->lr_text, s->wd_text, s->layer_decay_text}};
    struct adamw adamw = {.beta1 = 0.9f,
                          .beta2 = (float)s->beta2,
                          .eps = (float)s->eps,
                          .max_norm = (float)s->grad_clip,
                          .step = step + 1,
                          .guard = t->guard,
                          .average_decay = (float)fmin(s->ema_decay, (1.0 + step) / (10.0 + step)),
                          .sum = t->grad_sum,
                          .loss_scale = t->loss_scale};
    for (int group = 0; group < (int)(sizeof groups / sizeof *groups); group++) {
        adamw.rates[group] = (float)(groups[group].rate * factor);
        adamw.weight_decay[group] = (float)groups[group].decay;
        adamw.layer_decay[group] = (float)groups[group].layers;
    }
    return adamw;
}
