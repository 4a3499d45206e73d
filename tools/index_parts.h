/* What the files that make up the index share: index.c (the file, whose it is), index_update.c, index_load.c. */
#ifndef OCLIP_INDEX_PARTS_H
#define OCLIP_INDEX_PARTS_H

#include "tools/database.h"
#include "tools/index.h"

#include <stdint.h>

enum { INDEX_HASH_BYTES = 16 }; /* of a content's hash in the file */

struct index {
    struct database db;
    char *folder;
    bool is_copy; /* in memory: what is new is gone with the program */
};

/* Whether the index holds clip's embeddings, prepared as clip prepares pictures. To be asked within the transaction
 * that relies on it. */
bool index_belongs_to(struct index *index, const struct clip *clip);
/* Makes it so: another model's embeddings are of no use. */
int index_claim(bool *was_of_another, struct index *index, const struct clip *clip, struct error *err) MUST_CHECK;
int index_not_ours(const struct index *index, struct error *err); /* -1 */
int index_no_pictures(const char *folder, struct error *err);     /* -1 */

/* A path column; "" where damage left none. */
const char *index_path(sqlite3_stmt *row, int column);

/* Checksum of one row of `pictures`. embedding [bytes] as it is stored; NULL, 0 for a file that is no picture. */
uint64_t index_checksum(const struct picture_facts *facts, const void *embedding, size_t bytes);

#endif
