/* An index file of faiss's: its rows are numbered as the lines beside it. */
#include "tools/export_format.h"

#include "third_party/faiss_index.h"

static int write_index(const char *path, const struct exported *exported, struct error *err)
{
    const struct gallery *gallery = exported->gallery;
    struct faiss_index *index;
    struct file_writer writer;
    char problem[FAISS_PROBLEM];
    if (faiss_index_make(&index, problem, exported->factory, gallery->rows, gallery->paths.count, gallery->dim) != 0)
        return error_set(err, EXIT_FAILED, "--format faiss, index \"%s\": %s", exported->factory, problem);
    int result = file_create(&writer, path, err);
    if (result == 0 && faiss_index_write(problem, index, writer.stream) != 0) {
        file_discard(&writer);
        result = error_set(err, EXIT_FAILED, "%s: cannot write: %s", path, problem);
    } else if (result == 0)
        result = file_commit(&writer, err);
    faiss_index_close(index);
    return result;
}

const struct export_format export_faiss = {"faiss", ".faiss", write_index, export_lines, NULL};
