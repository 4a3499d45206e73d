#include "trainer/settings.h"

#include "runtime/util/file.h"
#include "trainer/trained.h"
#include "trainer/trainer.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Numbers below zero stand for "not given": the recipe or what is locked decides. */
enum { UNSET = -1 };

static const char purpose[] =
    "Trains a dual encoder (CLIP) on photos and captions. With no --train-data it trains on the sample that ships.\n"
    "A run leaves DIR/model (the last model), DIR/best (best validation recall), DIR/checkpoints, report.html,\n"
    "params.txt, out.log, results.jsonl, steps.jsonl and TensorBoard's files.";

enum { ROOM = 128 };
static void list_options(struct option_row list[ROOM], struct settings *s)
{
    const struct option_row rows[] = {
        {"device", OPTION_TEXT, &s->device, "SPEC",
         "OpenCL device: number, P:D, part of a name, gpu, cpu, auto; several that share each step: 0,1", 0},
        {"precision", OPTION_TEXT, &s->precision, "fp32|bf16|fp16",
         "what transformers store activations as; weights, sums and checkpoints stay float32", 0},
        {"tune", OPTION_TEXT, &s->tune, "off|quick|full",
         "how long to look for the fastest matrix products; what is found is kept", 0},
        {"without", OPTION_TEXT, &s->without, "PATHS", "fast paths not to take, as tools/devices --paths lists them",
         0},
        {"train-data", OPTION_TEXT, &s->train_data, "PATH",
         "photos and captions: a table, JSON file, folder or tar shards, a/{000..012}.tar; several joined by ::", 0},
        {"dataset-type", OPTION_TEXT, &s->dataset_type, "auto|csv|coco|karpathy|webdataset|folder|classes|synthetic",
         "what --train-data and --val-data are", 0},
        {"train-num-samples", OPTION_INT, &s->train_num_samples, "N in [2, inf)",
         "samples an epoch: shards are streamed then; of synthetic data, all", 0},
        {"train-data-upsampling-factors", OPTION_TEXT, &s->upsampling, "F::F",
         "how often shards of each source are drawn, with replacement", 0},
        {"split", OPTION_TEXT, &s->split, "train|val|test", "what to train on of Karpathy's splits", 0},
        {"templates", OPTION_TEXT, &s->templates, "FILE",
         "captions for class folders, one a line, {} for the class (a few usual ones)", 0},
        {"aug-cfg", OPTION_LIST, &s->aug_cfg, "KEY=VALUE...",
         "augmentation: scale=0.9,1.0 ratio=0.75,1.33 color_jitter=0.4,0.4,0.4,0.1 color_jitter_prob gray_scale_prob "
         "hflip",
         0},
        {"max-bad-samples", OPTION_REAL, &s->max_bad_samples, "PART in [0, 1]",
         "stop when more of the samples cannot be used", 0},
        {"val-data", OPTION_TEXT, &s->val_data, "PATH",
         "to validate on, in the same forms; without it --val-split is held out", 0},
        {"val-split", OPTION_REAL, &s->val_split, "PART in [0, 1)", "part of the photos held out for validation", 0},
        {"image-root", OPTION_TEXT, &s->image_root, "DIR", "where the photos are (default: beside the table)", 0},
        {"csv-img-key", OPTION_TEXT, &s->image_key, "NAME", "column of the photo's name (default: found out)", 0},
        {"csv-caption-key", OPTION_TEXT, &s->caption_key, "NAME", "column of the caption (default: found out)", 0},
        {"csv-separator", OPTION_TEXT, &s->separator_text, "CHAR", "separator, or \"tab\" (default: found out)", 0},
        {"every-caption", OPTION_FLAG, &s->every_caption, NULL,
         "an epoch is every caption, not every photo with one of its captions", 0},
        {"no-shuffle", OPTION_FLAG, &s->no_shuffle, NULL, "photos in the order of the table, first captions", 0},
        {"workers", OPTION_INT, &s->workers, "N in [0, 1024]", "decoding threads (0: one a processor)", 0},
        {"exif-orientation", OPTION_FLAG, &s->exif_orientation, NULL,
         "turn photos upright; the model remembers it (models of others see photos as they are stored)", 0},
        {"image-model", OPTION_TEXT, &s->image_model, "DIR", "pretrained image tower (DINOv2, ViT, timm ViT or ResNet)",
         0},
        {"text-model", OPTION_TEXT, &s->text_model, "DIR", "pretrained text tower (sentence-transformers, BERT)", 0},
        {"model", OPTION_TEXT, &s->model, "DIR", "start from a trained model, or from scratch with \"tiny\"", 0},
        {"head", OPTION_TEXT, &s->head, "mlp|linear", "projection heads", 0},
        {"loss", OPTION_TEXT, &s->loss, "clip|siglip", "softmax over the batch, or a sigmoid a pair (the model's own)",
         0},
        {"embed-dim", OPTION_INT, &s->embed_dim, "N in [1, 65536]", "width of the shared space", 0},
        {"max-tokens", OPTION_INT, &s->max_tokens, "N in [0, inf)", "longest text (0: what the tokenizer was made for)",
         0},
        {"lock-image", OPTION_FLAG, &s->lock_image, NULL, "do not train the image tower; its features are cached", 0},
        {"lock-text", OPTION_FLAG, &s->lock_text, NULL, "do not train the text tower; its features are cached", 0},
        {"lock-image-unlocked-groups", OPTION_INT, &s->image_unlocked, "N in [0, inf)",
         "with --lock-image: train the tower's last N blocks (of ResNets, stages) and what stands behind them", 0},
        {"lock-text-unlocked-layers", OPTION_INT, &s->text_unlocked, "N in [0, inf)",
         "with --lock-text: the same of that tower", 0},
        {"lora-rank", OPTION_INT, &s->lora_rank, "R in [0, 4096]",
         "train updates of rank R in place of the towers' matrices (LoRA); the model has them merged", 0},
        {"lora-alpha", OPTION_REAL, &s->lora_alpha, "A in (0, inf)", "their factor is A/R (R)", 0},
        {"lora-targets", OPTION_TEXT, &s->lora_targets, "qkv,out,fc1,fc2", "the matrices of a block that have them", 0},
        {"batch-size", OPTION_INT, &s->batch_size, "N in [2, 16777216]", "pairs a step, of each device that shares it",
         'b'},
        {"accum-freq", OPTION_INT, &s->accum_freq, "N in [1, 8388608]",
         "the loss is over N x --batch-size pairs, whose towers are run --batch-size at a time, twice", 0},
        {"share", OPTION_TEXT, &s->share, "measured|equal",
         "devices that share steps have pairs by their measured speed, or equally many: then runs repeat to the bit",
         0},
        {"zero", OPTION_FLAG, &s->zero, NULL,
         "less memory: devices that share steps keep the optimizer's moments in parts (ZeRO-1)", 0},
        {"label-smoothing", OPTION_REAL, &s->label_smoothing, "PART in [0, 1)",
         "part of each target spread over the batch", 0},
        {"hard-negatives", OPTION_REAL, &s->hard_negatives, "BETA in [0, inf)",
         "wrong pairs weigh by exp(BETA x logit) (0: all the same)", 0},
        {"distill-model", OPTION_TEXT, &s->distill_model, "DIR", "learn from this model's softmax as well", 0},
        {"distill-weight", OPTION_REAL, &s->distill_weight, "W in (0, inf)", "of its cross-entropy in the loss", 0},
        {"same-photo-negatives", OPTION_FLAG, &s->same_photo_negatives, NULL,
         "captions of one photo in a batch are wrong for each other (they are right)", 0},
        {"epochs", OPTION_INT, &s->epochs, "N in [1, inf)", "passes over the data", 0},
        {"max-steps", OPTION_INT, &s->max_steps, "N in [0, inf)", "stop after so many steps (0: by --epochs)", 0},
        {"lr", OPTION_REAL, &s->lr, "RATE in [0, inf)", "learning rate of towers and heads", 0},
        {"lr-image", OPTION_REAL, &s->lr_image, "RATE in [0, inf)", "of the image tower", 0},
        {"lr-text", OPTION_REAL, &s->lr_text, "RATE in [0, inf)", "of the text tower", 0},
        {"lr-head", OPTION_REAL, &s->lr_head, "RATE in [0, inf)", "of the heads and the logit scale", 0},
        {"layer-decay-image", OPTION_REAL, &s->layer_decay_image, "F in (0, 1]",
         "the rate of each block of the image tower is F times the next one's", 0},
        {"layer-decay-text", OPTION_REAL, &s->layer_decay_text, "F in (0, 1]", "of the text tower", 0},
        {"ema-decay", OPTION_REAL, &s->ema_decay, "D in [0, 1)",
         "evaluate and save a moving average of the weights, which keeps D of itself in a step (0: the weights)", 0},
        {"wd", OPTION_REAL, &s->wd, "DECAY in [0, inf)",
         "weight decay of matrices (never of norms, biases and the logit scale)", 0},
        {"wd-image", OPTION_REAL, &s->wd_image, "DECAY in [0, inf)", "of the image tower", 0},
        {"wd-text", OPTION_REAL, &s->wd_text, "DECAY in [0, inf)", "of the text tower", 0},
        {"wd-head", OPTION_REAL, &s->wd_head, "DECAY in [0, inf)", "of the heads", 0},
        {"beta2", OPTION_REAL, &s->beta2, "B in [0, 1)", "AdamW's second beta", 0},
        {"eps", OPTION_REAL, &s->eps, "E in [0, inf)", "AdamW's epsilon", 0},
        {"grad-clip-norm", OPTION_REAL, &s->grad_clip, "NORM in [0, inf)", "clip gradients to this norm (0: not)", 0},
        {"grad-checkpointing", OPTION_FLAG, &s->grad_checkpointing, NULL,
         "less memory: run each block of the towers again in the backward pass", 0},
        {"max-memory", OPTION_TEXT, &s->max_memory_text, "SIZE",
         "device memory to get by with, as 800M or 8G: splits the step and checkpoints as far as that needs", 0},
        {"dry-run", OPTION_FLAG, &s->dry_run, NULL,
         "measure some steps whose result is thrown away; print memory, steps and time; train nothing", 0},
        {"dropout", OPTION_REAL, &s->dropout, "P in [0, 1)", "dropout in the heads; 0 turns the towers' off too", 0},
        {"warmup", OPTION_INT, &s->warmup, "STEPS in [0, inf)",
         "steps of linear warm-up (from scratch a tenth of all, else 0)", 0},
        {"lr-scheduler", OPTION_TEXT, &s->scheduler_name, "cosine|linear|const|const-cooldown|plateau",
         "learning-rate schedule", 0},
        {"epochs-cooldown", OPTION_INT, &s->epochs_cooldown, "N in [0, inf)",
         "epochs at the end in which const-cooldown falls to 0", 0},
        {"seed", OPTION_INT, &s->seed, "N", "of everything random", 0},
        {"recipe", OPTION_TEXT, &s->recipe, "default|seed",
         "seed: as R4j4n/OpenAI-CLIP-in-PyTorch trains, its faults included", 0},
        {"out", OPTION_TEXT, &s->out, "DIR", "folder of runs", 0},
        {"name", OPTION_TEXT, &s->name, "NAME", "folder of this run inside --out (default: date and time)", 0},
        {"resume", OPTION_TEXT, &s->resume, "DIR", "go on from the last checkpoint of this run, or of the \"latest\"",
         0},
        {"save-frequency", OPTION_INT, &s->save_frequency, "EPOCHS in [0, inf)",
         "between checkpoints (0: about one a minute)", 0},
        {"log-every-n-steps", OPTION_INT, &s->log_every, "N in [0, inf)", "lines in out.log (0: about one a second)",
         0},
        {"profile", OPTION_TEXT, &s->profile, "FILE",
         "write a trace of every kernel, for chrome://tracing or Perfetto, and print where the time went", 0},
        {"report-to", OPTION_TEXT, &s->report_to, "tensorboard|none",
         "where curves go beside report.html: event files in DIR/tensorboard", 0},
        {"quiet", OPTION_FLAG, &s->quiet, NULL, "only errors", 'q'},
        {0},
    };
    _Static_assert(sizeof rows <= ROOM * sizeof *rows, "more options than there is room for");
    memcpy(list, rows, sizeof rows);
}

