/* What single drivers need, as a table of conditions: what it changes, why, and who says so.
 *
 *     struct quirk_effect effect = quirks_of(device_info(dev));    // of all rows that fit, together
 *
 * A row fits by platform, vendor, name, class and size of the device, and by a range of driver versions.
 */
#ifndef OCLIP_QUIRKS_H
#define OCLIP_QUIRKS_H

#include "runtime/device.h"

struct quirk {
    const char *platform, *vendor, *device; /* parts of their names, in any case; NULL: any */
    const enum device_class *only;          /* NULL: both classes */
    unsigned long above_bytes;              /* of memory */
    const char *since, *before;   /* driver versions: `since` has it, `before` has not any more; NULL: no end */
    const char *build_options;    /* what it changes: NULL or options that programs need, */
    unsigned paths_on, paths_off; /* fast paths (paths.h), as sums of PATH_BITs, */
    const enum device_class *as;  /* and the class whose form of kernels runs; NULL: its own */
    const char *why, *source;
};
extern const struct quirk quirks[]; /* ends at why NULL */

struct quirk_effect {
    char build_options[128]; /* "" for most */
    unsigned paths_on, paths_off;
    const enum device_class *as; /* NULL for most */
};

struct quirk_effect quirks_of(const struct device_info *info);

/* Compares driver versions by their numbers: below 0 when a is older. Reads on both sides from the first digit on,
 * "535.104.05", "3.1+debian" and "23.05.25593.11" alike; what is missing counts as 0. */
int quirk_compare_versions(const char *a, const char *b);

#endif
