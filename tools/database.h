/* A SQLite file of this program's own: opened safely, with errors that say what to do.
 *
 *     struct database db;
 *     if (database_open(&db, "photos/.oclip.sqlite", schema, &err) != 0) return -1;
 *     sqlite3_stmt *row = database_prepare(&db, "SELECT path FROM photos WHERE size > ?1");
 *     sqlite3_bind_int64(row, 1, 1000);
 *     while (database_step(&db, row))
 *         puts((const char *)sqlite3_column_text(row, 0));
 *     sqlite3_finalize(row);
 *     int result = database_check(&db, &err);   // the first failure of any call
 *     database_close(&db);
 *
 * Like a device, a database keeps its first failure: later calls do nothing, database_prepare() gives NULL (which
 * SQLite's own functions take), database_step() false.
 */
#ifndef OCLIP_DATABASE_H
#define OCLIP_DATABASE_H

#include "runtime/util/error.h"

#include <sqlite3.h>
#include <stdbool.h>

struct database {
    sqlite3 *handle;
    char *path;
    struct error failure;
};

/* Makes the file with `schema` if there is none. A file of another program, a broken one or one of another version is
 * refused with EXIT_BAD_DATA. Others may use it at the same time, and wait for each other for up to ten seconds. The
 * journal is SQLite's rollback journal: unlike the write-ahead log it works on network disks, and leaves nothing beside
 * the file that a reader of a read-only disk would need. */
int database_open(struct database *db, const char *path, const char *schema, struct error *err) MUST_CHECK;

/* The same in memory, for this program only: empty, or with what stands in the file `path` now (unless NULL). */
int database_open_copy(struct database *db, const char *path, const char *schema, struct error *err) MUST_CHECK;

void database_close(struct database *db);
void database_remove(const char *path); /* the file and its journal */

/* Whether the file, or one yet to be made, and its journal beside it can be written. */
bool database_can_write(const char *path);

/* Whether a file that is there says that it is a database of oclip's. */
bool database_is_ours(const char *path);

/* The first failure, if any. */
int database_check(const struct database *db, struct error *err) MUST_CHECK;

sqlite3_stmt *database_prepare(struct database *db, const char *sql);
bool database_step(struct database *db, sqlite3_stmt *statement); /* true: there is a row */
void database_run(struct database *db, const char *sql);          /* statements without results */

/* Writes between begin and commit happen all or not at all; a failure in between takes them back. */
void database_begin(struct database *db);
void database_commit(struct database *db);

#endif
