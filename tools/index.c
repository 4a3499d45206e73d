#define _GNU_SOURCE
#include "tools/index_parts.h"

#include "runtime/device.h"
#include "tools/walk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Paths are bytes. A picture without an embedding could not be read; one without a file is on its way out. */
static const char schema[] =
    "CREATE TABLE model (fingerprint TEXT NOT NULL, dim INTEGER NOT NULL);"
    "CREATE TABLE pictures (id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, width INTEGER NOT NULL,"
    "                       height INTEGER NOT NULL, orientation INTEGER NOT NULL, taken TEXT NOT NULL, look INTEGER "
    "NOT NULL,"
    "                       embedding BLOB, checksum INTEGER NOT NULL);"
    "CREATE TABLE files (path BLOB PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,"
    "                    picture INTEGER NOT NULL REFERENCES pictures) WITHOUT ROWID;"
    "CREATE INDEX files_by_picture ON files (picture);";

/* ---- where it is ---- */

/* The file below the cache folder for a gallery that cannot be written to, NULL where there is no such folder. Caller
 * frees. */
static char *file_in_cache(const char *gallery)
{
    struct error ignored;
    char *cache = device_cache_folder("index"), *absolute = realpath(gallery, NULL), name[HASH_TEXT];
    struct hash hash = hash_begin();
    hash_add_text(&hash, absolute ? absolute : gallery);
    hash_text(name, hash);
    char *path = file_make_folders(cache, &ignored) == 0 ? mem_format("%s/%s.sqlite", cache, name) : NULL;
    free(absolute);
    free(cache);
    return path;
}

/* In the gallery, if it can be written or somebody has put one there; caller frees. */
static char *usual_file(const char *gallery)
{
    char *path = path_join(gallery, ".oclip.sqlite");
    if (file_exists(path) || database_can_write(path))
        return path;
    free(path);
    path = file_in_cache(gallery);
    if (path && !file_exists(path) && database_can_write(path))
        fprintf(stderr, "%s cannot be written to; its index is %s\n", gallery, path);
    return path;
}

/* What cannot be written is copied into memory. */
static int open_database(struct index *index, const char *path, bool is_wish, bool rebuild, struct error *err)
{
    bool exists = path && file_exists(path);
    if (rebuild && is_wish && exists && !database_is_ours(path))
        return error_set(err, EXIT_BAD_DATA,
                         "%s: not an index, so --rebuild leaves it; delete it, or name another with --index", path);
    if (path && (database_can_write(path) || (is_wish && !exists))) {
        if (rebuild)
            database_remove(path);
        return database_open(&index->db, path, schema, err);
    }
    index->is_copy = true;
    return database_open_copy(&index->db, exists && !rebuild ? path : NULL, schema, err);
}

int index_no_pictures(const char *folder, struct error *err)
{
    return error_set(err, EXIT_BAD_DATA, "no pictures in %s (%s)", folder, picture_extensions);
}

static int expect_pictures(const char *folder, struct error *err)
{
    struct walk walk;
    int result = walk_folder(&walk, folder, picture_extensions, err);
    if (result == 0 && walk.count == 0)
        result = index_no_pictures(folder, err);
    walk_free(&walk);
    return result;
}

enum opening { OPEN_ANY, OPEN_MADE /* none is made */, OPEN_ANEW /* what stands there goes */ };

static int open_as(struct index **out, const char *folder, const char *file, enum opening opening, struct error *err)
{
    if (!file_is_folder(folder))
        return error_set(err, EXIT_BAD_DATA, "%s: %s", folder,
                         file_exists(folder) ? "is a file; the gallery is a folder of pictures" : "no such folder");
    char *path = file ? mem_format("%s", file) : usual_file(folder);
    struct index *index = mem_new(1, sizeof *index);
    bool exists = path && file_exists(path);
    int result = 0;
    if (opening == OPEN_MADE && !exists)
        result = error_set(err, EXIT_BAD_DATA, "%s: has no index; tools/retrieve --gallery %s makes it",
                           file ? file : folder, folder);
    else if (opening == OPEN_ANEW || !exists) /* none is made, or lost, for nothing */
        result = expect_pictures(folder, err);
    if (result == 0)
        result = open_database(index, path, file, opening == OPEN_ANEW, err);
    free(path);
    if (result != 0) {
        free(index);
        return -1;
    }
    index->folder = mem_format("%s", folder);
    *out = index;
    return 0;
}

int index_open(struct index **out, const char *folder, const char *file, bool rebuild, struct error *err)
{
    return open_as(out, folder, file, rebuild ? OPEN_ANEW : OPEN_ANY, err);
}

int index_open_made(struct index **out, const char *folder, const char *file, struct error *err)
{
    return open_as(out, folder, file, OPEN_MADE, err);
}

void index_close(struct index *index)
{
    if (!index)
        return;
    database_close(&index->db);
    free(index->folder);
    free(index);
}

/* ---- whose it is ---- */

/* Embeddings depend on the weights and on how pictures are prepared. */
static void describe_model(char text[HASH_TEXT], const struct clip *clip)
{
    struct hash hash = clip->fingerprint;
    preprocess_add_hash(&hash, &clip->preprocess);
    hash_text(text, hash);
}

bool index_belongs_to(struct index *index, const struct clip *clip)
{
    char ours[HASH_TEXT];
    describe_model(ours, clip);
    sqlite3_stmt *model = database_prepare(&index->db, "SELECT fingerprint FROM model");
    const char *theirs = database_step(&index->db, model) ? (const char *)sqlite3_column_text(model, 0) : NULL;
    bool same = theirs && strcmp(theirs, ours) == 0;
    sqlite3_finalize(model);
    return same;
}

int index_not_ours(const struct index *index, struct error *err)
{
    return error_set(err, EXIT_FAILED,
                     "%s: another program is using this index with another model; give one of them --index FILE",
                     index->db.path);
}

int index_claim(bool *was_of_another, struct index *index, const struct clip *clip, struct error *err)
{
    database_begin(&index->db);
    *was_of_another = false;
    if (!index_belongs_to(index, clip)) {
        char ours[HASH_TEXT];
        describe_model(ours, clip);
        sqlite3_stmt *others = database_prepare(&index->db, "SELECT 1 FROM model");
        *was_of_another = database_step(&index->db, others);
        sqlite3_finalize(others);
        database_run(&index->db, "DELETE FROM files; DELETE FROM pictures; DELETE FROM model");
        sqlite3_stmt *insert = database_prepare(&index->db, "INSERT INTO model VALUES (?1, ?2)");
        sqlite3_bind_text(insert, 1, ours, -1, SQLITE_STATIC);
        sqlite3_bind_int(insert, 2, clip->embed_dim);
        database_step(&index->db, insert);
        sqlite3_finalize(insert);
    }
    database_commit(&index->db);
    return database_check(&index->db, err);
}

const char *index_path(sqlite3_stmt *row, int column)
{
    const char *path = (const char *)sqlite3_column_text(row, column);
    return path ? path : "";
}

uint64_t index_checksum(const struct picture_facts *facts, const void *embedding, size_t bytes)
{
    const uint64_t numbers[] = {facts->hash.high,       facts->hash.low,         facts->look,
                                (uint64_t)facts->width, (uint64_t)facts->height, (uint64_t)facts->exif.orientation};
    struct hash sum = hash_begin();
    hash_add(&sum, numbers, sizeof numbers);
    hash_add_text(&sum, facts->exif.taken);
    hash_add(&sum, embedding, bytes);
    return sum.low;
}
