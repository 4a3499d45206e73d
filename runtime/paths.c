#include "runtime/paths.h"

#include "runtime/opencl.h"
#include "runtime/quirks.h"

#include <stdlib.h>
#include <string.h>

const struct path_row path_rows[PATHS] = {
    [PATH_TILE] = {"tile", "matrix products on CPUs by our own register-tile kernel, not CLBlast"},
    [PATH_MATRIX] = {"matrix", "matrix products of 16-bit numbers on matrix units"},
    [PATH_PACKED_WEIGHTS] = {"packed-weights", "weights that are not trained are kept as the tile kernel packs them"},
    [PATH_ATTENTION] = {"attention", "attention with vectors of rows on CPUs, rows shared by work-items on GPUs"},
    [PATH_UPLOAD_QUEUE] = {"upload-queue",
                           "a step's inputs go up through a queue of their own while the last computes"},
    [PATH_PATIENT_WAITS] = {"patient-waits",
                            "the host sleeps before it waits, where a driver's waits keep a core busy"},
    [PATH_HUGE_PAGES] = {"huge-pages", "a CPU device's memory lies on huge pages"},
    [PATH_PROGRAM_CACHE] = {"program-cache",
                            "compiled kernels are kept on disk, where the driver does not do so itself"},
};

unsigned paths_default(const struct device_info *info)
{
    unsigned set = PATH_BIT(PATHS) - 1;
    if (info->device_class == DEVICE_CPU) /* its memory is the host's: nothing travels */
        set &= ~PATH_BIT(PATH_UPLOAD_QUEUE);
    set &= ~PATH_BIT(PATH_PATIENT_WAITS); /* by quirk only */
    struct quirk_effect effect = quirks_of(info);
    return (set | effect.paths_on) & ~effect.paths_off;
}

int paths_parse(unsigned *set, const char *names, struct error *err)
{
    *set = 0;
    for (const char *at = names; *at;) {
        size_t length = strcspn(at, ",");
        int path = 0;
        while (path < PATHS &&
               (strlen(path_rows[path].name) != length || strncmp(path_rows[path].name, at, length) != 0))
            path++;
        if (path == PATHS) {
            char *known = paths_names();
            error_set(err, EXIT_USAGE, "there is no fast path \"%.*s\"; there are %s", (int)length, at, known);
            free(known);
            return -1;
        }
        *set |= PATH_BIT(path);
        at += length + (at[length] == ',');
    }
    return 0;
}

char *paths_names(void)
{
    char *names = mem_format("%s", path_rows[0].name);
    for (int path = 1; path < PATHS; path++) {
        char *longer = mem_format("%s,%s", names, path_rows[path].name);
        free(names);
        names = longer;
    }
    return names;
}

bool path_is_on(const struct device *dev, enum path path)
{
    return dev->paths & PATH_BIT(path);
}

int device_go_without(struct device *dev, const char *names, struct error *err)
{
    unsigned off;
    if (paths_parse(&off, names ? names : "", err) != 0)
        return -1;
    dev->paths &= ~off;
    return 0;
}