static int parse(struct settings *s, int argc, char **argv, struct error *err)
{
    struct option_row rows[ROOM];
    list_options(rows, s);
    int first = options_parse("trainer", "[options]", purpose, rows, argc, argv, err);
    if (first < 0)
        return -1;
    if (first < argc)
        return error_set(err, EXIT_USAGE, "trainer takes options only, not \"%s\"; see --help", argv[first]);
    return 0;
}

bool settings_is_tiny(const struct settings *s)
{
    return s->model && strcmp(s->model, "tiny") == 0;
}

const char *settings_saved_model(const struct settings *s)
{
    return settings_is_tiny(s) ? NULL : s->model;
}

/* R4j4n/OpenAI-CLIP-in-PyTorch: what its recipe fixes where the command line does not. */
static void apply_seed_recipe(struct settings *s)
{
    s->seed_faults = s->keep_scale = s->every_caption = s->same_photo_negatives = true;
    s->val_split = s->val_split < 0 ? 0.2 : s->val_split;
    s->batch_size = s->batch_size < 0 ? 32 : s->batch_size;
    s->epochs = s->epochs < 0 ? 5 : s->epochs;
    s->max_tokens = s->max_tokens ? s->max_tokens : 100;
    s->lr_image = s->lr_image < 0 ? 1e-5 : s->lr_image;
    s->lr_text = s->lr_text < 0 ? 1e-5 : s->lr_text;
    s->lr_head = s->lr_head < 0 ? 1e-3 : s->lr_head;
    s->wd_image = s->wd_image < 0 ? 0 : s->wd_image;
    s->wd_text = s->wd_text < 0 ? 0 : s->wd_text;
    s->wd = s->wd < 0 ? 1e-3 : s->wd;
    s->wd_head = s->wd_head < 0 ? s->wd : s->wd_head;
    s->beta2 = s->beta2 < 0 ? 0.999 : s->beta2;
    s->eps = s->eps < 0 ? 1e-8 : s->eps;
    s->dropout = s->dropout < 0 ? 0.1 : s->dropout;
    s->warmup = s->warmup < 0 ? 0 : s->warmup;
    s->scheduler_name = s->scheduler_name ? s->scheduler_name : "plateau";
}

