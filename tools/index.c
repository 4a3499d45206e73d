#define _GNU_SOURCE
#include "tools/index.h"

#include "runtime/device.h"
#include "runtime/util/progress.h"
#include "tools/database.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A photo whose embedding is NULL could not be read. `present` is what the folder holds now; it lives with the
 * connection. */
static const char schema[] =
    "CREATE TABLE model (fingerprint TEXT NOT NULL, dim INTEGER NOT NULL);"
    "CREATE TABLE photos (path TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime INTEGER NOT NULL, hash TEXT NOT NULL,"
    "                     embedding BLOB) WITHOUT ROWID;"
    "CREATE INDEX photos_by_hash ON photos (hash);";
static const char present_schema[] =
    "CREATE TEMP TABLE IF NOT EXISTS present (path TEXT PRIMARY KEY, size INTEGER, mtime INTEGER); "
    "DELETE FROM present";

struct index {
    struct database db;
    char *folder;
};

/* ---- where it is ---- */

/* The file below the cache folder for a gallery that cannot be written to; makes the folder. Caller frees. */
static char *file_in_cache(const char *gallery, struct error *err)
{
    char *cache = device_cache_folder("index"), *absolute = realpath(gallery, NULL), name[HASH_TEXT];
    struct hash hash = hash_begin();
    hash_add_text(&hash, absolute ? absolute : gallery);
    hash_text(name, hash);
    char *path = file_make_folders(cache, err) == 0 ? mem_format("%s/%s.sqlite", cache, name) : NULL;
    free(absolute);
    free(cache);
    return path;
}

static char *usual_file(const char *gallery, struct error *err)
{
    if (access(gallery, W_OK) == 0)
        return path_join(gallery, ".oclip.sqlite");
    char *path = file_in_cache(gallery, err);
    if (path && !file_exists(path))
        fprintf(stderr, "%s cannot be written to; its index is %s\n", gallery, path);
    return path;
}

int index_open(struct index **out, const char *folder, const char *file, bool rebuild, struct error *err)
{
    if (!file_is_folder(folder))
        return error_set(err, EXIT_BAD_DATA, "%s: %s", folder,
                         file_exists(folder) ? "is a file; the gallery is a folder of pictures" : "no such folder");
    char *path = file ? mem_format("%s", file) : usual_file(folder, err);
    if (!path)
        return -1;
    if (rebuild)
        database_remove(path);
    struct index *index = mem_new(1, sizeof *index);
    int result = database_open(&index->db, path, schema, err);
    free(path);
    if (result != 0) {
        free(index);
        return -1;
    }
    index->folder = mem_format("%s", folder);
    *out = index;
    return 0;
}

void index_close(struct index *index)
{
    if (!index)
        return;
    database_close(&index->db);
    free(index->folder);
    free(index);
}

/* ---- what the folder holds ---- */

static const char *path_in_gallery(const struct index *index, const char *path)
{
    path += strlen(index->folder);
    return path + strspn(path, "/");
}

/* Fills the table `present`. A file that goes away between the listing and the look at it was never there. */
static int list_present(struct index *index, struct error *err)
{
    struct string_list files = {0};
    int result = file_list(&files, index->folder, picture_extensions, err);
    if (result == 0 && files.count == 0)
        result = error_set(err, EXIT_BAD_DATA, "no pictures in %s (%s)", index->folder, picture_extensions);
    if (result == 0) {
        database_run(&index->db, present_schema);
        database_run(&index->db, "BEGIN");
        sqlite3_stmt *insert = database_prepare(&index->db, "INSERT INTO present VALUES (?1, ?2, ?3)");
        for (size_t i = 0; i < files.count; i++) {
            struct stat status;
            if (stat(files.items[i], &status) != 0)
                continue;
            sqlite3_bind_text(insert, 1, path_in_gallery(index, files.items[i]), -1, SQLITE_STATIC);
            sqlite3_bind_int64(insert, 2, status.st_size);
            sqlite3_bind_int64(insert, 3, (sqlite3_int64)status.st_mtim.tv_sec * 1000000000 + status.st_mtim.tv_nsec);
            database_step(&index->db, insert);
            sqlite3_reset(insert);
        }
        sqlite3_finalize(insert);
        database_commit(&index->db);
        result = database_check(&index->db, err);
    }
    string_list_free(&files);
    return result;
}

