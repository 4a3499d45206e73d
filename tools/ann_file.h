/* An approximate index on disk: faiss's, and of which photos its rows are.
 *
 *     if (ann_file_write(path, index, hashes, count, &err) != 0) ...
 *     struct ann_file file;
 *     if (ann_file_read(&file, path, dim, &err) != 0) ...      // it is not whole, or of something else: make it anew
 *     ... file.index, file.hashes[0] to file.hashes[file.count - 1] ...
 *     ann_file_free(&file);
 *
 * faiss trusts what it reads, so a file is taken only when its checksum is right, and should lie where only this user
 * writes.
 */
#ifndef OCLIP_ANN_FILE_H
#define OCLIP_ANN_FILE_H

#include "runtime/util/error.h"
#include "runtime/util/hash.h"
#include "third_party/faiss_index.h"

struct ann_file {
    struct faiss_index *index;
    struct hash *hashes; // [count], of the photo that each row of the index is of
    size_t count;
};

/* hashes [count] */
int ann_file_write(const char *path, const struct faiss_index *index, const struct hash *hashes, size_t count,
                   struct error *err) MUST_CHECK;
int ann_file_read(struct ann_file *file, const char *path, size_t dim, struct error *err) MUST_CHECK;
void ann_file_free(struct ann_file *file);

#endif
