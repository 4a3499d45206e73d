/* Checkpoints: the trained part of the arena with its moments, and the position in the run. Model folders.
 *
 * A checkpoint is a folder, checkpoints/step-00001234, that holds arena.safetensors and then state.json. It is written
 * under another name and renamed when whole, so that whatever has the right name can be trusted, at whatever moment a
 * run is killed (tests/peers/kill.py). The two newest stay.
 */
#define _GNU_SOURCE
#include "runtime/ops/loss_scale.h"
#include "runtime/util/json.h"
#include "trainer/trainer.h"

#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { KEPT = 2 };
static const char *const arena_parts[] = {"values", "moment1", "moment2"};

static struct buffer *arena_part(const struct arena *arena, int part)
{
    struct buffer *const parts[] = {arena->values, arena->moment1, arena->moment2};
    return parts[part];
}

/* Running statistics, which have no moments, stand behind the values; of moments this device may have a part only. */
static size_t part_numbers(const struct arena *arena, int part)
{
    return arena->trained_numbers + (part == 0 ? arena->kept_numbers : 0);
}

/* What is written as arena.safetensors. */
struct parts {
    struct stored_tensor tensors[6];
    int count;
};

/* Room for numbers under a name.  [numbers] */
static float *parts_add(struct parts *parts, const char *name, size_t numbers)
{
    float *data = mem_new(numbers, sizeof *data);
    parts->tensors[parts->count++] = (struct stored_tensor){
        .name = name, .dtype = STORED_F32, .ndim = 1, .shape = {(long)numbers}, .count = (long)numbers, .data = data};
    return data;
}

static void parts_collect(struct parts *parts, const struct trainer *t)
{
    const struct arena *arena = t->clip->arena;
    for (int part = 0; part < 3; part++) {
        size_t numbers = part_numbers(arena, part);
        float *data = parts_add(parts, arena_parts[part], numbers);
        if (part > 0 && t->moments[part - 1])
            memcpy(data, t->moments[part - 1], numbers * sizeof *data);
        else
            buffer_download(data, arena_part(arena, part), 0, numbers * sizeof *data);
    }
    if (arena->average)
        buffer_download(parts_add(parts, "average", arena->trained_numbers), arena->average, 0,
                        arena->trained_numbers * sizeof(float));
    size_t numbers = part_numbers(arena, 0);
    if (t->best_values)
        memcpy(parts_add(parts, "best", numbers), t->best_values, numbers * sizeof(float));
    if (t->loss_scale)
        loss_scale_download(parts_add(parts, "loss_scale", LOSS_SCALE_NUMBERS), t->loss_scale);
}

static int write_arena(struct trainer *t, const char *folder, struct error *err)
{
    struct parts parts = {0};
    parts_collect(&parts, t);
    char *path = path_join(folder, "arena.safetensors");
    int result = device_finish(t->dev, err); /* nothing of a failed device is kept */
    if (result == 0)
        result = soundness_of_weights(parts.tensors[0].data, part_numbers(t->clip->arena, 0), err);
    if (result == 0)
        result = safetensors_write(path, parts.tensors, parts.count, NULL, err);
    for (int i = 0; i < parts.count; i++)
        free((void *)(size_t)parts.tensors[i].data);
    free(path);
    return result;
}

static int write_state(const struct trainer *t, const char *folder, struct error *err)
{
    const struct position *p = &t->position;
    json_t *state =
        json_pack("{s:i, s:i, s:i, s:f, s:i, s:f, s:f, s:i, s:i, s:i, s:i, s:i}", "epoch", p->epoch, "pair", p->pair,
                  "step", p->step, "best", p->best, "best_epoch", p->best_epoch, "plateau_factor", t->schedule.factor,
                  "plateau_best_loss", t->schedule.best_loss, "plateau_bad_epochs", t->schedule.bad_epochs, "seed",
                  t->settings.seed, "batch_size", settings_step_pairs(&t->settings), "photos",
                  t->data.train.photo_count, "unsound_steps", t->unsound);
    CHECK(state, "cannot make the state of a checkpoint");
    json_object_set_new(state, "share", share_json(&t->share));
    char *path = path_join(folder, "state.json");
    int result = json_write(state, path, err);
    json_decref(state);
    free(path);
    return result;
}

