/* What every fuzz target has, and what they share. A target is one .c with one function, which must return whatever the
 * input is: a crash, a leak, a sanitizer's complaint or a hang is a bug of the code under test.
 *
 *     int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
 *     {
 *         static const char *const names[] = {"config.json", "1_Pooling/config.json", NULL};
 *         char *folder = target_folder(bytes, size, names);
 *         ... read the folder, target_read() all that came of it ...
 *         scratch_free(folder);
 *         return 0;
 *     }
 */
#ifndef OCLIP_FUZZ_TARGET_H
#define OCLIP_FUZZ_TARGET_H

#include "tests/scratch.h"

#include <stddef.h>
#include <stdint.h>

/* The name that libFuzzer, AFL++ and replay.c call. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size); // bytes: [size]

/* A scratch folder with the files that the input holds. A line "=== NAME" begins the file of that name, if it is one of
 * `names` (to NULL); bytes before the first such line are the file names[0]. The newline before such a line is not
 * part of the file. */
char *target_folder(const uint8_t *bytes, size_t size, const char *const *names);

/* Reads every byte, so that a sanitizer sees what must not be read. */
void target_read(const void *bytes, size_t size); // bytes: [size]

#endif
