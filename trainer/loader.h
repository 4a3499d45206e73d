/* The batches of an epoch, their photos decoded ahead of the device.
 *
 *     struct loader *loader;
 *     if (loader_open(&loader, &source, epoch, skipped, &err) != 0) return -1;
 *     struct batch batch;
 *     while ((more = loader_next(&batch, loader, &err)) > 0)
 *         ... batch.pixels, batch.texts // [batch.count, ...] the loader's, until the next call ...
 *     loader_close(loader);
 *
 * What a batch holds depends on the seed, the epoch and how many samples were before it, not on threads. Each rank
 * draws the samples of all, and decodes and gets its own.
 */
#ifndef OCLIP_LOADER_H
#define OCLIP_LOADER_H

#include "models/images/augment.h"
#include "runtime/device.h"
#include "trainer/dataset.h"
#include "trainer/share.h"

struct batch {
    int drawn;             /* samples of the step, of all ranks */
    int count;             /* of them this rank's, whose photo could be read */
    struct pair *pairs;    // [count] rows of cached features; of a stream photos are numbered by their names' hash
    char **texts;          // [count]
    unsigned char *pixels; // [count, crop, crop, 3]; NULL: no photos are read
};

struct loader_source {
    struct dataset *data;
    const struct settings *settings;
    const struct share *share; /* of this rank, the first is 0 */
    int rank;
    const struct preprocess *preprocess; /* NULL: the photos' features are cached, none is read */
    struct bad_samples *bad;
    const struct device *dev; /* who waits */
};

struct loader;

/* `skipped`: samples of the epoch that are done. */
int loader_open(struct loader **loader, const struct loader_source *source, int epoch, int skipped,
                struct error *err) MUST_CHECK;

/* 1; 0 when fewer samples are left than the two that a contrastive loss needs, or than ranks; -1 when too many are bad.
 */
int loader_next(struct batch *batch, struct loader *loader, struct error *err) MUST_CHECK;

/* Seconds so far in which the device had nothing to do for want of a photo. */
double loader_waited(const struct loader *loader);
void loader_close(struct loader *loader); /* NULL is fine */

#endif