/* ---- whose it is ---- */

/* Embeddings depend on the weights and on how pictures are prepared. */
static void describe_model(char text[HASH_TEXT], const struct clip *clip)
{
    struct hash hash = clip->fingerprint;
    preprocess_add_hash(&hash, &clip->preprocess);
    hash_text(text, hash);
}

static bool belongs_to(struct index *index, const struct clip *clip)
{
    char ours[HASH_TEXT];
    describe_model(ours, clip);
    sqlite3_stmt *model = database_prepare(&index->db, "SELECT fingerprint FROM model");
    const char *theirs = database_step(&index->db, model) ? (const char *)sqlite3_column_text(model, 0) : NULL;
    bool same = theirs && strcmp(theirs, ours) == 0;
    sqlite3_finalize(model);
    return same;
}

static int not_ours(const struct index *index, struct error *err)
{
    return error_set(err, EXIT_FAILED,
                     "%s: another program is using this index with another model; give one of them --index FILE",
                     index->db.path);
}

/* Another model's embeddings are of no use. */
static int claim(struct index *index, const struct clip *clip, struct error *err)
{
    database_begin(&index->db);
    if (!belongs_to(index, clip)) {
        char ours[HASH_TEXT];
        describe_model(ours, clip);
        database_run(&index->db, "DELETE FROM photos; DELETE FROM model");
        sqlite3_stmt *insert = database_prepare(&index->db, "INSERT INTO model VALUES (?1, ?2)");
        sqlite3_bind_text(insert, 1, ours, -1, SQLITE_STATIC);
        sqlite3_bind_int(insert, 2, clip->embed_dim);
        database_step(&index->db, insert);
        sqlite3_finalize(insert);
    }
    database_commit(&index->db);
    return database_check(&index->db, err);
}

/* ---- new and changed pictures ---- */

struct photo {
    char *path; /* in the gallery */
    sqlite3_int64 size, mtime;
    char hash[HASH_TEXT];
};

struct photo_list {
    struct photo *items; // [count]
    size_t count, capacity;
};

static void photo_list_free(struct photo_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i].path);
    free(list->items);
}

/* What is present and not in the index as it is now; not hashed yet. */
static int find_changed(struct photo_list *list, struct index *index, struct error *err)
{
    *list = (struct photo_list){0};
    sqlite3_stmt *changed = database_prepare(
        &index->db, "SELECT present.path, present.size, present.mtime FROM present LEFT JOIN photos USING (path, size, "
                    "mtime) WHERE photos.path IS NULL ORDER BY present.path");
    while (database_step(&index->db, changed)) {
        if (list->count == list->capacity) {
            list->capacity = list->capacity ? 2 * list->capacity : 256;
            list->items = mem_grow(list->items, list->capacity, sizeof *list->items);
        }
        list->items[list->count++] = (struct photo){
            .path = mem_format("%s", (const char *)sqlite3_column_text(changed, 0)),
            .size = sqlite3_column_int64(changed, 1),
            .mtime = sqlite3_column_int64(changed, 2),
        };
    }
    sqlite3_finalize(changed);
    return database_check(&index->db, err);
}

/* Leaves the hash empty when the file cannot be read; the encoder will say why. */
static void hash_photo(struct photo *photo, const struct index *index)
{
    struct error ignored;
    struct file_map map;
    char *path = path_join(index->folder, photo->path);
    if (file_map(&map, path, &ignored) == 0) {
        struct hash hash = hash_begin();
        hash_add(&hash, map.data, map.size);
        hash_text(photo->hash, hash);
        file_unmap(&map);
    }
    free(path);
}

