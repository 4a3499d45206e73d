#define _GNU_SOURCE
#include "runtime/util/file.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int system_error(struct error *err, const char *verb, const char *path)
{
    int code = errno;
    return error_set(err, code == ENOENT || code == EACCES ? EXIT_BAD_DATA : EXIT_FAILED, "%s: cannot %s: %s", path,
                     verb, strerror(code));
}

int file_read(char **text, size_t *size, const char *path, size_t limit, struct error *err)
{
    struct file_map map;
    if (file_map(&map, path, err) != 0)
        return -1;
    if (map.size > limit) {
        size_t actual = map.size;
        file_unmap(&map);
        return error_set(err, EXIT_BAD_DATA, "%s: %zu bytes is more than the %zu expected of such a file", path, actual,
                         limit);
    }
    *text = mem_new(map.size + 1, 1);
    if (map.size)
        memcpy(*text, map.data, map.size);
    if (size)
        *size = map.size;
    file_unmap(&map);
    return 0;
}

int file_map(struct file_map *map, const char *path, struct error *err)
{
    *map = (struct file_map){0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return system_error(err, "open", path);
    struct stat status;
    int result = 0;
    if (fstat(fd, &status) != 0) {
        result = system_error(err, "stat", path);
    } else if (!S_ISREG(status.st_mode)) {
        result = error_set(err, EXIT_BAD_DATA, "%s: not a regular file", path);
    } else if (status.st_size > 0) {
        void *data = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (data == MAP_FAILED)
            result = system_error(err, "map", path);
        else
            *map = (struct file_map){.data = data, .size = (size_t)status.st_size};
    }
    close(fd);
    return result;
}

void file_unmap(struct file_map *map)
{
    if (map->data)
        munmap((void *)(size_t)map->data, map->size);
    *map = (struct file_map){0};
}

void file_release(const void *bytes, size_t count)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t first = ((uintptr_t)bytes + page - 1) / page * page, end = ((uintptr_t)bytes + count) / page * page;
    if (first < end)
        madvise((void *)first, end - first, MADV_DONTNEED);
}

int file_create(struct file_writer *writer, const char *path, struct error *err)
{
    *writer = (struct file_writer){
        .path = mem_format("%s", path),
        .temporary = mem_format("%s.tmp.%ld.%lx", path, (long)getpid(), (unsigned long)(uintptr_t)writer)};
    writer->stream = fopen(writer->temporary, "wbe");
    if (writer->stream)
        return 0;
    int result = system_error(err, "create", path);
    file_discard(writer);
    return result;
}

int file_expect_writable(const char *path, struct error *err)
{
    struct file_writer writer;
    if (file_is_folder(path))
        return error_set(err, EXIT_FAILED, "%s: is a folder; name a file in it", path);
    if (file_create(&writer, path, err) != 0)
        return -1;
    file_discard(&writer);
    return 0;
}

void file_write(struct file_writer *writer, const void *bytes, size_t count)
{
    if (!writer->failed && count && fwrite(bytes, 1, count, writer->stream) != count) {
        writer->failed = true;
        writer->saved_errno = errno;
    }
}

/* The rename itself must survive a power cut, so the folder is synced too; some file systems refuse that. */
static void sync_folder_of(const char *path)
{
    char *folder = mem_format("%s", path);
    char *slash = strrchr(folder, '/');
    if (slash)
        slash[slash == folder] = '\0';
    int fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    free(folder);
}

int file_commit(struct file_writer *writer, struct error *err)
{
    bool kept = !ferror(writer->stream) && fflush(writer->stream) == 0 && fsync(fileno(writer->stream)) == 0;
    if (!writer->failed && !kept) {
        writer->failed = true;
        writer->saved_errno = errno;
    }
    if (fclose(writer->stream) != 0 && !writer->failed) {
        writer->failed = true;
        writer->saved_errno = errno;
    }
    writer->stream = NULL;
    if (!writer->failed && rename(writer->temporary, writer->path) != 0) {
        writer->failed = true;
        writer->saved_errno = errno;
    }
    if (writer->failed) {
        error_set(err, EXIT_FAILED, "%s: cannot write: %s (what stood there before is untouched)", writer->path,
                  strerror(writer->saved_errno));
        file_discard(writer);
        return -1;
    }
    sync_folder_of(writer->path);
    free(writer->path);
    free(writer->temporary);
    return 0;
}

void file_discard(struct file_writer *writer)
{
    if (writer->stream)
        fclose(writer->stream);
    unlink(writer->temporary);
    free(writer->path);
    free(writer->temporary);
    *writer = (struct file_writer){0};
}

bool file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

bool file_is_folder(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

int file_make_folders(const char *path, struct error *err)
{
    char *partial = mem_format("%s", path);
    int result = 0;
    for (char *at = partial + 1; result == 0; at++) {
        bool last = *at == '\0';
        if (*at != '/' && !last)
            continue;
        *at = '\0';
        if (mkdir(partial, 0777) != 0 && !(errno == EEXIST && file_is_folder(partial)))
            result = system_error(err, "make folder", partial);
        if (last)
            break;
        *at = '/';
    }
    free(partial);
    return result;
}

char *path_join(const char *folder, const char *name)
{
    size_t before = name[0] == '/' ? 0 : strlen(folder), bytes = strlen(name) + 1;
    bool needs_slash = before > 0 && folder[before - 1] != '/';
    char *path = mem_new(before + needs_slash + bytes, 1); /* by hand: galleries have 100,000 paths */
    memcpy(path, folder, before);
    if (needs_slash)
        path[before++] = '/';
    memcpy(path + before, name, bytes);
    return path;
}

void string_list_add(struct string_list *list, const char *text)
{
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? 2 * list->capacity : 64;
        list->items = mem_grow(list->items, list->capacity, sizeof *list->items);
    }
    list->items[list->count++] = mem_format("%s", text);
}

void string_list_free(struct string_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct string_list){0};
}

bool file_has_extension(const char *name, const char *extensions)
{
    const char *dot = strrchr(name, '.');
    if (!dot)
        return false;
    char lower[16] = {0};
    for (size_t i = 0; dot[i] && i + 1 < sizeof lower; i++)
        lower[i] = (char)tolower((unsigned char)dot[i]);
    size_t length = strlen(lower);
    for (const char *at = strstr(extensions, lower); at; at = strstr(at + 1, lower))
        if ((at == extensions || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0'))
            return true;
    return false;
}

static int list_folder(struct string_list *list, const char *folder, const char *extensions, struct error *err)
{
    DIR *stream = opendir(folder);
    if (!stream)
        return system_error(err, "open folder", folder);
    int result = 0;
    for (struct dirent *entry; result == 0 && (entry = readdir(stream));) {
        if (entry->d_name[0] == '.')
            continue;
        char *path = path_join(folder, entry->d_name);
        struct stat link, target;
        if (lstat(path, &link) == 0 && stat(path, &target) == 0) {
            if (S_ISDIR(link.st_mode))
                result = list_folder(list, path, extensions, err);
            else if (S_ISREG(target.st_mode) && file_has_extension(entry->d_name, extensions))
                string_list_add(list, path);
        }
        free(path);
    }
    closedir(stream);
    return result;
}

static int compare_strings(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int file_list(struct string_list *list, const char *folder, const char *extensions, struct error *err)
{
    if (list_folder(list, folder, extensions, err) != 0)
        return -1;
    if (list->count)
        qsort(list->items, list->count, sizeof *list->items, compare_strings);
    return 0;
}
