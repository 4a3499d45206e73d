#include "tools/index_parts.h"

#include "models/files/stored_dtype.h"
#include "runtime/util/names.h"
#include "runtime/util/progress.h"
#include "tools/walk.h"

#include <stdlib.h>
#include <string.h>

enum { CHUNK_MAX = 4096, GROUP = 256 /* files hashed between transactions */ };
static const double chunk_seconds = 1; /* about what a killed program loses */

/* The files that an update has to look into. */
struct plan {
    struct walk walk;
    const struct walk_file **changed; // [changed_count], new ones too
    size_t changed_count;
    const struct walk_file **copies; // [copy_count] of the changed ones: of a content that is about to be encoded
    size_t copy_count;
    struct names contents; /* their hashes, where other files are as large */
    struct string_list removed;
    sqlite3_int64 *sizes; // [size_count] that several files have, in the index or changed; ascending
    size_t size_count, capacity;
};

static void plan_free(struct plan *plan)
{
    walk_free(&plan->walk);
    string_list_free(&plan->removed);
    names_free(&plan->contents);
    free(plan->changed);
    free(plan->copies);
    free(plan->sizes);
}

static int compare_sizes(const void *a, const void *b)
{
    const sqlite3_int64 *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void add_size(struct plan *plan, sqlite3_int64 size)
{
    if (plan->size_count == plan->capacity) {
        plan->capacity = plan->capacity ? 2 * plan->capacity : 1024;
        plan->sizes = mem_grow(plan->sizes, plan->capacity, sizeof *plan->sizes);
    }
    plan->sizes[plan->size_count++] = size;
}

/* Leaves those sizes that several files have, each once. */
static void sort_sizes(struct plan *plan)
{
    size_t kept = 0, count = plan->size_count;
    qsort(plan->sizes, count, sizeof *plan->sizes, compare_sizes);
    for (size_t i = 0, next; i < count; i = next) {
        for (next = i + 1; next < count && plan->sizes[next] == plan->sizes[i];)
            next++;
        if (next - i > 1)
            plan->sizes[kept++] = plan->sizes[i];
    }
    plan->size_count = kept;
}

/* Holds the folder against the index, both in the order of their paths. */
static void compare_with_folder(struct plan *plan, struct index *index)
{
    const struct walk_file *file = plan->walk.files, *end = file + plan->walk.count;
    plan->changed = mem_new(plan->walk.count, sizeof *plan->changed);
    plan->copies = mem_new(plan->walk.count, sizeof *plan->copies);
    sqlite3_stmt *known = database_prepare(&index->db, "SELECT path, size, mtime_ns FROM files ORDER BY path");
    while (database_step(&index->db, known)) {
        const char *path = index_path(known, 0);
        add_size(plan, sqlite3_column_int64(known, 1));
        while (file < end && strcmp(file->path, path) < 0)
            plan->changed[plan->changed_count++] = file++;
        if (file == end || strcmp(file->path, path) != 0) {
            if (!walk_is_closed(&plan->walk, path))
                string_list_add(&plan->removed, path);
            continue;
        }
        if (file->size != sqlite3_column_int64(known, 1) || file->changed_ns != sqlite3_column_int64(known, 2))
            plan->changed[plan->changed_count++] = file;
        file++;
    }
    while (file < end)
        plan->changed[plan->changed_count++] = file++;
    sqlite3_finalize(known);
    for (size_t i = 0; i < plan->changed_count; i++)
        add_size(plan, plan->changed[i]->size);
    if (plan->changed_count)
        sort_sizes(plan);
}

static int make_plan(struct plan *plan, struct index *index, struct error *err)
{
    if (walk_folder(&plan->walk, index->folder, picture_extensions, err) != 0)
        return -1;
    if (plan->walk.count == 0)
        return index_no_pictures(index->folder, err);
    compare_with_folder(plan, index);
    return database_check(&index->db, err);
}

/* ---- rows ---- */

static void bind_hash(sqlite3_stmt *statement, int at, const struct hash *hash)
{
    unsigned char bytes[INDEX_HASH_BYTES]; /* in the order of hash_text */
    for (int i = 0; i < INDEX_HASH_BYTES; i++)
        bytes[i] = (unsigned char)((i < 8 ? hash->high : hash->low) >> 8 * (7 - i % 8));
    sqlite3_bind_blob(statement, at, bytes, INDEX_HASH_BYTES, SQLITE_TRANSIENT);
}

static void bind_path(sqlite3_stmt *statement, int at, const char *path)
{
    sqlite3_bind_blob(statement, at, path, (int)strlen(path), SQLITE_STATIC);
}

/* The one number that a statement gives; 0 for none, which no row has for an id. Finishes the statement. */
static sqlite3_int64 take_id(struct index *index, sqlite3_stmt *statement)
{
    sqlite3_int64 id = database_step(&index->db, statement) ? sqlite3_column_int64(statement, 0) : 0;
    sqlite3_finalize(statement);
    return id;
}

/* embedding [bytes], NULL for a file that is no picture. */
static sqlite3_int64 store_picture(struct index *index, const struct picture_facts *facts, const void *embedding,
                                   size_t bytes)
{
    sqlite3_stmt *insert = database_prepare(
        &index->db, "INSERT INTO pictures (hash, width, height, orientation, taken, look, embedding, checksum)"
                    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (hash) DO UPDATE SET width = ?2, height = ?3,"
                    " orientation = ?4, taken = ?5, look = ?6, embedding = ?7, checksum = ?8 RETURNING id");
    bind_hash(insert, 1, &facts->hash);
    sqlite3_bind_int(insert, 2, facts->width);
    sqlite3_bind_int(insert, 3, facts->height);
    sqlite3_bind_int(insert, 4, facts->exif.orientation);
    sqlite3_bind_text(insert, 5, facts->exif.taken, -1, SQLITE_STATIC);
    sqlite3_bind_int64(insert, 6, (sqlite3_int64)facts->look);
    if (embedding)
        sqlite3_bind_blob(insert, 7, embedding, (int)bytes, SQLITE_STATIC);
    sqlite3_bind_int64(insert, 8, (sqlite3_int64)index_checksum(facts, embedding, bytes));
    return take_id(index, insert);
}

static sqlite3_int64 find_picture(struct index *index, const struct hash *hash)
{
    sqlite3_stmt *find = database_prepare(&index->db, "SELECT id FROM pictures WHERE hash = ?1");
    bind_hash(find, 1, hash);
    return take_id(index, find);
}

static void store_file(struct index *index, const struct walk_file *file, sqlite3_int64 picture)
{
    sqlite3_stmt *insert = database_prepare(&index->db, "INSERT OR REPLACE INTO files VALUES (?1, ?2, ?3, ?4)");
    bind_path(insert, 1, file->path);
    sqlite3_bind_int64(insert, 2, file->size);
    sqlite3_bind_int64(insert, 3, file->changed_ns);
    sqlite3_bind_int64(insert, 4, picture);
    database_step(&index->db, insert);
    sqlite3_finalize(insert);
}

static void remove_file(struct index *index, const char *path)
{
    sqlite3_stmt *remove = database_prepare(&index->db, "DELETE FROM files WHERE path = ?1");
    bind_path(remove, 1, path);
    database_step(&index->db, remove);
    sqlite3_finalize(remove);
}

/* ---- files whose content is known ---- */

/* Only a file as large as another one can be that one moved, touched or copied. */
static bool may_be_known(const struct plan *plan, const struct walk_file *file)
{
    sqlite3_int64 size = file->size;
    return plan->size_count && bsearch(&size, plan->sizes, plan->size_count, sizeof size, compare_sizes);
}

/* Whether an earlier file had this content. */
static bool is_met_again(struct plan *plan, const struct hash *hash)
{
    char name[HASH_TEXT];
    hash_text(name, *hash);
    size_t met = plan->contents.list.count;
    return (size_t)names_add(&plan->contents, name) < met;
}

static bool hash_file(struct hash *hash, const struct index *index, const struct walk_file *file)
{
    char *path = path_join(index->folder, file->path);
    bool is_read = facts_hash(hash, path);
    free(path);
    return is_read;
}

/* Takes the known ones of files [count <= GROUP] out and stores where they are now, and puts copies aside; returns how
 * many are left. */
static size_t take_known(size_t *moved, const struct walk_file **files, size_t count, struct plan *plan,
                         struct index *index)
{
    struct hash hashes[GROUP];
    bool hashed[GROUP]; /* before the transaction: others should not wait for this disk */
    for (size_t i = 0; i < count; i++)
        hashed[i] = may_be_known(plan, files[i]) && hash_file(&hashes[i], index, files[i]);
    size_t kept = 0;
    database_begin(&index->db);
    for (size_t i = 0; i < count; i++) {
        sqlite3_int64 picture = hashed[i] ? find_picture(index, &hashes[i]) : 0;
        *moved += picture != 0;
        if (picture)
            store_file(index, files[i], picture);
        else if (hashed[i] && is_met_again(plan, &hashes[i]))
            plan->copies[plan->copy_count++] = files[i];
        else
            files[kept++] = files[i];
    }
    database_commit(&index->db);
    return kept;
}

/* Keeps among the changed files only those that must be encoded. */
static int keep_unknown(size_t *moved, struct plan *plan, struct index *index, bool quiet, struct error *err)
{
    size_t kept = 0, total = plan->size_count ? plan->changed_count : 0;
    struct progress bar = progress_begin("looking for moved files", (long)total, "files", quiet);
    for (size_t done = 0; done < total;) {
        size_t count = total - done < GROUP ? total - done : GROUP;
        size_t left = take_known(moved, plan->changed + done, count, plan, index);
        memmove(plan->changed + kept, plan->changed + done, left * sizeof *plan->changed);
        kept += left;
        done += count;
        progress_step(&bar, (long)done, "%s", "");
    }
    if (total)
        plan->changed_count = kept;
    progress_end(&bar);
    return database_check(&index->db, err);
}

/* ---- files to be encoded ---- */

/* A number of files on their way through the model. */
struct chunk {
    const struct walk_file *const *files; // [count]
    size_t count, dim;
    char **paths;                // [count]
    float *rows;                 // [count, dim]
    bool *bad;                   // [count]
    struct picture_facts *facts; // [count]
};

static struct chunk chunk_new(const struct index *index, const struct walk_file *const *files, size_t count, size_t dim)
{
    struct chunk chunk = {.files = files, .count = count, .dim = dim};
    chunk.paths = mem_new(count, sizeof *chunk.paths);
    chunk.rows = mem_new(count * dim, sizeof *chunk.rows);
    chunk.bad = mem_new(count, sizeof *chunk.bad);
    chunk.facts = mem_new(count, sizeof *chunk.facts);
    for (size_t i = 0; i < count; i++)
        chunk.paths[i] = path_join(index->folder, files[i]->path);
    return chunk;
}

static void chunk_free(struct chunk *chunk)
{
    for (size_t i = 0; i < chunk->count; i++)
        free(chunk->paths[i]);
    free(chunk->paths);
    free(chunk->rows);
    free(chunk->bad);
    free(chunk->facts);
}

/* A file that cannot be opened is not remembered: permissions leave no trace in its size and time. */
static void store_chunk(size_t *closed_files, struct index *index, const struct chunk *chunk)
{
    size_t bytes = chunk->dim * (size_t)stored_dtypes[STORED_F16].size;
    unsigned char *halves = mem_new(bytes, 1); // [dim]
    for (size_t i = 0; i < chunk->count; i++) {
        if (!chunk->facts[i].is_read) {
            remove_file(index, chunk->files[i]->path);
            (*closed_files)++;
            continue;
        }
        stored_dtypes[STORED_F16].from_float(halves, chunk->rows + i * chunk->dim, (long)chunk->dim);
        bool bad = chunk->bad[i];
        store_file(index, chunk->files[i],
                   store_picture(index, &chunk->facts[i], bad ? NULL : halves, bad ? 0 : bytes));
    }
    free(halves);
}

/* One transaction; nothing is written when another program gave the index to another model meanwhile. */
static int encode_chunk(struct index_changes *changes, struct index *index, const struct clip *clip,
                        struct chunk *chunk, const struct encode_options *options, struct error *err)
{
    struct encode_options quietly = *options; /* one bar for all chunks */
    quietly.quiet = true;
    quietly.facts = chunk->facts;
    if (encode_images(chunk->rows, chunk->bad, clip, (const char *const *)chunk->paths, chunk->count, &quietly, err) !=
        0)
        return -1;
    database_begin(&index->db);
    bool ours = index_belongs_to(index, clip);
    if (ours)
        store_chunk(&changes->closed_files, index, chunk);
    database_commit(&index->db);
    if (database_check(&index->db, err) != 0)
        return -1;
    return ours ? 0 : index_not_ours(index, err);
}

/* Chunks grow until each takes about a second: a fast device is not held up by commits. */
static int encode_changed(struct index_changes *changes, struct index *index, const struct clip *clip,
                          const struct plan *plan, const struct encode_options *options, struct error *err)
{
    size_t size = 2 * (options->batch_size ? (size_t)options->batch_size : 32), total = plan->changed_count,
           closed = changes->closed_files;
    struct progress bar = progress_begin(options->label, (long)total, "photos", options->quiet);
    int result = 0;
    for (size_t done = 0; result == 0 && done < total;) {
        double begun = clock_seconds();
        size_t count = total - done < size ? total - done : size;
        struct chunk chunk = chunk_new(index, plan->changed + done, count, (size_t)clip->embed_dim);
        result = encode_chunk(changes, index, clip, &chunk, options, err);
        chunk_free(&chunk);
        done += count;
        if (clock_seconds() - begun < chunk_seconds / 2 && 2 * size <= CHUNK_MAX)
            size *= 2;
        progress_step(&bar, (long)done, "%s", "");
    }
    progress_end(&bar);
    changes->encoded += total - (changes->closed_files - closed);
    return result;
}

/* ---- the whole ---- */

/* The copies are next. Mostly what they are copies of is in the index now; if that went away meanwhile, the first of
 * them is encoded. */
static bool turn_to_copies(struct plan *plan)
{
    const struct walk_file **done = plan->changed;
    plan->changed = plan->copies;
    plan->changed_count = plan->copy_count;
    plan->copies = done;
    plan->copy_count = 0;
    names_free(&plan->contents);
    return plan->changed_count > 0;
}

/* What is left without a file goes, too. */
static int remove_gone(struct index *index, const struct plan *plan, bool changed, struct error *err)
{
    if (!changed)
        return 0;
    database_begin(&index->db);
    for (size_t i = 0; i < plan->removed.count; i++)
        remove_file(index, plan->removed.items[i]);
    database_run(&index->db, "DELETE FROM pictures WHERE id NOT IN (SELECT picture FROM files)");
    database_commit(&index->db);
    return database_check(&index->db, err);
}

int index_update(struct index_changes *changes, struct index *index, const struct clip *clip,
                 const struct encode_options *options, struct error *err)
{
    struct plan plan = {0};
    *changes = (struct index_changes){.is_forgotten = index->is_copy};
    int result = -1;
    if (index_claim(&changes->was_of_another_model, index, clip, err) != 0 || make_plan(&plan, index, err) != 0)
        goto done;
    bool changed = plan.changed_count + plan.removed.count > 0;
    do {
        if (keep_unknown(&changes->moved, &plan, index, options->quiet, err) != 0 ||
            encode_changed(changes, index, clip, &plan, options, err) != 0)
            goto done;
    } while (turn_to_copies(&plan));
    changes->removed = plan.removed.count;
    changes->closed_folders = plan.walk.closed.count;
    changes->folder_links = plan.walk.folder_links;
    changes->dead_links = plan.walk.dead_links;
    changes->specials = plan.walk.specials;
    result = remove_gone(index, &plan, changed, err);
done:
    plan_free(&plan);
    return result;
}
