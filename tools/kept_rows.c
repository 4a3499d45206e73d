#include "tools/kept_rows.h"

#include "runtime/device.h"
#include "runtime/util/file.h"
#include "runtime/util/npy.h"
#include "tools/row_length.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Caller frees. */
static char *path_of(const char *folder, struct hash key)
{
    char name[HASH_TEXT];
    hash_text(name, key);
    return mem_format("%s/%s.npy", folder, name);
}

bool kept_rows_find(float *rows, const char *subfolder, struct hash key, size_t n, size_t dim)
{
    struct npy npy;
    struct error ignored;
    char *folder = device_cache_folder(subfolder), *path = path_of(folder, key);
    bool found = file_exists(path) && npy_read(&npy, path, &ignored) == 0;
    free(path);
    free(folder);
    if (!found)
        return false;
    bool fits = npy.ndim == 2 && npy.shape[0] == (long)n && npy.shape[1] == (long)dim;
    for (size_t r = 0; fits && r < n; r++) /* damage hardly keeps a row's length */
        fits = fabs(row_length(npy.data + r * dim, dim) - 1) < 1e-3;
    if (fits)
        memcpy(rows, npy.data, n * dim * sizeof *rows);
    npy_free(&npy);
    return fits;
}

void kept_rows_keep(const char *subfolder, struct hash key, const float *rows, size_t n, size_t dim)
{
    struct error err;
    char *folder = device_cache_folder(subfolder), *path = path_of(folder, key);
    if (file_make_folders(folder, &err) != 0 || npy_write(path, rows, 2, (long[]){(long)n, (long)dim}, &err) != 0)
        fprintf(stderr, "oclip: embeddings of texts are not kept for the next run: %s\n", err.text);
    free(path);
    free(folder);
}
