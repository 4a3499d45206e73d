/* What the command line of ./trainer asks for, with every default decided.
 *
 *     struct settings settings;
 *     if (settings_read(&settings, argc, argv, &err) != 0) return error_report(&err);
 */
#ifndef OCLIP_SETTINGS_H
#define OCLIP_SETTINGS_H

#include "models/images/augment.h"
#include "runtime/util/options.h"

#include <stdbool.h>
#include <stdint.h>

enum scheduler {
    SCHEDULER_COSINE,
    SCHEDULER_LINEAR,
    SCHEDULER_CONST,
    SCHEDULER_CONST_COOLDOWN,
    SCHEDULER_PLATEAU,
    SCHEDULERS
};

struct settings {
    const char *device, *precision, *without, *tune;
    /* data */
    const char *dataset_type, *split, *templates, *upsampling;
    int train_num_samples;  /* of an epoch of shards, which are streamed then, or of synthetic data; 0: not given */
    double max_bad_samples; /* the part of the samples that may be bad */
    struct option_list aug_cfg;
    struct augment augment; /* of photos in training, if augments */
    bool augments;
    const char *train_data, *val_data, *image_root, *image_key, *caption_key, *separator_text;
    double val_split;
    bool val_split_asked;  /* it is no default, and not 0 */
    bool exif_orientation; /* photos are turned upright, here and wherever the model is used */
    bool no_shuffle;
    bool every_caption; /* an item is a caption, not a photo with one of its captions */
    int workers;
    /* model */
    const char *image_model, *text_model, *model, *head, *loss;
    int embed_dim, max_tokens;
    bool lock_image, lock_text, keep_scale; /* nothing of the tower, not the logit scale is trained */
    int image_unlocked, text_unlocked; /* of a tower that is not locked, only so many last layers are trained; 0: all */
    int lora_rank;                     /* of updates that towers which are not locked are trained by; 0: none */
    double lora_alpha;
    const char *lora_targets;
    double dropout; /* of the heads; 0: nor have the towers any */
    bool grad_checkpointing;
    bool seed_faults; /* --recipe seed: raw logit scale, embeddings not normalised in the loss */
    /* optimisation */
    bool zero;                  /* each rank keeps the moments of its part of the weights */
    const char *share;          /* equal or measured: how ranks come to their parts of a step */
    int batch_size, accum_freq; /* pairs that the towers see at a time; so many times as many are a rank's in a step */
    int ranks;                  /* that share each step; once they are started */
    double label_smoothing, hard_negatives;
    const char *distill_model;
    double distill_weight;
    bool same_photo_negatives;
    int epochs, max_steps, warmup /* -1 until steps are planned: by the model */, epochs_cooldown;
    double lr, lr_image, lr_text, lr_head, wd, wd_image, wd_text, wd_head, beta2, eps, grad_clip;
    double ema_decay; /* of an average of the weights, which is what is evaluated and saved as model; 0: none */
    double layer_decay_image, layer_decay_text; /* each layer's rate is this times the next one's */
    enum scheduler scheduler;
    int seed;
    /* the run */
    const char *out, *name, *resume, *recipe, *scheduler_name;
    const char *max_memory_text;
    size_t max_memory;   /* bytes of the device that the run may take; 0: all */
    bool dry_run;        /* measures what the run would take, and trains nothing */
    const char *profile; /* trace of every kernel; NULL: none */
    const char *report_to;
    int save_frequency, log_every;
    bool quiet;
};

/* Fails with EXIT_USAGE; --help prints and exits. */
int settings_read(struct settings *settings, int argc, char **argv, struct error *err) MUST_CHECK;

bool settings_wants_sigmoid_loss(const struct settings *settings); /* by --loss; a model may have it, too */
/* Refuses what a sigmoid loss, where it is one, does not know. */
int settings_check_loss(const struct settings *settings, bool sigmoid, struct error *err) MUST_CHECK;

int settings_rank_pairs(const struct settings *settings); /* pairs of a step, of one rank where all have equally many */
int settings_step_pairs(const struct settings *settings); /* of all ranks */
const char *settings_saved_model(const struct settings *settings); /* --model's folder; NULL: towers, or "tiny" */
bool settings_is_tiny(const struct settings *settings);            /* --model tiny: from scratch, not a folder */

/* --device names one for each rank of a machine, joined by commas: how many, and which is the machine's n-th rank's,
 * counted from 0, and again from the first when there are more. Caller frees. */
int settings_devices(const struct settings *settings);
char *settings_device(const struct settings *settings, int n);

/* All options as they were decided, one a line (options_write). */
int settings_write(const struct settings *settings, const char *path, struct error *err) MUST_CHECK;

#endif