/* Under another name first, so that half of it is never taken for a checkpoint; with what a killed run left in it. */
static void remove_checkpoint(const char *folder)
{
    char *gone = mem_format("%s.gone", folder);
    DIR *stream = opendir(rename(folder, gone) == 0 ? gone : folder);
    for (struct dirent *entry; stream && (entry = readdir(stream));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            unlinkat(dirfd(stream), entry->d_name, 0);
    if (stream)
        closedir(stream);
    rmdir(gone);
    rmdir(folder);
    free(gone);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)b, *(char *const *)a);
}

/* Checkpoint folders, the newest first, or what was on its way to be one or to be removed when a run was killed. */
static struct string_list list_checkpoints(const char *folder, bool whole)
{
    struct string_list list = {0};
    DIR *stream = opendir(folder);
    for (struct dirent *entry; stream && (entry = readdir(stream));)
        if (strncmp(entry->d_name, "step-", 5) == 0 && !strchr(entry->d_name, '.') == whole) {
            char *path = path_join(folder, entry->d_name);
            string_list_add(&list, path);
            free(path);
        }
    if (stream)
        closedir(stream);
    if (list.count)
        qsort(list.items, list.count, sizeof *list.items, compare_names);
    return list;
}

/* The same step may have been saved before: by the run that this one goes on from, or by another of its name. */
static int put_in_place(const char *final, const char *partial, struct error *err)
{
    char *before = mem_format("%s.before", final);
    bool replaces = rename(final, before) == 0;
    int result = rename(partial, final) == 0 ? 0 : error_set(err, EXIT_FAILED, "%s: cannot rename it", partial);
    if (result == 0)
        remove_checkpoint(before);
    else if (replaces && rename(before, final) != 0)
        error_wrap(err, "what was %s is now %s", final, before);
    free(before);
    return result;
}

static void remove_all(struct string_list list, size_t from)
{
    for (size_t i = from; i < list.count; i++)
        remove_checkpoint(list.items[i]);
    string_list_free(&list);
}

static int write_checkpoint(struct trainer *t, struct error *err)
{
    char *parent = path_join(t->folder, "checkpoints");
    char *final = mem_format("%s/step-%08d", parent, t->position.step), *partial = mem_format("%s.partial", final);
    remove_all(list_checkpoints(parent, false), 0);
    int result = file_make_folders(partial, err);
    if (result == 0)
        result = write_arena(t, partial, err);
    if (result == 0)
        result = write_state(t, partial, err);
    if (result == 0)
        result = put_in_place(final, partial, err);
    if (result != 0)
        remove_checkpoint(partial);
    else
        remove_all(list_checkpoints(parent, true), KEPT);
    free(partial);
    free(final);
    free(parent);
    return result;
}

static int write_model(struct trainer *t, const char *name, struct error *err)
{
    struct clip *clip = t->clip;
    struct fold image = features_fold(&clip->image_head, "image_head", clip->arena, &t->images);
    struct fold text = features_fold(&clip->text_head, "text_head", clip->arena, &t->texts);
    char *folder = path_join(t->folder, name), *path = path_join(folder, "training.json");
    char *lora = path_join(folder, "lora");
    int result = clip_save(clip, folder, err);
    if (result == 0)
        result = clip_save_lora(clip, lora, settings_saved_model(&t->settings), err);
    if (result == 0) {
        json_t *training =
            json_pack("{s:i, s:i, s:f, s:i, s:i, s:s, s:s}", "epoch", t->position.epoch, "step", t->position.step,
                      "best_recall", t->position.best, "photos", t->data.train.photo_count, "seed", t->settings.seed,
                      "recipe", t->settings.recipe, "train_data", t->settings.train_data);
        CHECK(training, "cannot make training.json");
        result = json_write(training, path, err);
        json_decref(training);
    }
    features_unfold(&image, clip->arena);
    features_unfold(&text, clip->arena);
    free(lora);
    free(path);
    free(folder);
    return result;
}

