#define _GNU_SOURCE
#include "tools/database.h"

#include "runtime/util/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    APPLICATION_ID = 0x6f636c70, /* "oclp", in the file's header */
    SCHEMA_VERSION = 3,
    PATIENCE_MS = 10 * 1000,
};

static bool failed(const struct database *db)
{
    return db->failure.code != EXIT_OK;
}

/* Keeps the first failure, in words for people. */
static void fail(struct database *db, int code)
{
    if (failed(db))
        return;
    bool has_words = db->handle && sqlite3_errcode(db->handle) != SQLITE_OK;
    const char *said = has_words ? sqlite3_errmsg(db->handle) : sqlite3_errstr(code);
    switch (code & 0xFF) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        error_set(&db->failure, EXIT_BAD_DATA,
                  "%s: the index is damaged (%s); delete the file, or run once with --rebuild", db->path, said);
        return;
    case SQLITE_NOMEM:
        error_set(&db->failure, EXIT_NO_MEMORY, "%s: out of memory", db->path);
        return;
    default:
        error_set(&db->failure, EXIT_FAILED, "%s: the index cannot be used: %s", db->path, said);
    }
}

int database_check(const struct database *db, struct error *err)
{
    if (!failed(db))
        return 0;
    *err = db->failure;
    return -1;
}

sqlite3_stmt *database_prepare(struct database *db, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    if (failed(db))
        return NULL;
    int code = sqlite3_prepare_v2(db->handle, sql, -1, &statement, NULL);
    if (code != SQLITE_OK)
        fail(db, code);
    return statement;
}

bool database_step(struct database *db, sqlite3_stmt *statement)
{
    if (failed(db))
        return false;
    int code = sqlite3_step(statement);
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        fail(db, code);
    return code == SQLITE_ROW;
}

void database_run(struct database *db, const char *sql)
{
    if (failed(db))
        return;
    int code = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
    if (code != SQLITE_OK)
        fail(db, code);
}

void database_begin(struct database *db)
{
    database_run(db, "BEGIN IMMEDIATE");
}

void database_commit(struct database *db)
{
    database_run(db, "COMMIT");
    if (failed(db) && db->handle && !sqlite3_get_autocommit(db->handle))
        sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
}

static int number_of(struct database *db, const char *sql)
{
    sqlite3_stmt *statement = database_prepare(db, sql);
    int number = database_step(db, statement) ? sqlite3_column_int(statement, 0) : 0;
    sqlite3_finalize(statement);
    return number;
}

/* Two programs may come to a new file at once: the second finds it made. */
static void make_or_check(struct database *db, const char *schema)
{
    database_begin(db);
    int application = number_of(db, "PRAGMA application_id"), version = number_of(db, "PRAGMA user_version"),
        tables = number_of(db, "SELECT count(*) FROM sqlite_master");
    if (!failed(db) && tables > 0 && application != APPLICATION_ID)
        error_set(&db->failure, EXIT_BAD_DATA, "%s: a database of another program, not an index", db->path);
    else if (!failed(db) && tables > 0 && version > SCHEMA_VERSION)
        error_set(
            &db->failure, EXIT_BAD_DATA,
            "%s: a newer oclip made this index (version %d, this one knows %d); use that one, or another file with "
            "--index FILE",
            db->path, version, SCHEMA_VERSION);
    else if (!failed(db) && tables > 0 && version < SCHEMA_VERSION)
        error_set(&db->failure, EXIT_BAD_DATA,
                  "%s: an older oclip made this index (version %d, this one needs %d); run once with --rebuild",
                  db->path, version, SCHEMA_VERSION);
    if (tables == 0) {
        char pragmas[128];
        snprintf(pragmas, sizeof pragmas, "PRAGMA application_id = %d; PRAGMA user_version = %d", APPLICATION_ID,
                 SCHEMA_VERSION);
        database_run(db, pragmas);
        database_run(db, schema);
    }
    database_commit(db);
}

static void open_handle(sqlite3 **handle, struct database *db, const char *path, int flags)
{
    int code = sqlite3_open_v2(path, handle, flags, NULL);
    if (code != SQLITE_OK)
        fail(db, code);
    sqlite3_busy_timeout(*handle, PATIENCE_MS);
}

static int finish_open(struct database *db, const char *schema, struct error *err)
{
    make_or_check(db, schema);
    if (database_check(db, err) == 0)
        return 0;
    database_close(db);
    return -1;
}

int database_open(struct database *db, const char *path, const char *schema, struct error *err)
{
    *db = (struct database){.path = mem_format("%s", path)};
    open_handle(&db->handle, db, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    return finish_open(db, schema, err);
}

static void copy_from(struct database *db, const char *path)
{
    sqlite3 *file = NULL;
    open_handle(&file, db, path, SQLITE_OPEN_READONLY);
    sqlite3_backup *backup = failed(db) ? NULL : sqlite3_backup_init(db->handle, "main", file, "main");
    int code = backup ? sqlite3_backup_step(backup, -1) : sqlite3_errcode(db->handle);
    sqlite3_backup_finish(backup);
    if (code != SQLITE_DONE)
        fail(db, code);
    sqlite3_close(file);
}

int database_open_copy(struct database *db, const char *path, const char *schema, struct error *err)
{
    *db = (struct database){.path = mem_format("%s", path ? path : "the index in memory")};
    open_handle(&db->handle, db, ":memory:", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    if (path)
        copy_from(db, path);
    return finish_open(db, schema, err);
}

bool database_can_write(const char *path)
{
    char *folder = mem_format("%s", path), *slash = strrchr(folder, '/');
    if (slash)
        slash[slash == folder] = '\0';
    bool can = faccessat(AT_FDCWD, slash ? folder : ".", W_OK | X_OK, AT_EACCESS) == 0 &&
               (!file_exists(path) || faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0);
    free(folder);
    return can;
}

bool database_is_ours(const char *path)
{
    static const unsigned char id[] = {APPLICATION_ID >> 24, APPLICATION_ID >> 16 & 0xff, APPLICATION_ID >> 8 & 0xff,
                                       APPLICATION_ID & 0xff}; /* where SQLite's format has it */
    unsigned char head[72];
    FILE *file = fopen(path, "rb");
    bool ours = file && fread(head, sizeof head, 1, file) == 1 && memcmp(head + 68, id, sizeof id) == 0;
    if (file)
        fclose(file);
    return ours;
}

void database_close(struct database *db)
{
    sqlite3_close(db->handle);
    free(db->path);
    *db = (struct database){0};
}

void database_remove(const char *path)
{
    static const char *const endings[] = {"", "-wal", "-shm", "-journal"};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        char *file = mem_format("%s%s", path, endings[i]);
        unlink(file);
        free(file);
    }
}
