#define _GNU_SOURCE
#include "tests/scratch.h"
#include "runtime/util/file.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

char *scratch_new(void)
{
    const char *temporary = getenv("TMPDIR");
    char *folder = mem_format("%s/oclip-test-XXXXXX", temporary ? temporary : "/tmp");
    CHECK(mkdtemp(folder), "cannot make the folder %s", folder);
    return folder;
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status, (void)kind, (void)place;
    return remove(path);
}

void scratch_free(char *folder)
{
    nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(folder);
}

char *scratch_file(const char *folder, const char *name, const void *bytes, size_t count)
{
    char *path = path_join(folder, name);
    remove(path);                     /* some file systems sync a file that is cut short and written anew */
    FILE *stream = fopen(path, "wb"); /* file_create would sync each of thousands of files */
    CHECK(stream && fwrite(bytes, 1, count, stream) == count && fclose(stream) == 0, "cannot write %s", path);
    return path;
}