/* The best epoch's numbers stand in for the current ones while they are written. */
static int write_best(struct trainer *t, struct error *err)
{
    if (!t->best_values)
        return 0;
    struct arena *arena = t->clip->arena;
    size_t bytes = part_numbers(arena, 0) * sizeof(float);
    struct buffer *current = buffer_new(t->dev, bytes);
    buffer_copy(current, 0, arena->values, 0, bytes);
    buffer_upload(arena->values, 0, t->best_values, bytes);
    int result = write_model(t, "best", err);
    buffer_copy(arena->values, 0, current, 0, bytes);
    buffer_drop(current);
    return result;
}

int trainer_save(struct trainer *t, struct error *err)
{
    if (write_checkpoint(t, err) != 0)
        return -1;
    arena_swap_average(t->clip->arena);
    int result = write_model(t, "model", err);
    arena_swap_average(t->clip->arena);
    return result == 0 ? write_best(t, err) : -1;
}

void trainer_keep_best(struct trainer *t, const struct evaluation *evaluation)
{
    if (t->data.val.photo_count == 0 || evaluation->mean_recall <= t->position.best)
        return;
    const struct arena *arena = t->clip->arena;
    size_t bytes = part_numbers(arena, 0) * sizeof(float);
    if (!t->best_values)
        t->best_values = mem_new(bytes, 1);
    buffer_download(t->best_values, arena->values, 0, bytes);
    t->position.best = evaluation->mean_recall;
    t->position.best_epoch = t->position.epoch;
}

static int read_part(float *numbers, const struct safetensors *file, const char *name, size_t count, struct error *err)
{
    const struct stored_tensor *tensor = safetensors_find(file, name);
    if (!tensor || (size_t)tensor->count != count)
        return error_set(err, EXIT_BAD_DATA, "checkpoint has no \"%s\" of %zu numbers: it is of another model", name,
                         count);
    return safetensors_to_float(numbers, tensor, err);
}

/* A run that goes on in fp16 and was none before starts with a scale of its own. */
static int read_loss_scale(struct trainer *t, const struct safetensors *file, struct error *err)
{
    float numbers[LOSS_SCALE_NUMBERS];
    if (!t->loss_scale)
        return 0;
    if (!safetensors_find(file, "loss_scale")) {
        struct adamw adamw = optimizer_at(t, t->position.step, 0);
        loss_scale_steps(t->loss_scale, t->position.step, adamw.beta1, adamw.beta2);
        return 0;
    }
    if (read_part(numbers, file, "loss_scale", LOSS_SCALE_NUMBERS, err) != 0)
        return -1;
    for (int i = 0; i < LOSS_SCALE_NUMBERS; i++)
        if (!isfinite(numbers[i]) || numbers[i] < (i == LOSS_SCALE_FACTOR ? 1.0f : 0.0f))
            return error_set(err, EXIT_BAD_DATA, "the checkpoint's loss_scale holds %g as number %d",
                             (double)numbers[i], i);
    tensor_upload(t->loss_scale, numbers);
    t->skipped = (int)numbers[LOSS_SCALE_SKIPPED];
    return 0;
}

/* An average that the checkpoint does not have starts from the values of the checkpoint. */
static int read_average(float *data /* [trained_numbers] */, struct arena *arena, const struct safetensors *file,
                        struct error *err)
{
    if (!arena->average)
        return 0;
    arena_start_average(arena);
    if (!safetensors_find(file, "average"))
        return 0;
    if (read_part(data, file, "average", arena->trained_numbers, err) != 0)
        return -1;
    buffer_upload(arena->average, 0, data, arena->trained_numbers * sizeof *data);
    return 0;
}

