#include "tools/session.h"

#include "runtime/gemm/gemm.h"
#include "runtime/paths.h"
#include "runtime/util/file.h"

#include <glob.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { BATCH_MAX = 4096, WORKERS_MAX = 256 };

/* Where trainer leaves its runs when it is started in the build folder, the root, or one beside it. */
static const char *const run_patterns[] = {"runs/*/model/model.safetensors", "../runs/*/model/model.safetensors",
                                           "build/runs/*/model/model.safetensors",
                                           "../build/runs/*/model/model.safetensors"};

/* Looks at the matches of one pattern; `path` becomes the newest one so far. */
static void look_for_newer(char **path, struct timespec *time, const char *pattern)
{
    glob_t found;
    if (glob(pattern, 0, NULL, &found) != 0)
        return;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        struct stat status;
        if (stat(found.gl_pathv[i], &status) != 0)
            continue;
        struct timespec t = status.st_mtim;
        if (*path && (t.tv_sec < time->tv_sec || (t.tv_sec == time->tv_sec && t.tv_nsec <= time->tv_nsec)))
            continue;
        free(*path);
        *path = mem_format("%s", found.gl_pathv[i]);
        *time = t;
    }
    globfree(&found);
}

/* The folder of the newest trained model; caller frees. */
static int find_newest_model(char **folder, struct error *err)
{
    struct timespec time = {0};
    *folder = NULL;
    for (size_t i = 0; i < sizeof run_patterns / sizeof *run_patterns; i++)
        look_for_newer(folder, &time, run_patterns[i]);
    if (!*folder)
        return error_set(err, EXIT_BAD_DATA,
                         "no trained model found as runs/*/model here, above or in build/: train one with ./trainer, "
                         "or name one with --model DIR");
    *strrchr(*folder, '/') = '\0';
    return 0;
}

int session_open_device(struct session *session, struct error *err)
{
    if (session->batch_size < 0 || session->batch_size > BATCH_MAX)
        return error_set(err, EXIT_USAGE, "--batch-size %d: must be from 0 to %d", session->batch_size, BATCH_MAX);
    if (session->workers < 0 || session->workers > WORKERS_MAX)
        return error_set(err, EXIT_USAGE, "--workers %d: must be from 0 to %d", session->workers, WORKERS_MAX);
    if (device_open(&session->dev, session->device_spec ? session->device_spec : "auto", err) != 0)
        return -1;
    if (device_go_without(session->dev, session->without, err) != 0) {
        session_close(session);
        return -1;
    }
    session_say(session, "%s\n", device_info(session->dev)->label);
    gemm_set_tuning(session->dev, session->tune ? session->tune : "quick");
    const char *wanted = session->precision ? session->precision : session->stores_half ? "int16" : "fp32";
    gemm_set_precision(session->dev, wanted);
    if (session->precision && strcmp(wanted, gemm_precisions[device_precision(session->dev)]) != 0)
        session_say(session, "no products of 16-bit integers on this device: float32\n");
    session->precision = gemm_precisions[device_precision(session->dev)];
    return 0;
}

int session_open(struct session *session, struct error *err)
{
    if (!session->model) {
        if (find_newest_model(&session->newest, err) != 0)
            return -1;
        session->model = session->newest;
    }
    if (session_open_device(session, err) != 0 ||
        clip_open(&session->clip, session->dev, session->model, 0, err) != 0) {
        session_close(session);
        return -1;
    }
    if (clip_precision_note(session->clip))
        session_say(session, "%s\n", clip_precision_note(session->clip));
    session->clip->preprocess.upright |= session->exif_orientation;
    if (session->newest)
        session_say(session, "model %s\n", session->model);
    return 0;
}

void session_close(struct session *session)
{
    clip_close(session->clip);
    device_close(session->dev);
    free(session->newest);
    session->clip = NULL;
    session->dev = NULL;
    session->newest = NULL;
}

void session_say(const struct session *session, const char *format, ...)
{
    if (session->quiet)
        return;
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
}

struct encode_options session_encode(const struct session *session, enum encode_stage stage, const char *label)
{
    return (struct encode_options){.stage = stage,
                                   .batch_size = session->batch_size,
                                   .workers = session->workers,
                                   .quiet = session->quiet,
                                   .label = label};
}
