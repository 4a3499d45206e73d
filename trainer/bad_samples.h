/* Samples that cannot be used: named once each in bad_samples.jsonl of the run's folder, and the first few on stderr.
 *
 *     struct bad_samples bad = {.limit = 0.1};
 *     bad_samples_add(&bad, "photos/7.jpg: missing");        // before the folder is known, too
 *     if (bad_samples_open(&bad, "runs/first", &err) != 0) return -1;
 *     if (bad_samples_check(&bad, broken, all, &err) != 0) return -1;
 *     bad_samples_close(&bad);
 *
 * A line of the file is {"sample": "photos/7.jpg", "error": "missing"}.
 */
#ifndef OCLIP_BAD_SAMPLES_H
#define OCLIP_BAD_SAMPLES_H

#include "models/images/preprocess.h"
#include "runtime/ranks/ranks.h"
#include "runtime/util/names.h"

#include <stdio.h>

struct bad_samples {
    struct names known; /* "NAME: why" */
    size_t written;     /* of them in the file, */
    size_t shared;      /* and known to all ranks */
    FILE *file;
    double limit; /* the part of all samples that may be bad */
    bool quiet;
};

void bad_samples_add(struct bad_samples *bad, const char *text);

/* A photo that could not be read; what is wrong with it is found out again. */
void bad_samples_add_photo(struct bad_samples *bad, const struct preprocess *preprocess, const char *name);

/* Appends what is known, and from now on each one at once. */
int bad_samples_open(struct bad_samples *bad, const char *folder, struct error *err) MUST_CHECK;
/* What one rank has found the others know too, from now on. */
void bad_samples_share(struct bad_samples *bad, struct ranks *ranks);
void bad_samples_close(struct bad_samples *bad);

/* Fails with EXIT_BAD_DATA when more than the limit, or all, of `all` samples are bad; the text names the last one. */
int bad_samples_check(const struct bad_samples *bad, size_t broken, size_t all, struct error *err) MUST_CHECK;

#endif
