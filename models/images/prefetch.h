/* Threads that decode and preprocess pictures ahead of whoever uses them.
 *
 *     struct prefetch *prefetch = prefetch_open(&preprocess, paths, count, 0);
 *     for (size_t i = 0; i < count; i++)
 *         if (prefetch_next(prefetch, square, &err) != 0)
 *             error_report(&err);                       // this picture only; the next call gives the next one
 *     prefetch_close(prefetch);
 *
 * Pictures come in the order of `paths` whatever thread finishes first, so results never depend on the threads.
 * One thread calls prefetch_next. At most four pictures a worker wait ready; then the workers sleep.
 */
#ifndef OCLIP_PREFETCH_H
#define OCLIP_PREFETCH_H

#include "models/images/preprocess.h"

struct prefetch;

/* `paths` stay the caller's and must live until the close; the settings are copied. workers <= 0: one a processor. */
struct prefetch *prefetch_open(const struct preprocess *preprocess, const char *const *paths, size_t count,
                               int workers);

/* The next picture. -1: that picture could not be read (err names it), `out` is untouched, the next call goes on
 * with the picture after it. To be called at most `count` times. */
int prefetch_next(struct prefetch *prefetch, unsigned char *out, // [crop, crop, 3]
                  struct error *err) MUST_CHECK;

/* May be called before all pictures were taken; waits for the pictures being decoded. */
void prefetch_close(struct prefetch *prefetch);

#endif