/* embedding [dim], NULL for one that cannot be read. */
static void store(struct index *index, const struct photo *photo, const void *embedding, int bytes)
{
    sqlite3_stmt *insert = database_prepare(&index->db, "INSERT OR REPLACE INTO photos VALUES (?1, ?2, ?3, ?4, ?5)");
    sqlite3_bind_text(insert, 1, photo->path, -1, SQLITE_STATIC);
    sqlite3_bind_int64(insert, 2, photo->size);
    sqlite3_bind_int64(insert, 3, photo->mtime);
    sqlite3_bind_text(insert, 4, photo->hash, -1, SQLITE_STATIC);
    if (embedding)
        sqlite3_bind_blob(insert, 5, embedding, bytes, SQLITE_STATIC);
    database_step(&index->db, insert);
    sqlite3_finalize(insert);
}

/* Stores a photo whose content is known under another path, or under its own at another time. */
static bool store_known(struct index *index, const struct photo *photo)
{
    sqlite3_stmt *known =
        database_prepare(&index->db, "SELECT embedding FROM photos WHERE hash = ?1 AND embedding IS NOT NULL LIMIT 1");
    sqlite3_bind_text(known, 1, photo->hash, -1, SQLITE_STATIC);
    bool found = photo->hash[0] && database_step(&index->db, known);
    if (found)
        store(index, photo, sqlite3_column_blob(known, 0), sqlite3_column_bytes(known, 0));
    sqlite3_finalize(known);
    return found;
}

/* Keeps in `list` only the photos that must be encoded. */
static int keep_unknown(size_t *moved, struct photo_list *list, struct index *index, struct error *err)
{
    size_t kept = 0;
    *moved = 0;
    for (size_t i = 0; i < list->count; i++)
        hash_photo(&list->items[i], index);
    database_begin(&index->db);
    for (size_t i = 0; i < list->count; i++) {
        if (store_known(index, &list->items[i])) {
            free(list->items[i].path);
            (*moved)++;
        } else {
            list->items[kept++] = list->items[i];
        }
    }
    list->count = kept;
    database_commit(&index->db);
    return database_check(&index->db, err);
}

/* One transaction; nothing is written when another program gave the index to another model meanwhile. */
static int encode_chunk(struct index *index, const struct clip *clip, const struct photo *photos, size_t n,
                        const struct encode_options *options, struct error *err)
{
    size_t dim = (size_t)clip->embed_dim;
    float *rows = mem_new(n * dim, sizeof *rows); // [n, dim]
    bool *bad = mem_new(n, sizeof *bad);
    char **paths = mem_new(n, sizeof *paths);
    for (size_t i = 0; i < n; i++)
        paths[i] = path_join(index->folder, photos[i].path);
    int result = encode_images(rows, bad, clip, (const char *const *)paths, n, options, err);
    if (result == 0) {
        database_begin(&index->db);
        bool ours = belongs_to(index, clip);
        for (size_t i = 0; ours && i < n; i++)
            store(index, &photos[i], bad[i] ? NULL : rows + i * dim, (int)(dim * sizeof *rows));
        database_commit(&index->db);
        result = database_check(&index->db, err);
        if (result == 0 && !ours)
            result = not_ours(index, err);
    }
    for (size_t i = 0; i < n; i++)
        free(paths[i]);
    free(paths);
    free(bad);
    free(rows);
    return result;
}

