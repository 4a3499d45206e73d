/* What every tool has in common: its options, the device it opens and names, the model it finds.
 *
 *     struct session session = {0};
 *     const struct option_row rows[] = {SESSION_OPTIONS(session), {"top", OPTION_INT, &top, "N", "results", 'k'}, {0}};
 *     if (options_parse("retrieve", "[QUERY...]", "Searches.", rows, argc, argv, &err) < 0 ||
 *         session_open(&session, &err) != 0)
 *         return error_report(&err);
 *     ... session.clip ...
 *     session_close(&session);
 */
#ifndef OCLIP_SESSION_H
#define OCLIP_SESSION_H

#include "models/encoder.h"
#include "runtime/util/json.h"
#include "runtime/util/options.h"

struct session {
    const char *device_spec, *precision, *without, *tune,
        *model; /* NULL: "auto", "fp32" or as below, the newest trained model; set by session_open */
    bool quiet, json, exif_orientation;
    bool stores_half; /* what towers make is kept in half precision: 16-bit integers will do, where CPUs have them */
    int workers, batch_size;

    struct device *dev;
    struct clip *clip;
    char *newest; /* what model points to when none was named */
};

// clang-format off
#define SESSION_OPTIONS(s) \
    {"model", OPTION_TEXT, &(s).model, "DIR", "model folder (the newest runs/*/model)", 'm'}, \
    {"device", OPTION_TEXT, &(s).device_spec, "SPEC", "N, P:D, part of a name, gpu, cpu or auto (tools/devices)", 'd'}, \
    {"precision", OPTION_TEXT, &(s).precision, "fp32|bf16|fp16|int16", "what towers store activations as; int16: what CPUs multiply (the default of an index)", 0}, \
    {"tune", OPTION_TEXT, &(s).tune, "off|quick|full", "how long to look for the fastest products (quick); kept", 0}, \
    {"without", OPTION_TEXT, &(s).without, "PATHS", "fast paths not to take, as tools/devices --paths lists them", 0}, \
    {"batch-size", OPTION_INT, &(s).batch_size, "N", "at once on the device; 0: 32 pictures, 64 texts", 0}, \
    {"workers", OPTION_INT, &(s).workers, "N", "threads that decode pictures; 0: one a processor", 'j'}, \
    {"exif-orientation", OPTION_FLAG, &(s).exif_orientation, NULL, "turn photos upright; models see them as stored", 0}, \
    {"quiet", OPTION_FLAG, &(s).quiet, NULL, "only errors and results", 'q'}, \
    {"json", OPTION_FLAG, &(s).json, NULL, "machine-readable results", 0}
// clang-format on

/* Opens the device and prints its label on stderr once; session_open also opens the model. On failure nothing is left
 * open. */
int session_open_device(struct session *session, struct error *err) MUST_CHECK;
int session_open(struct session *session, struct error *err) MUST_CHECK;
void session_close(struct session *session);

/* On stderr, unless --quiet. */
void session_say(const struct session *session, const char *format, ...) PRINTF_LIKE(2, 3);

struct encode_options session_encode(const struct session *session, enum encode_stage stage, const char *label);

#endif
