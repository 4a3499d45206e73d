/* The forms tools/export writes a gallery's embeddings in: one file a form, and what they share.
 *
 *     const struct export_format export_npy = {"npy", ".npy", write_array, export_lines, NULL};
 *
 * A form is a stream of rows, for some with the vectors in a file beside it: row i of the file belongs to line i. Every
 * photo has an id made of its path, so a later export of the same gallery replaces what is there.
 */
#ifndef OCLIP_EXPORT_FORMAT_H
#define OCLIP_EXPORT_FORMAT_H

#include "runtime/util/json.h"
#include "tools/gallery.h"

#include <stdio.h>

struct exported {
    const struct gallery *gallery; /* whose embeddings are finite */
    const char *name;              /* of the table or collection */
    const char *factory;           /* of faiss: which index */
};

struct export_format {
    const char *name;
    const char *ending; /* of the file of vectors; NULL: the rows hold them */
    int (*vectors)(const char *path, const struct exported *exported, struct error *err);
    void (*rows)(FILE *stream, const struct exported *exported);
    void (*schema)(FILE *stream, const struct exported *exported); /* what makes the place for the rows; may be NULL */
};

extern const struct export_format export_npy, export_faiss, export_pgvector, export_qdrant, export_milvus;

/* A UUID of the path (RFC 9562, version 8). */
enum { EXPORT_ID = 37 };
void export_id(char id[EXPORT_ID], const char *path);

/* "image_path", "width", "height", "hash" (the file's: copies have the same), "taken" if known; where the path is no
 * UTF-8, "image_path_base64" has its bytes. */
json_t *export_facts(const struct exported *exported, size_t i);

/* Whether it is a day and a time that exist, as cameras do not always write. */
bool export_has_date(const struct photo *photo);

/* "[0.25,...]" with as many digits as float32 needs. */
void export_vector(FILE *stream, const struct exported *exported, size_t i);

void export_members(FILE *stream, json_t *object); /* an object without its braces; takes the reference */
void export_lines(FILE *stream, const struct exported *exported); /* the facts, as JSON Lines */

#endif
