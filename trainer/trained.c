#include "trainer/trained.h"

struct clip_training trained_parts(const struct settings *s)
{
    const bool trained[] = {[GROUP_IMAGE] = !s->lock_image,
                            [GROUP_TEXT] = !s->lock_text,
                            [GROUP_HEAD] = true,
                            [GROUP_SCALE] = !s->keep_scale};
    struct clip_training training = {.unlocked = {[GROUP_IMAGE] = s->image_unlocked, [GROUP_TEXT] = s->text_unlocked}};
    for (int group = 0; group < (int)(sizeof trained / sizeof *trained); group++)
        training.groups |= (unsigned)trained[group] << group;
    return training;
}

static int unlock(bool *locked, int unlocked, const char *lock, const char *option, struct error *err)
{
    if (unlocked < 0)
        return error_set(err, EXIT_USAGE, "%s %d is below 0", option, unlocked);
    if (unlocked > 0 && !*locked)
        return error_set(err, EXIT_USAGE, "%s %d is of a tower that is locked; give %s too", option, unlocked, lock);
    *locked = *locked && unlocked == 0;
    return 0;
}

int trained_locks(struct settings *s, struct error *err)
{
    if (unlock(&s->lock_image, s->image_unlocked, "--lock-image", "--lock-image-unlocked-groups", err) != 0)
        return -1;
    return unlock(&s->lock_text, s->text_unlocked, "--lock-text", "--lock-text-unlocked-layers", err);
}
