/* Files and folders: read whole, map, write so that nothing half-written remains.
 *
 *     struct file_writer w;
 *     if (file_create(&w, "out/model.safetensors", &err) != 0) return -1;
 *     file_write(&w, bytes, count);                  // errors are kept until the commit
 *     return file_commit(&w, &err);                  // flush, fsync, rename; or removes the temporary
 *
 * Every error names the path and what the system said.
 */
#ifndef OCLIP_FILE_H
#define OCLIP_FILE_H

#include "runtime/util/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* A whole file as NUL-terminated text; caller frees. A file above `limit` bytes is refused. */
int file_read(char **text, size_t *size, const char *path, size_t limit, struct error *err) MUST_CHECK;

/* A read-only map of a whole file. An empty file maps to data = NULL, size = 0. */
struct file_map {
    const unsigned char *data; // [size]
    size_t size;
};
int file_map(struct file_map *map, const char *path, struct error *err) MUST_CHECK;
void file_unmap(struct file_map *map);

/* Part of a map need not stay in memory; it comes back from the file when it is read again.  bytes [count] */
void file_release(const void *bytes, size_t count);

struct file_writer {
    FILE *stream;    /* may be printed to directly */
    char *path;      /* the final name */
    char *temporary; /* beside it; nobody else's, another thread's neither */
    bool failed;
    int saved_errno;
};
int file_create(struct file_writer *writer, const char *path, struct error *err) MUST_CHECK;
void file_write(struct file_writer *writer, const void *bytes, size_t count);
int file_commit(struct file_writer *writer, struct error *err) MUST_CHECK; /* frees the writer */
void file_discard(struct file_writer *writer);                             /* removes the temporary, frees the writer */

/* Whether a file could be created there now: to be asked before work that takes long. */
int file_expect_writable(const char *path, struct error *err) MUST_CHECK;

bool file_exists(const char *path);
bool file_is_folder(const char *path);
bool file_has_extension(const char *name, const char *extensions); /* as file_list's */
int file_make_folders(const char *path, struct error *err) MUST_CHECK; /* like mkdir -p */
char *path_join(const char *folder, const char *name);                 /* name alone if it is absolute; caller frees */

/* A growing list of owned strings. */
struct string_list {
    char **items; // [count]
    size_t count, capacity;
};
void string_list_add(struct string_list *list, const char *text);
void string_list_free(struct string_list *list);

/* All regular files below `folder` (recursively, hidden ones and symlinked folders left out) whose lower-case
 * extension is in `extensions` (e.g. ".jpg .jpeg .png"); paths start with `folder`; sorted bytewise. */
int file_list(struct string_list *list, const char *folder, const char *extensions, struct error *err) MUST_CHECK;

#endif
