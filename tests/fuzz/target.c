#define _GNU_SOURCE
#include "tests/fuzz/target.h"

#include "runtime/util/error.h"
#include "runtime/util/file.h"

#include <stdlib.h>
#include <string.h>

static const char mark[] = "=== ";
enum { MARK_BYTES = sizeof mark - 1 };

/* If a line "=== NAME" is at `at`: its name, and `*body` behind it. */
static const char *name_at(const char **body, const char *at, const char *end, const char *const *names)
{
    if (end - at < MARK_BYTES || memcmp(at, mark, MARK_BYTES) != 0)
        return NULL;
    at += MARK_BYTES;
    for (; *names; names++) {
        size_t length = strlen(*names);
        if ((size_t)(end - at) > length && memcmp(at, *names, length) == 0 && at[length] == '\n') {
            *body = at + length + 1;
            return *names;
        }
    }
    return NULL;
}

static void write_file(const char *folder, const char *name, const char *bytes, size_t size)
{
    char *path = path_join(folder, name), *slash = strrchr(path, '/');
    struct error err;
    *slash = '\0';
    CHECK(file_make_folders(path, &err) == 0, "%s", err.text);
    free(path);
    free(scratch_file(folder, name, bytes, size));
}

/* The next line at or behind `at` that begins a file: its name and `*body`, and where the bytes before it stop. */
static const char *next_file(const char **stop, const char **body, const char *at, const char *end,
                             const char *const *names)
{
    for (; (at = memmem(at, (size_t)(end - at), "\n=== ", 1 + MARK_BYTES)); at++) {
        const char *name = name_at(body, at + 1, end, names);
        *stop = at;
        if (name)
            return name;
    }
    *stop = end;
    return NULL;
}

char *target_folder(const uint8_t *bytes, size_t size, const char *const *names)
{
    char *folder = scratch_new();
    const char *body = (const char *)bytes, *end = body + size;
    const char *name = name_at(&body, body, end, names);
    name = name ? name : names[0];
    while (name) {
        const char *begin = body, *stop;
        const char *next = next_file(&stop, &body, begin, end, names);
        write_file(folder, name, begin, (size_t)(stop - begin));
        name = next;
    }
    return folder;
}

void target_read(const void *bytes, size_t size)
{
    const unsigned char *at = bytes;
    volatile unsigned char sum = 0;
    for (size_t i = 0; i < size; i++)
        sum = (unsigned char)(sum + at[i]);
}
