#define _GNU_SOURCE
#include "tools/walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A walk on its way: the folders still to be visited, below the root ("" is the root itself). */
struct way {
    struct walk *walk;
    const char *root, *extensions;
    struct string_list folders;
};

static void add_file(struct walk *walk, const char *path, const struct stat *status)
{
    if (walk->count == walk->capacity) {
        walk->capacity = walk->capacity ? 2 * walk->capacity : 1024;
        walk->files = mem_grow(walk->files, walk->capacity, sizeof *walk->files);
    }
    walk->files[walk->count++] = (struct walk_file){
        .path = mem_format("%s", path),
        .size = status->st_size,
        .changed_ns = (long long)status->st_mtim.tv_sec * 1000000000 + status->st_mtim.tv_nsec,
    };
}

/* An entry that readdir() does not call a folder. One that goes away meanwhile was never there. */
static void meet(struct way *way, int folder, const char *name, const char *path)
{
    struct walk *walk = way->walk;
    bool is_wanted = file_has_extension(name, way->extensions);
    struct stat link, target;
    if (fstatat(folder, name, &link, AT_SYMLINK_NOFOLLOW) != 0)
        return;
    bool is_link = S_ISLNK(link.st_mode);
    if (!is_link)
        target = link;
    else if (fstatat(folder, name, &target, 0) != 0) {
        walk->dead_links += is_wanted;
        return;
    }
    if (S_ISDIR(target.st_mode) && !is_link)
        string_list_add(&way->folders, path);
    else if (S_ISDIR(target.st_mode))
        walk->folder_links++;
    else if (is_wanted && S_ISREG(target.st_mode))
        add_file(walk, path, &target);
    else
        walk->specials += is_wanted;
}

/* Some file systems do not tell the kind: those entries are looked at whatever their names. */
static bool is_of_interest(const struct way *way, const struct dirent *entry)
{
    bool may_be_folder = entry->d_type == DT_DIR || entry->d_type == DT_LNK || entry->d_type == DT_UNKNOWN;
    return entry->d_name[0] != '.' && (may_be_folder || file_has_extension(entry->d_name, way->extensions));
}

static int visit(struct way *way, const char *folder)
{
    char *full = *folder ? path_join(way->root, folder) : mem_format("%s", way->root);
    DIR *stream = opendir(full);
    free(full);
    if (!stream)
        return -1;
    for (struct dirent *entry; (entry = readdir(stream));) {
        if (!is_of_interest(way, entry))
            continue;
        char *path = path_join(folder, entry->d_name);
        if (entry->d_type == DT_DIR)
            string_list_add(&way->folders, path);
        else
            meet(way, dirfd(stream), entry->d_name, path);
        free(path);
    }
    closedir(stream);
    return 0;
}

static int compare_files(const void *a, const void *b)
{
    return strcmp(((const struct walk_file *)a)->path, ((const struct walk_file *)b)->path);
}

int walk_folder(struct walk *walk, const char *folder, const char *extensions, struct error *err)
{
    *walk = (struct walk){0};
    struct way way = {.walk = walk, .root = folder, .extensions = extensions};
    if (visit(&way, "") != 0)
        return error_set(err, EXIT_BAD_DATA, "%s: cannot open folder: %s", folder, strerror(errno));
    while (way.folders.count > 0) {
        char *next = way.folders.items[--way.folders.count];
        if (visit(&way, next) != 0 && errno != ENOENT)
            string_list_add(&walk->closed, next);
        free(next);
    }
    string_list_free(&way.folders);
    if (walk->count)
        qsort(walk->files, walk->count, sizeof *walk->files, compare_files);
    return 0;
}

void walk_free(struct walk *walk)
{
    for (size_t i = 0; i < walk->count; i++)
        free(walk->files[i].path);
    free(walk->files);
    string_list_free(&walk->closed);
    *walk = (struct walk){0};
}

bool walk_is_closed(const struct walk *walk, const char *path)
{
    for (size_t i = 0; i < walk->closed.count; i++) {
        size_t length = strlen(walk->closed.items[i]);
        if (strncmp(path, walk->closed.items[i], length) == 0 && path[length] == '/')
            return true;
    }
    return false;
}