static int encode_photos(struct index *index, const struct clip *clip, const struct photo_list *list,
                         const struct encode_options *options, struct error *err)
{
    struct encode_options quietly = *options;
    quietly.quiet = true; /* one bar for all chunks */
    size_t chunk = 2 * (options->batch_size ? (size_t)options->batch_size : 32);
    struct progress bar = progress_begin(options->label, (long)list->count, "photos", options->quiet);
    int result = 0;
    for (size_t done = 0; result == 0 && done < list->count;) {
        size_t count = list->count - done < chunk ? list->count - done : chunk;
        result = encode_chunk(index, clip, list->items + done, count, &quietly, err);
        done += count;
        progress_step(&bar, (long)done, "%s", "");
    }
    progress_end(&bar);
    return result;
}

/* ---- the whole ---- */

static size_t count_rows(struct index *index, const char *sql)
{
    sqlite3_stmt *statement = database_prepare(&index->db, sql);
    size_t count = database_step(&index->db, statement) ? (size_t)sqlite3_column_int64(statement, 0) : 0;
    sqlite3_finalize(statement);
    return count;
}

int index_update(struct index_changes *changes, struct index *index, const struct clip *clip,
                 const struct encode_options *options, struct error *err)
{
    struct photo_list list = {0};
    *changes = (struct index_changes){0};
    int result = -1;
    if (list_present(index, err) != 0 || claim(index, clip, err) != 0 || find_changed(&list, index, err) != 0 ||
        keep_unknown(&changes->moved, &list, index, err) != 0 || encode_photos(index, clip, &list, options, err) != 0)
        goto done;
    changes->encoded = list.count;
    changes->removed = count_rows(index, "SELECT count(*) FROM photos WHERE path NOT IN (SELECT path FROM present)");
    if (changes->removed)
        database_run(&index->db, "DELETE FROM photos WHERE path NOT IN (SELECT path FROM present)");
    changes->unreadable = count_rows(index, "SELECT count(*) FROM photos WHERE embedding IS NULL");
    result = database_check(&index->db, err);
done:
    photo_list_free(&list);
    return result;
}

static int wrong_row(const struct index *index, const char *path, struct error *err)
{
    return error_set(err, EXIT_BAD_DATA,
                     "%s: the index is damaged (the embedding of %s); delete the file, or run once with --rebuild",
                     index->db.path, path);
}

static int load_rows(struct gallery *gallery, struct index *index, struct error *err)
{
    size_t bytes = gallery->dim * sizeof *gallery->rows, capacity = 0;
    int result = 0;
    sqlite3_stmt *photos =
        database_prepare(&index->db, "SELECT path, embedding FROM photos WHERE embedding IS NOT NULL ORDER BY path");
    while (result == 0 && database_step(&index->db, photos)) {
        const char *name = (const char *)sqlite3_column_text(photos, 0);
        if ((size_t)sqlite3_column_bytes(photos, 1) != bytes) {
            result = wrong_row(index, name, err);
            break;
        }
        size_t i = gallery->paths.count;
        if (i == capacity) {
            capacity = capacity ? 2 * capacity : 1024;
            gallery->rows = mem_grow(gallery->rows, capacity * gallery->dim, sizeof *gallery->rows);
        }
        memcpy(gallery->rows + i * gallery->dim, sqlite3_column_blob(photos, 1), bytes);
        char *path = path_join(index->folder, name);
        string_list_add(&gallery->paths, path);
        free(path);
    }
    sqlite3_finalize(photos);
    return result;
}

int index_load(struct gallery *gallery, struct index *index, const struct clip *clip, struct error *err)
{
    *gallery = (struct gallery){.dim = (size_t)clip->embed_dim};
    database_run(&index->db, "BEGIN"); /* all of it at one moment */
    int result = belongs_to(index, clip) ? load_rows(gallery, index, err) : not_ours(index, err);
    database_commit(&index->db);
    if (database_check(&index->db, err) != 0)
        result = -1;
    if (result != 0)
        gallery_free(gallery);
    return result;
}

void gallery_free(struct gallery *gallery)
{
    string_list_free(&gallery->paths);
    free(gallery->rows);
    *gallery = (struct gallery){0};
}
