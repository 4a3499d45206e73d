/* Waiting for a device without keeping a core busy, for drivers that wait in a loop: the host sleeps most of the time
 * that the wait is expected to take, as those before it took, and only then asks the driver to wait.
 *
 *     struct patience_wait wait = patience_begin(dev, &dev->finish_wait);   // queues a mark, flushes, sleeps
 *     clFinish(dev->queue);
 *     patience_end(&wait);                                                      // learns how long it took
 *
 * Does nothing unless the path patient-waits is on (paths.h), which quirks.c decides by driver.
 */
#ifndef OCLIP_PATIENCE_H
#define OCLIP_PATIENCE_H

#include <stdbool.h>

struct device;

/* What waits of one kind taught. */
struct patience {
    double expected; /* seconds; 0: nothing yet */
};

/* Seconds to sleep; 0 when it is not worth it. */
double patience_sleep(const struct patience *patience);

/* A wait took so long; or its end came while the host slept, and nobody knows when. */
void patience_learn(struct patience *patience, double seconds, bool overslept);

struct patience_wait {
    struct patience *patience; /* NULL: not a patient one */
    double began;
    bool overslept;
};
struct patience_wait patience_begin(struct device *dev, struct patience *patience);
void patience_end(const struct patience_wait *wait);

#endif