/* Heads over cached features train in seconds and overfit soon; whole towers want small steps. */
static void apply_default_recipe(struct settings *s)
{
    bool heads_only = s->lock_image && s->lock_text, scratch = settings_is_tiny(s);
    double rate = s->lr >= 0 ? s->lr : scratch ? 1e-3 : s->lora_rank > 0 ? 2e-4 : 1e-5;
    s->val_split = s->val_split < 0 ? 0.2 : s->val_split;
    s->batch_size = s->batch_size < 0 ? (heads_only ? 256 : 32) : s->batch_size;
    s->epochs = s->epochs < 0 ? (heads_only ? 40 : scratch ? 30 : 5) : s->epochs;
    s->lr_image = s->lr_image < 0 ? rate : s->lr_image;
    s->lr_text = s->lr_text < 0 ? rate : s->lr_text;
    s->lr_head = s->lr_head < 0 ? (s->lr >= 0 ? s->lr : heads_only ? 3e-4 : 1e-3) : s->lr_head;
    s->wd = s->wd < 0 ? 0.1 : s->wd;
    s->wd_image = s->wd_image < 0 ? s->wd : s->wd_image;
    s->wd_text = s->wd_text < 0 ? s->wd : s->wd_text;
    s->wd_head = s->wd_head < 0 ? s->wd : s->wd_head;
    s->beta2 = s->beta2 < 0 ? (heads_only ? 0.999 : 0.98) : s->beta2;
    s->eps = s->eps < 0 ? (heads_only ? 1e-8 : 1e-6) : s->eps;
    s->dropout = s->dropout < 0 ? (heads_only ? 0.7 : 0.1) : s->dropout;
    s->scheduler_name = s->scheduler_name ? s->scheduler_name : "cosine";
}

