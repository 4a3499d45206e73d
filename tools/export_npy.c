/* NumPy's array and a line of JSON a row: what clip-retrieval and notebooks begin with. */
#include "tools/export_format.h"

#include "runtime/util/npy.h"

static int write_array(const char *path, const struct exported *exported, struct error *err)
{
    const struct gallery *gallery = exported->gallery;
    return npy_write(path, gallery->rows, 2, (long[]){(long)gallery->paths.count, (long)gallery->dim}, err);
}

const struct export_format export_npy = {"npy", ".npy", write_array, export_lines, NULL};
