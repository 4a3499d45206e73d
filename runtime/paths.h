/* The fast paths of the runtime, each of which can be switched off, to compare or to get round a driver.
 *
 *     if (device_go_without(dev, "tile,packed-weights", &err) != 0) ...   // right after device_open()
 *     if (path_is_on(dev, PATH_TILE)) ... the fast way
 *     else                            ... the plain one: the same results, more slowly
 *
 * Every program takes --without and OCLIP_WITHOUT, which device_open() reads by itself, for programs without options.
 * OCLIP_WITH switches paths on that a device would not take of its own: those of GPUs on a CPU, for tests.
 */
#ifndef OCLIP_PATHS_H
#define OCLIP_PATHS_H

#include "runtime/device.h"

enum path {
    PATH_TILE,
    PATH_MATRIX,
    PATH_PACKED_WEIGHTS,
    PATH_ATTENTION,
    PATH_UPLOAD_QUEUE,
    PATH_PATIENT_WAITS,
    PATH_HUGE_PAGES,
    PATH_PROGRAM_CACHE,
    PATHS,
};
#define PATH_BIT(path) (1u << (path))

struct path_row {
    const char *name, *what;
};
extern const struct path_row path_rows[PATHS];

/* Those that a device takes when nobody says otherwise, as a sum of PATH_BITs. */
unsigned paths_default(const struct device_info *info);

/* Reads "tile,matrix" into a sum of PATH_BITs. Fails with EXIT_USAGE, naming what there is. */
int paths_parse(unsigned *set, const char *names, struct error *err) MUST_CHECK;

/* The whole table's names, for help: "tile,matrix,...". Caller frees. */
char *paths_names(void);

bool path_is_on(const struct device *dev, enum path path);

/* Switches these off for the device; NULL and "" are fine. To be called before work is queued. */
int device_go_without(struct device *dev, const char *names, struct error *err) MUST_CHECK;

#endif