static int read_augmentation(struct settings *s, struct error *err)
{
    s->augment = augment_default();
    s->augments = s->aug_cfg.count > 0;
    for (int i = 0; i < s->aug_cfg.count; i++)
        if (augment_set(&s->augment, s->aug_cfg.items[i], err) != 0)
            return -1;
    return 0;
}

static int read_size(size_t *bytes, const char *text, struct error *err)
{
    static const char units[] = "KMGT";
    char *end;
    double number = strtod(text, &end);
    const char *unit = *end ? strchr(units, toupper((unsigned char)*end)) : NULL;
    if (unit)
        number *= pow(1000, (double)(unit - units + 1));
    if (end == text || end[unit != NULL] || !(number >= 1e6 && number <= 1e15))
        return error_set(err, EXIT_USAGE, "--max-memory: '%s' is not a size from 1M to 1000T, as 800M or 8G", text);
    *bytes = (size_t)number;
    return 0;
}

static int check_data(const struct settings *s, struct error *err)
{
    if (s->val_split_asked && s->val_data)
        return error_set(err, EXIT_USAGE, "--val-split: %g, but --val-data says what to validate on", s->val_split);
    if (strcmp(s->dataset_type, "synthetic") == 0 && s->train_num_samples == 0)
        return error_set(err, EXIT_USAGE, "--dataset-type synthetic: say how much by --train-num-samples N");
    return 0;
}

