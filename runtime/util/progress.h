/* One line on a terminal's stderr that shows how far a job is; silent when stderr is no terminal or quiet is set.
 *
 *     struct progress bar = progress_begin("epoch 1", 400, "pairs", quiet);
 *     progress_step(&bar, done, "loss 1.234 lr 1e-3");   // redraws at most ten times a second
 *     progress_end(&bar);                                // wipes the line
 *
 * Draws: label, bar, percent, done/total, rate in units a second, time left, then the caller's text.
 */
#ifndef OCLIP_PROGRESS_H
#define OCLIP_PROGRESS_H

#include "runtime/util/error.h"

#include <stdbool.h>

struct progress {
    const char *label, *unit;
    long total;
    double started, drawn; /* seconds, monotonic */
    bool visible;
};

double clock_seconds(void); /* monotonic */

struct progress progress_begin(const char *label, long total, const char *unit, bool quiet);
void progress_step(struct progress *bar, long done, const char *format, ...) PRINTF_LIKE(3, 4);
void progress_end(struct progress *bar);

#endif
