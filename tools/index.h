/* The gallery's index: the embedding of every picture in a folder, kept in one SQLite file.
 *
 *     struct index *index;
 *     struct index_changes changes;
 *     struct gallery gallery;
 *     if (index_open(&index, "photos/", NULL, false, &err) != 0 ||
 *         index_update(&changes, index, clip, &options, &err) != 0 || index_load(&gallery, index, clip, &err) != 0)
 *         return error_report(&err);
 *     ... gallery.paths.items[i], gallery.rows + i * gallery.dim ...
 *     gallery_free(&gallery);
 *     index_close(index);
 *
 * The file is .oclip.sqlite in the gallery, or one below device_cache_folder("index") when the gallery cannot be
 * written to. It belongs to one model (clip's fingerprint): another one starts anew. A picture is encoded once: a
 * later update takes only those whose size or time changed, and recognises by content those that were moved or
 * copied. Each chunk of pictures is one transaction, so a program that is killed loses at most a chunk, and any number
 * of programs may use the index at once.
 */
#ifndef OCLIP_INDEX_H
#define OCLIP_INDEX_H

#include "models/encoder.h"
#include "runtime/util/file.h"


struct index;

struct index_changes {
    size_t encoded;    /* new or changed */
    size_t moved;      /* known by content under another path */
    size_t removed;    /* no longer in the folder */
    size_t unreadable; /* in the folder, but without an embedding; tried again only when they change */
};

/* file: NULL for the usual place. rebuild: removes what stands there. A file that is no index, or a broken one, is an
 * error that says so (EXIT_BAD_DATA). */
int index_open(struct index **out, const char *folder, const char *file, bool rebuild, struct error *err) MUST_CHECK;
void index_close(struct index *index); /* NULL is fine */

/* Brings the index up to date. A folder without pictures is an error; a picture that cannot be read is a line on
 * stderr. */
int index_update(struct index_changes *changes, struct index *index, const struct clip *clip,
                 const struct encode_options *options, struct error *err) MUST_CHECK;

/* What can be searched, sorted by path. The paths start with the folder. */
struct gallery {
    struct string_list paths;
    float *rows; // [paths.count, dim]
    size_t dim;
};
int index_load(struct gallery *gallery, struct index *index, const struct clip *clip, struct error *err) MUST_CHECK;
void gallery_free(struct gallery *gallery);

#endif