static int read_arena(struct trainer *t, const char *folder, struct error *err)
{
    struct arena *arena = t->clip->arena;
    char *path = path_join(folder, "arena.safetensors");
    float *data = mem_new(part_numbers(arena, 0), sizeof *data); // the longest
    struct safetensors *file = NULL;
    int result = safetensors_open(&file, path, err);
    for (int part = 0; part < 3 && result == 0; part++) {
        size_t numbers = part_numbers(arena, part);
        result = read_part(data, file, arena_parts[part], numbers, err);
        if (result == 0 && part > 0)
            buffer_upload(arena_part(arena, part), 0, data + arena->shard_first, arena->shard_numbers * sizeof *data);
        else if (result == 0)
            buffer_upload(arena_part(arena, part), 0, data, numbers * sizeof *data);
    }
    if (result == 0)
        result = read_average(data, arena, file, err);
    if (result == 0)
        result = read_loss_scale(t, file, err);
    if (result == 0 && safetensors_find(file, "best")) {
        t->best_values = mem_new(part_numbers(arena, 0), sizeof(float));
        result = read_part(t->best_values, file, "best", part_numbers(arena, 0), err);
    }
    safetensors_close(file);
    free(data);
    free(path);
    return result;
}

static int read_state(struct trainer *t, const char *folder, struct error *err)
{
    json_t *state;
    char *path = path_join(folder, "state.json");
    struct position *p = &t->position;
    int seed, batch_size, photos, result = json_read(&state, path, err);
    if (result != 0)
        goto done;
    result = -1;
    if (json_need_int(&p->epoch, state, "epoch", 0, 1 << 30, path, err) == 0 &&
        json_need_int(&p->pair, state, "pair", 0, 1 << 30, path, err) == 0 &&
        json_need_int(&p->step, state, "step", 0, 1 << 30, path, err) == 0 &&
        json_need_int(&p->best_epoch, state, "best_epoch", 0, 1 << 30, path, err) == 0 &&
        json_need_int(&seed, state, "seed", -(1 << 30), 1 << 30, path, err) == 0 &&
        json_need_int(&batch_size, state, "batch_size", 2, 1 << 30, path, err) == 0 &&
        json_need_int(&photos, state, "photos", 2, 1 << 30, path, err) == 0)
        result = 0;
    if (result == 0 && (seed != t->settings.seed || batch_size != settings_step_pairs(&t->settings) ||
                        photos != t->data.train.photo_count))
        result = error_set(err, EXIT_BAD_DATA,
                           "%s: was made with --seed %d and %d pairs a step on %d photos, this run has %d, %d and %d",
                           path, seed, batch_size, photos, t->settings.seed, settings_step_pairs(&t->settings),
                           t->data.train.photo_count);
    p->best = json_real_or(state, "best", -1);
    t->schedule.factor = json_real_or(state, "plateau_factor", 1);
    t->schedule.best_loss = json_real_or(state, "plateau_best_loss", 0);
    t->schedule.bad_epochs = json_int_or(state, "plateau_bad_epochs", 0);
    t->unsound = json_int_or(state, "unsound_steps", 0);
    share_from_json(&t->share, json_object_get(state, "share"));
    json_decref(state);
done:
    free(path);
    return result;
}

bool trainer_is_saved(const struct trainer *t)
{
    char *parent = path_join(t->folder, "checkpoints");
    struct string_list list = list_checkpoints(parent, true);
    bool saved = list.count > 0;
    string_list_free(&list);
    free(parent);
    return saved;
}

int trainer_resume(struct trainer *t, struct error *err)
{
    char *parent = path_join(t->folder, "checkpoints");
    struct string_list list = list_checkpoints(parent, true);
    int result = 1;
    if (list.count) {
        result = read_state(t, list.items[0], err) == 0 && read_arena(t, list.items[0], err) == 0 ? 0 : -1;
        if (result != 0)
            error_wrap(err, "%s", list.items[0]);
    }
    string_list_free(&list);
    free(parent);
    return result;
}
