/* The picture files below a folder, with the size and time that tell whether they changed, and what was left out.
 *
 *     struct walk walk;
 *     if (walk_folder(&walk, "photos/", picture_extensions, &err) != 0) return -1;
 *     for (size_t i = 0; i < walk.count; i++)
 *         puts(walk.files[i].path);                          // "2024/beach.jpg"
 *     walk_free(&walk);
 *
 * A file is looked at once, folders one at a time, so neither depth nor number matters. Links to files are followed;
 * links to folders are not, which is why no loop of them can catch it. Hidden files and folders are left out.
 */
#ifndef OCLIP_WALK_H
#define OCLIP_WALK_H

#include "runtime/util/file.h"

struct walk_file {
    char *path;                 /* below the folder; any bytes but zero */
    long long size, changed_ns; /* bytes, nanoseconds since 1970 */
};

struct walk {
    struct walk_file *files; // [count], sorted by path bytewise
    size_t count, capacity;
    struct string_list closed; /* folders that cannot be opened, below the folder */
    size_t folder_links;       /* links to folders */
    size_t dead_links;         /* links named like pictures that lead nowhere, or round in a circle */
    size_t specials;           /* named like pictures, but pipes, devices or sockets */
};

/* Fails only if `folder` itself cannot be opened. */
int walk_folder(struct walk *walk, const char *folder, const char *extensions, struct error *err) MUST_CHECK;
void walk_free(struct walk *walk);

/* Whether `path`, below the folder, is in one that could not be opened: then nothing is known about it. */
bool walk_is_closed(const struct walk *walk, const char *path);

#endif
