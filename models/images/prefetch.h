/* Threads that decode and preprocess pictures ahead of whoever uses them: a queue, in order.
 *
 *     struct prefetch *prefetch = prefetch_open(&preprocess, NULL, 32, 0);
 *     for (size_t added = 0, i = 0; i < count; i++) {
 *         while (added < count && prefetch_has_room(prefetch))
 *             prefetch_add(prefetch, names[added++], 0);
 *         if (prefetch_next(prefetch, square, &err) != 0)
 *             error_report(&err);                       // this picture only; the next call gives the next one
 *     }
 *     prefetch_close(prefetch);
 *
 * Pictures come in the order in which they were added whatever thread finishes first, so results never depend on the
 * threads. One thread adds and takes.
 */
#ifndef OCLIP_PREFETCH_H
#define OCLIP_PREFETCH_H

#include "models/images/augment.h"
#include "models/images/preprocess.h"

struct prefetch;

/* Room for `ahead` pictures, and at least for four a worker. The settings are copied. augment NULL: none.
 * workers <= 0: one a processor. */
struct prefetch *prefetch_open(const struct preprocess *preprocess, const struct augment *augment, size_t ahead,
                               int workers);

size_t prefetch_capacity(const struct prefetch *prefetch);
bool prefetch_has_room(const struct prefetch *prefetch);

/* To be decoded (decode.h says what a name is) and, with augment, changed as `seed` says. Where there is room. */
void prefetch_add(struct prefetch *prefetch, const char *name, uint64_t seed);

/* The same, and *facts (models/images/facts.h, unless NULL) are there once prefetch_next has given the picture, or has
 * failed to. Never augmented. */
void prefetch_add_facts(struct prefetch *prefetch, struct picture_facts *facts, const char *name);

/* Whether the next picture is there, after at most so many seconds. */
bool prefetch_wait(struct prefetch *prefetch, double seconds);

/* The next picture. -1: that picture could not be read (err names it), `out` is untouched, the next call goes on
 * with the picture after it. Not more often than pictures were added. */
int prefetch_next(struct prefetch *prefetch, unsigned char *out, // [crop, crop, 3]
                  struct error *err) MUST_CHECK;

/* May be called before all pictures were taken; waits for the pictures being decoded. */
void prefetch_close(struct prefetch *prefetch);

#endif
