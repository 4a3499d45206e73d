/* Writes the embeddings of a gallery's index for other programs: arrays, databases, vector engines. */
#include "tools/export_format.h"
#include "tools/index.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct export_format *const formats[] = {&export_npy, &export_faiss, &export_pgvector, &export_qdrant,
                                                      &export_milvus};

struct settings {
    struct gallery_options gallery;
    const char *format, *out, *name, *factory;
    bool schema, quiet;
};

static const struct export_format *find_format(const char *name)
{
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (strcmp(formats[i]->name, name) == 0)
            return formats[i];
    DIE("no format %s", name);
}

static int check_settings(const struct settings *s, struct error *err)
{
    if (!s->gallery.folder || !s->format)
        return error_set(err, EXIT_USAGE, "give --gallery DIR and --format npy, faiss, pgvector, qdrant or milvus");
    const struct export_format *format = find_format(s->format);
    if (s->schema && !format->schema)
        return error_set(err, EXIT_USAGE, "--schema: %s has none", s->format);
    if (!s->schema && format->ending && !s->out)
        return error_set(err, EXIT_USAGE, "--format %s writes two files, NAME%s and NAME.jsonl: give --out NAME",
                         s->format, format->ending);
    return filter_check(&s->gallery.filter, err);
}

static int read_settings(struct settings *s, int argc, char **argv, struct error *err)
{
    const struct option_row rows[] = {
        {"gallery", OPTION_TEXT, &s->gallery.folder, "DIR", "a folder of pictures that was searched before", 'g'},
        {"index", OPTION_TEXT, &s->gallery.index, "FILE", "the gallery's index (DIR/.oclip.sqlite)", 0},
        FILTER_OPTIONS(s->gallery.filter),
        {"format", OPTION_TEXT, &s->format, "npy|faiss|pgvector|qdrant|milvus", "what to write", 'f'},
        {"out", OPTION_TEXT, &s->out, "NAME", "the file, or for npy and faiss NAME.npy and NAME.jsonl (stdout)", 'o'},
        {"schema", OPTION_FLAG, &s->schema, NULL, "write what makes the table or collection, no rows", 0},
        {"name", OPTION_TEXT, &s->name, "NAME", "of that table or collection", 0},
        {"factory", OPTION_TEXT, &s->factory, "TEXT", "which index faiss makes: Flat, HNSW32, \"IVF1024,Flat\"", 0},
        {"quiet", OPTION_FLAG, &s->quiet, NULL, "only errors", 'q'},
        {0}};
    int first = options_parse("export", "--gallery DIR --format FORMAT",
                              "Writes the embeddings in a gallery's index for other programs. The index is taken as it "
                              "is:\ntools/retrieve and tools/serve bring it up to date.",
                              rows, argc, argv, err);
    if (first < 0 || check_settings(s, err) != 0)
        return -1;
    return first == argc ? 0 : error_set(err, EXIT_USAGE, "%s: export takes no words", argv[first]);
}

/* A model that overflows leaves numbers no engine takes. */
static int check_rows(const struct gallery *gallery, struct error *err)
{
    for (size_t i = 0; i < gallery->paths.count * gallery->dim; i++)
        if (!isfinite(gallery->rows[i]))
            return error_set(err, EXIT_BAD_DATA, "%s: its embedding is not finite; index with --precision fp32",
                             gallery->paths.items[i / gallery->dim]);
    return 0;
}

static int load(struct gallery *gallery, const struct settings *s, struct error *err)
{
    struct index *index;
    if (index_open_made(&index, s->gallery.folder, s->gallery.index, err) != 0)
        return -1;
    int result = index_load(gallery, index, NULL, &s->gallery.filter, err);
    index_close(index);
    if (result != 0)
        return -1;
    result = gallery->readable > 0
                 ? check_rows(gallery, err)
                 : error_set(err, EXIT_BAD_DATA, "%s: no pictures in its index; tools/retrieve --gallery %s makes it",
                             s->gallery.folder, s->gallery.folder);
    if (result != 0)
        gallery_free(gallery);
    return result;
}

static int write_stream(const struct settings *s, const char *path, const struct exported *exported, struct error *err)
{
    const struct export_format *format = find_format(s->format);
    void (*write)(FILE *, const struct exported *) = s->schema ? format->schema : format->rows;
    struct file_writer writer;
    if (!path) {
        write(stdout, exported);
        return fflush(stdout) == 0 && !ferror(stdout) ? 0 : error_set(err, EXIT_FAILED, "stdout: cannot be written");
    }
    if (file_create(&writer, path, err) != 0)
        return -1;
    write(writer.stream, exported);
    return file_commit(&writer, err);
}

static int write_all(const struct settings *s, const struct exported *exported, struct error *err)
{
    const struct export_format *format = find_format(s->format);
    if (s->schema || !format->ending)
        return write_stream(s, s->out, exported, err);
    char *vectors = mem_format("%s%s", s->out, format->ending), *lines = mem_format("%s.jsonl", s->out);
    int result = format->vectors(vectors, exported, err);
    if (result == 0)
        result = write_stream(s, lines, exported, err);
    free(vectors);
    free(lines);
    return result;
}

int main(int argc, char **argv)
{
    struct error err = {0};
    struct settings s = {.name = "pictures", .factory = "Flat"};
    struct gallery gallery;
    if (read_settings(&s, argc, argv, &err) != 0 || load(&gallery, &s, &err) != 0)
        return error_report(&err);
    struct exported exported = {.gallery = &gallery, .name = s.name, .factory = s.factory};
    int result = write_all(&s, &exported, &err);
    if (result == 0 && !s.quiet && !s.schema)
        fprintf(stderr, "%zu of %zu pictures, %zu numbers each\n", gallery.paths.count, gallery.readable, gallery.dim);
    gallery_free(&gallery);
    return result == 0 ? EXIT_OK : error_report(&err);
}
