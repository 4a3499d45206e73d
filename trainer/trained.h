/* Which parts of a model the settings ask to train.
 *
 *     const struct clip_training training = trained_parts(&settings);
 *     if (clip_open_to_train(&clip, dev, folder, &training, &err) != 0) ...
 */
#ifndef OCLIP_TRAINED_H
#define OCLIP_TRAINED_H

#include "models/clip.h"
#include "trainer/settings.h"

struct clip_training trained_parts(const struct settings *settings);

/* For settings_read(): a tower locked but for its last layers is none that is locked. Fails with EXIT_USAGE. */
int trained_locks(struct settings *settings, struct error *err) MUST_CHECK;

/* Whether the options of this topic go together. Fails with EXIT_USAGE. */
int trained_check(const struct settings *settings, struct error *err) MUST_CHECK;

#endif
