#include "tools/index_parts.h"

#include "models/files/stored_dtype.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum column { PATH, MTIME, ID, HASH, WIDTH, HEIGHT, ORIENTATION, TAKEN, LOOK, EMBEDDING, CHECKSUM };
static const char everything[] =
    "SELECT path, mtime_ns, id, hash, width, height, orientation, taken, look, embedding, checksum"
    " FROM files LEFT JOIN pictures ON id = picture ORDER BY path";

static int damaged(const struct index *index, const char *path, struct error *err)
{
    return error_set(err, EXIT_BAD_DATA,
                     "%s: the index is damaged (the row of %s); delete the file, or run once with --rebuild",
                     index->db.path, path);
}

/* No path in an index leads out of the gallery. */
static bool stays_inside(const char *path)
{
    if (path[0] == '/' || path[0] == '\0')
        return false;
    for (const char *part = path; part; part = strchr(part, '/') ? strchr(part, '/') + 1 : NULL)
        if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == '\0'))
            return false;
    return true;
}

static struct hash read_hash(const unsigned char bytes[INDEX_HASH_BYTES])
{
    struct hash hash = {0};
    for (int i = 0; i < INDEX_HASH_BYTES; i++) {
        uint64_t *half = i < 8 ? &hash.high : &hash.low;
        *half = *half << 8 | bytes[i];
    }
    return hash;
}

/* False where the row is not what was written: lengths, then the checksum over all of it. */
static bool read_facts(struct picture_facts *facts, sqlite3_stmt *row, size_t bytes)
{
    const char *taken = (const char *)sqlite3_column_text(row, TAKEN);
    size_t embedding_bytes = (size_t)sqlite3_column_bytes(row, EMBEDDING);
    if (sqlite3_column_type(row, ID) == SQLITE_NULL || sqlite3_column_bytes(row, HASH) != INDEX_HASH_BYTES || !taken ||
        strlen(taken) >= sizeof facts->exif.taken || (embedding_bytes != 0 && embedding_bytes != bytes))
        return false;
    *facts = (struct picture_facts){.is_read = true,
                                    .hash = read_hash(sqlite3_column_blob(row, HASH)),
                                    .width = sqlite3_column_int(row, WIDTH),
                                    .height = sqlite3_column_int(row, HEIGHT),
                                    .look = (uint64_t)sqlite3_column_int64(row, LOOK),
                                    .exif.orientation = sqlite3_column_int(row, ORIENTATION)};
    strcpy(facts->exif.taken, taken);
    return index_checksum(facts, sqlite3_column_blob(row, EMBEDDING), embedding_bytes) ==
           (uint64_t)sqlite3_column_int64(row, CHECKSUM);
}

/* A photo without a date of its own has its file's, on this machine's clock. */
static void date_of_file(char taken[EXIF_DATE], sqlite3_int64 changed_ns)
{
    time_t seconds = (time_t)(changed_ns / 1000000000);
    struct tm date;
    if (!localtime_r(&seconds, &date) || strftime(taken, EXIF_DATE, "%Y-%m-%d %H:%M:%S", &date) == 0)
        taken[0] = '\0';
}

static struct photo photo_of(const struct picture_facts *facts, sqlite3_int64 changed_ns)
{
    bool lies = facts->exif.orientation >= 5; /* those orientations swap the sides */
    struct photo photo = {.hash = facts->hash,
                          .look = facts->look,
                          .width = lies ? facts->height : facts->width,
                          .height = lies ? facts->width : facts->height};
    if (facts->exif.taken[0])
        strcpy(photo.taken, facts->exif.taken);
    else
        date_of_file(photo.taken, changed_ns);
    return photo;
}

/* Rounding to half precision has changed its length a little; a score of one means the same picture. */
static void scale_to_unit(float *row /* [dim] */, size_t dim)
{
    float squares = 0;
    for (size_t i = 0; i < dim; i++)
        squares += row[i] * row[i];
    float scale = squares > 0 ? 1 / sqrtf(squares) : 1;
    for (size_t i = 0; i < dim; i++)
        row[i] *= scale;
}

static void add(struct gallery *gallery, size_t *capacity, const char *path, const struct photo *photo,
                const unsigned char *halves /* [dim] */)
{
    size_t i = gallery->paths.count;
    if (i == *capacity) {
        *capacity = *capacity ? 2 * *capacity : 1024;
        gallery->rows = mem_grow(gallery->rows, *capacity * gallery->dim, sizeof *gallery->rows);
        gallery->photos = mem_grow(gallery->photos, *capacity, sizeof *gallery->photos);
    }
    float *row = gallery->rows + i * gallery->dim;
    stored_dtypes[STORED_F16].to_float(row, halves, (long)gallery->dim);
    scale_to_unit(row, gallery->dim);
    gallery->photos[i] = *photo;
    string_list_add(&gallery->paths, path);
}

static int load_rows(struct gallery *gallery, struct index *index, const struct filter *filter, struct error *err)
{
    size_t bytes = gallery->dim * (size_t)stored_dtypes[STORED_F16].size, capacity = 0;
    int result = 0;
    sqlite3_stmt *row = database_prepare(&index->db, everything);
    while (result == 0 && database_step(&index->db, row)) {
        const char *name = index_path(row, PATH);
        struct picture_facts facts;
        if (!stays_inside(name) || !read_facts(&facts, row, bytes)) {
            result = damaged(index, name, err);
            break;
        }
        struct photo photo = photo_of(&facts, sqlite3_column_int64(row, MTIME));
        bool is_picture = sqlite3_column_type(row, EMBEDDING) != SQLITE_NULL;
        gallery->readable += is_picture;
        gallery->unreadable += !is_picture;
        if (is_picture && (!filter || filter_takes(filter, name, &photo))) {
            char *path = path_join(index->folder, name);
            add(gallery, &capacity, path, &photo, sqlite3_column_blob(row, EMBEDDING));
            free(path);
        }
    }
    sqlite3_finalize(row);
    return result;
}

/* Of the embeddings that are there, whoever made them; 0: there are none. */
static size_t stored_dim(struct index *index)
{
    sqlite3_stmt *model = database_prepare(&index->db, "SELECT dim FROM model");
    int dim = database_step(&index->db, model) ? sqlite3_column_int(model, 0) : 0;
    sqlite3_finalize(model);
    return dim > 0 ? (size_t)dim : 0;
}

int index_load(struct gallery *gallery, struct index *index, const struct clip *clip, const struct filter *filter,
               struct error *err)
{
    database_run(&index->db, "BEGIN"); /* all of it at one moment */
    bool is_ours = !clip || index_belongs_to(index, clip);
    *gallery = (struct gallery){.dim = clip ? (size_t)clip->embed_dim : stored_dim(index)};
    int result = is_ours ? load_rows(gallery, index, filter, err) : index_not_ours(index, err);
    database_commit(&index->db);
    if (database_check(&index->db, err) != 0)
        result = -1;
    if (result != 0)
        gallery_free(gallery);
    return result;
}
