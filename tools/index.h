/* The gallery's index: the embedding of every picture in a folder, kept in one SQLite file.
 *
 *     struct index *index;
 *     struct index_changes changes;
 *     struct gallery gallery;
 *     if (index_open(&index, "photos/", NULL, false, &err) != 0 ||
 *         index_update(&changes, index, clip, &options, &err) != 0 ||
 *         index_load(&gallery, index, clip, NULL, &err) != 0)
 *         return error_report(&err);
 *     ... gallery.paths.items[i], gallery.rows + i * gallery.dim ...
 *     gallery_free(&gallery);
 *     index_close(index);
 *
 * gallery_open() in tools/gallery.h is all of this in one call.
 *
 * A file has a path, a size and a time; its content, known by hash, has an embedding (float16), a size in pixels and a
 * date. So a picture is encoded once, wherever it is moved or copied to; an update looks into those files only whose
 * size or time changed. Every content carries a checksum, and one that fails it is an error: nothing in the file is
 * trusted. The file belongs to one model (clip's fingerprint); another one starts anew.
 *
 * Each chunk of pictures is one transaction: a program that is killed loses a chunk at most, and any number of programs
 * may use the index at once. It is .oclip.sqlite in the gallery, or one below device_cache_folder("index") when the
 * gallery cannot be written to; where nothing can be written it lives in memory.
 */
#ifndef OCLIP_INDEX_H
#define OCLIP_INDEX_H

#include "models/encoder.h"
#include "tools/gallery.h"


struct index;

struct index_changes {
    size_t encoded;                                            /* new or changed */
    size_t moved;                                              /* known by content under another path */
    size_t removed;                                            /* no longer in the folder */
    size_t closed_files;                                       /* cannot be opened; tried again the next time */
    size_t closed_folders, folder_links, dead_links, specials; /* left out (tools/walk.h) */
    bool was_of_another_model;
    bool is_forgotten; /* the index is in memory: nothing can be written where it stands */
};

/* file: NULL for the usual place. rebuild: removes what stands there. A file that is no index, or a broken one, is an
 * error that says so (EXIT_BAD_DATA). */
int index_open(struct index **out, const char *folder, const char *file, bool rebuild, struct error *err) MUST_CHECK;
/* The same for one that somebody has made; where there is none, none is made. */
int index_open_made(struct index **out, const char *folder, const char *file, struct error *err) MUST_CHECK;
void index_close(struct index *index); /* NULL is fine */

/* Brings the index up to date. A folder without pictures is an error; a picture that cannot be read is a line on
 * stderr, and is tried again only when it changes. */
int index_update(struct index_changes *changes, struct index *index, const struct clip *clip,
                 const struct encode_options *options, struct error *err) MUST_CHECK;

/* What can be searched, sorted by path; filter: NULL for all. The paths start with the folder. clip: whose embeddings
 * they have to be, or NULL for those that are there. */
int index_load(struct gallery *gallery, struct index *index, const struct clip *clip, const struct filter *filter,
               struct error *err) MUST_CHECK;

#endif
