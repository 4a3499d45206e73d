#include "tools/ann_file.h"

#include "runtime/util/file.h"

#include <stdlib.h>
#include <string.h>

/* The file: this, the hashes, the index as faiss writes it, the hash of all that. */
struct head {
    char magic[8];
    uint64_t count, dim;
};
static const char magic[] = "oclipnn2";

/* Of what was written so far, read back: faiss writes by itself. */
static int hash_so_far(struct hash *sum, struct file_writer *writer, struct error *err)
{
    struct file_map map;
    if (fflush(writer->stream) != 0 || file_map(&map, writer->temporary, err) != 0)
        return error_set(err, EXIT_FAILED, "%s: cannot be read back", writer->temporary);
    hash_add(sum, map.data, map.size);
    file_unmap(&map);
    return 0;
}

int ann_file_write(const char *path, const struct faiss_index *index, const struct hash *hashes, size_t count,
                   struct error *err)
{
    struct head head = {.count = count, .dim = faiss_index_dim(index)};
    struct file_writer writer;
    char problem[FAISS_PROBLEM];
    struct hash sum = hash_begin();
    memcpy(head.magic, magic, sizeof head.magic);
    if (file_create(&writer, path, err) != 0)
        return -1;
    file_write(&writer, &head, sizeof head);
    file_write(&writer, hashes, count * sizeof *hashes);
    int result = faiss_index_write(problem, index, writer.stream);
    if (result != 0)
        error_set(err, EXIT_FAILED, "%s: cannot write: %s", path, problem);
    else
        result = hash_so_far(&sum, &writer, err);
    if (result != 0) {
        file_discard(&writer);
        return -1;
    }
    file_write(&writer, &sum, sizeof sum);
    return file_commit(&writer, err);
}

/* Whether the bytes are a whole file for rows of `dim` numbers. */
static bool is_whole(const struct file_map *map, size_t dim)
{
    struct head head;
    struct hash written, sum = hash_begin();
    if (map->size < sizeof head + sizeof written)
        return false;
    size_t body = map->size - sizeof written;
    memcpy(&head, map->data, sizeof head);
    memcpy(&written, map->data + body, sizeof written);
    hash_add(&sum, map->data, body);
    return memcmp(head.magic, magic, sizeof head.magic) == 0 && head.dim == dim &&
           head.count < (body - sizeof head) / sizeof(struct hash) && memcmp(&sum, &written, sizeof sum) == 0;
}

static int read_index(struct ann_file *file, const struct file_map *map, char problem[FAISS_PROBLEM])
{
    size_t at = sizeof(struct head) + file->count * sizeof *file->hashes;
    file->hashes = mem_new(file->count, sizeof *file->hashes);
    memcpy(file->hashes, map->data + sizeof(struct head), file->count * sizeof *file->hashes);
    FILE *stream = fmemopen((void *)(map->data + at), map->size - sizeof(struct hash) - at, "rb");
    CHECK(stream, "no stream over %zu bytes", map->size - at);
    int result = faiss_index_read(&file->index, problem, stream);
    fclose(stream);
    return result;
}

static int read_map(struct ann_file *file, const struct file_map *map, const char *path, size_t dim, struct error *err)
{
    char problem[FAISS_PROBLEM];
    if (!is_whole(map, dim))
        return error_set(err, EXIT_BAD_DATA, "%s: damaged, or of another version", path);
    struct head head;
    memcpy(&head, map->data, sizeof head);
    file->count = head.count;
    if (read_index(file, map, problem) != 0)
        return error_set(err, EXIT_BAD_DATA, "%s: %s", path, problem);
    if (faiss_index_rows(file->index) != file->count || faiss_index_dim(file->index) != dim)
        return error_set(err, EXIT_BAD_DATA, "%s: its parts do not fit each other", path);
    return 0;
}

int ann_file_read(struct ann_file *file, const char *path, size_t dim, struct error *err)
{
    *file = (struct ann_file){0};
    struct file_map map;
    if (file_map(&map, path, err) != 0)
        return -1;
    int result = read_map(file, &map, path, dim, err);
    file_unmap(&map);
    if (result != 0)
        ann_file_free(file);
    return result;
}

void ann_file_free(struct ann_file *file)
{
    faiss_index_close(file->index);
    free(file->hashes);
    *file = (struct ann_file){0};
}
