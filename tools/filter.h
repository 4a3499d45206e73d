/* Which photos are looked at: by path, date, size and shape.
 *
 *     struct filter filter = {.path = "2024/?*", .after = "2024-05", .orientation = "portrait"};
 *     if (filter_check(&filter, &err) != 0) return -1;
 *     if (filter_takes(&filter, "2024/beach.jpg", &photo)) ...
 *
 * Dates are a year, or more of "YYYY-MM-DD HH:MM:SS"; `after` takes photos of that moment and later ones, `before`
 * those that are earlier. A photo without a date of its own has that of its file.
 */
#ifndef OCLIP_FILTER_H
#define OCLIP_FILTER_H

#include "models/images/exif.h"
#include "runtime/util/error.h"
#include "runtime/util/hash.h"

#include <stdbool.h>

/* What is known of a photo beside its path. */
struct photo {
    struct hash hash;      /* of its file */
    uint64_t look;         /* its difference hash (models/images/facts.h) */
    int width, height;     /* as it is seen: turned upright */
    char taken[EXIF_DATE]; /* "2024-05-31 18:30:00" */
};

struct filter {
    const char *path; /* a pattern of the shell's, on the path below the gallery, in which * matches / too */
    const char *after, *before, *orientation;
    int min_width, min_height;
};

// clang-format off
#define FILTER_OPTIONS(f) \
    {"path", OPTION_TEXT, &(f).path, "PATTERN", "only paths that match, below the gallery: '2024/*'", 0}, \
    {"after", OPTION_TEXT, &(f).after, "DATE", "only photos taken then or later: 2024, 2024-05, 2024-05-31", 0}, \
    {"before", OPTION_TEXT, &(f).before, "DATE", "only photos taken earlier", 0}, \
    {"orientation", OPTION_TEXT, &(f).orientation, "landscape|portrait|square", "only photos of this shape", 0}, \
    {"min-width", OPTION_INT, &(f).min_width, "PIXELS", "only photos at least so wide", 0}, \
    {"min-height", OPTION_INT, &(f).min_height, "PIXELS", "only photos at least so high", 0}
// clang-format on

/* A date that is none is an error. */
int filter_check(const struct filter *filter, struct error *err) MUST_CHECK;

bool filter_takes(const struct filter *filter, const char *path, const struct photo *photo);

#endif
