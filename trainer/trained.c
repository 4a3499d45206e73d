#include "trainer/trained.h"

#include <string.h>

/* The targets in a list like "qkv,out" as a bit mask; 0 where one is unknown. */
static unsigned targets_of(const char *list)
{
    unsigned targets = 0;
    for (const char *name = list;; name++) {
        size_t length = strcspn(name, ",");
        int target = 0;
        while (target < LORA_TARGETS &&
               (strlen(lora_targets[target]) != length || strncmp(name, lora_targets[target], length) != 0))
            target++;
        if (target == LORA_TARGETS)
            return 0;
        targets |= 1u << target;
        name += length;
        if (!*name)
            return targets;
    }
}

struct clip_training trained_parts(const struct settings *s)
{
    const bool lora = s->lora_rank > 0;
    const bool trained[] = {[GROUP_IMAGE] = !s->lock_image && !lora,
                            [GROUP_TEXT] = !s->lock_text && !lora,
                            [GROUP_HEAD] = true,
                            [GROUP_SCALE] = !s->keep_scale,
                            [GROUP_LORA + GROUP_IMAGE] = !s->lock_image && lora,
                            [GROUP_LORA + GROUP_TEXT] = !s->lock_text && lora};
    struct clip_training training = {
        .unlocked = {[GROUP_IMAGE] = s->image_unlocked, [GROUP_TEXT] = s->text_unlocked},
        .lora = {.rank = s->lora_rank,
                 .alpha = (float)s->lora_alpha,
                 .targets = targets_of(s->lora_targets),
                 .seed = (uint64_t)s->seed},
    };
    for (int group = 0; group < (int)(sizeof trained / sizeof *trained); group++)
        training.groups |= (unsigned)trained[group] << group;
    return training;
}

static int unlock(bool *locked, int unlocked, const char *lock, const char *option, struct error *err)
{
    if (unlocked > 0 && !*locked)
        return error_set(err, EXIT_USAGE, "%s: %d is of a tower that is locked; give %s too", option, unlocked, lock);
    *locked = *locked && unlocked == 0;
    return 0;
}

int trained_locks(struct settings *s, struct error *err)
{
    if (unlock(&s->lock_image, s->image_unlocked, "--lock-image", "--lock-image-unlocked-groups", err) != 0)
        return -1;
    return unlock(&s->lock_text, s->text_unlocked, "--lock-text", "--lock-text-unlocked-layers", err);
}

int trained_check(const struct settings *s, struct error *err)
{
    if (!targets_of(s->lora_targets))
        return error_set(err, EXIT_USAGE, "--lora-targets: '%s' is no list of qkv, out, fc1, fc2", s->lora_targets);
    if (s->lora_rank == 0 && s->lora_alpha >= 0)
        return error_set(err, EXIT_USAGE, "--lora-alpha: %g, but no --lora-rank", s->lora_alpha);
    if (s->lora_rank > 0 && s->lock_image && s->lock_text)
        return error_set(err, EXIT_USAGE, "--lora-rank: %d, but --lock-image and --lock-text leave no tower to train",
                         s->lora_rank);
    if (s->lora_rank > 0 && (s->image_unlocked || s->text_unlocked))
        return error_set(err, EXIT_USAGE,
                         "--lora-rank excludes --lock-image-unlocked-groups and "
                         "--lock-text-unlocked-layers: a tower is trained by one or the other");
    return 0;
}