bool settings_wants_sigmoid_loss(const struct settings *s)
{
    return s->loss && strcmp(s->loss, "siglip") == 0;
}

int settings_check_loss(const struct settings *s, bool sigmoid, struct error *err)
{
    const char *option = s->label_smoothing > 0  ? "label-smoothing"
                         : s->hard_negatives > 0 ? "hard-negatives"
                         : s->distill_model      ? "distill-model"
                                                 : NULL;
    if (!sigmoid || !option)
        return 0;
    return error_set(err, EXIT_USAGE, "--%s belongs to --loss clip, not to SigLIP's sigmoid", option);
}

static int check(struct settings *s, struct error *err)
{
    if (s->max_memory_text && read_size(&s->max_memory, s->max_memory_text, err) != 0)
        return -1;
    if (settings_check_loss(s, settings_wants_sigmoid_loss(s), err) != 0)
        return -1;
    if (check_data(s, err) != 0 || read_augmentation(s, err) != 0)
        return -1;
    for (int i = 0; i < SCHEDULERS; i++)
        if (strcmp(s->scheduler_name, scheduler_names[i]) == 0)
            s->scheduler = (enum scheduler)i;
    if ((s->scheduler == SCHEDULER_CONST_COOLDOWN) != (s->epochs_cooldown > 0) || s->epochs_cooldown > s->epochs)
        return error_set(err, EXIT_USAGE,
                         "--epochs-cooldown: %d, but --lr-scheduler const-cooldown takes 1 to --epochs %d, others none",
                         s->epochs_cooldown, s->epochs);
    if (s->accum_freq > (1 << 24) / s->batch_size)
        return error_set(err, EXIT_USAGE, "--accum-freq: %d is not in [1, %d], with --batch-size %d", s->accum_freq,
                         (1 << 24) / s->batch_size, s->batch_size);
    if (s->distill_model && (s->lock_image || s->lock_text || s->hard_negatives > 0))
        return error_set(err, EXIT_USAGE,
                         "--distill-model excludes --lock-image, --lock-text (a teacher looks at each photo and text "
                         "anew) and --hard-negatives");
    if (s->separator_text && strcmp(s->separator_text, "tab") != 0 && strlen(s->separator_text) != 1)
        return error_set(err, EXIT_USAGE, "--csv-separator: '%s' is neither one character nor \"tab\"",
                         s->separator_text);
    if (s->model && (s->image_model || s->text_model))
        return error_set(err, EXIT_USAGE, "--model excludes --image-model and --text-model");
    if (!s->model && !s->image_model != !s->text_model)
        return error_set(err, EXIT_USAGE, "--image-model and --text-model go together");
    return s->profile ? file_expect_writable(s->profile, err) : 0;
}

