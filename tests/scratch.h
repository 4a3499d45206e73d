/* A folder for the files a test makes; it goes with everything in it.
 *
 *     char *folder = scratch_new();
 *     char *path = scratch_file(folder, "table.csv", "a,b\n", 4);
 *     ...
 *     free(path);
 *     scratch_free(folder);
 */
#ifndef OCLIP_TESTS_SCRATCH_H
#define OCLIP_TESTS_SCRATCH_H

#include <stddef.h>

char *scratch_new(void);
void scratch_free(char *folder);
char *scratch_file(const char *folder, const char *name, const void *bytes, size_t count); /* the path; caller frees */

#endif