int settings_rank_pairs(const struct settings *s)
{
    return s->batch_size * s->accum_freq;
}

int settings_step_pairs(const struct settings *s)
{
    return settings_rank_pairs(s) * s->ranks;
}

int settings_devices(const struct settings *s)
{
    int count = 1;
    for (const char *at = s->device; (at = strchr(at, ',')); at++)
        count++;
    return count;
}

char *settings_device(const struct settings *s, int n)
{
    const char *at = s->device;
    for (n %= settings_devices(s); n > 0; n--)
        at = strchr(at, ',') + 1;
    return mem_format("%.*s", (int)strcspn(at, ","), at);
}

int settings_read(struct settings *s, int argc, char **argv, struct error *err)
{
    *s = (struct settings){
        .device = "auto",
        .precision = "fp32",
        .tune = "quick",
        .val_split = UNSET,
        .head = "mlp",
        .embed_dim = 512,
        .lora_alpha = UNSET,
        .lora_targets = "qkv,out,fc1,fc2",
        .dropout = UNSET,
        .batch_size = UNSET,
        .share = "measured",
        .accum_freq = 1,
        .ranks = 1,
        .distill_weight = 1,
        .epochs = UNSET,
        .lr = UNSET,
        .lr_image = UNSET,
        .lr_text = UNSET,
        .lr_head = UNSET,
        .wd = UNSET,
        .wd_image = UNSET,
        .wd_text = UNSET,
        .wd_head = UNSET,
        .warmup = UNSET,
        .layer_decay_image = 1,
        .layer_decay_text = 1,
        .beta2 = UNSET,
        .eps = UNSET,
        .seed = 42,
        .out = "runs",
        .dataset_type = "auto",
        .split = "train",
        .max_bad_samples = 0.1,
        .recipe = "default",
        .report_to = "tensorboard",
    };
    if (parse(s, argc, argv, err) != 0)
        return -1;
    s->val_split_asked = s->val_split > 0;
    if (!s->train_data && strcmp(s->dataset_type, "synthetic") == 0)
        s->train_data = "synthetic";
    if (trained_locks(s, err) != 0 || trained_check(s, err) != 0)
        return -1;
    if (!s->train_data)
        places_choose_sample(s);
    s->lora_alpha = s->lora_alpha < 0 ? s->lora_rank : s->lora_alpha;
    if (strcmp(s->recipe, "seed") == 0)
        apply_seed_recipe(s);
    else
        apply_default_recipe(s);
    return check(s, err);
}

/* A rate that nobody named has become that of the towers; a tower of which a part is trained was given as locked. */
int settings_write(const struct settings *settings, const char *path, struct error *err)
{
    struct settings decided = *settings;
    struct option_row rows[ROOM];
    struct file_writer writer;
    decided.lr = decided.lr < 0 ? decided.lr_image : decided.lr;
    decided.lock_image |= decided.image_unlocked > 0;
    decided.lock_text |= decided.text_unlocked > 0;
    list_options(rows, &decided);
    if (file_create(&writer, path, err) != 0)
        return -1;
    options_write(writer.stream, rows);
    return file_commit(&writer, err);
}
