#include "trainer/records.h"

#include "runtime/util/file.h"

#include <math.h>
#include <stdlib.h>

/* Floats come back as they were. */
enum { DIGITS = 9 };

json_t *record_number(double number)
{
    return isfinite(number) ? json_real(number) : json_null();
}

void record_write(FILE *stream, json_t *record)
{
    CHECK(record, "a record that cannot be made");
    if (stream) {
        json_dumpf(record, stream, JSON_REAL_PRECISION(DIGITS) | JSON_COMPACT);
        putc('\n', stream);
    }
    json_decref(record);
}

void records_begin(struct records *records, const char *folder, const char *name)
{
    char *path = path_join(folder, name);
    *records = (struct records){.stream = fopen(path, "r")};
    free(path);
}

json_t *records_next(struct records *records)
{
    json_decref(records->record);
    records->record = NULL;
    while (records->stream && !records->record) {
        ssize_t length = getline(&records->line, &records->room, records->stream);
        if (length < 0) {
            fclose(records->stream);
            free(records->line);
            *records = (struct records){0};
        } else {
            json_t *record = json_loadb(records->line, (size_t)length, 0, NULL);
            if (json_is_object(record))
                records->record = record;
            else
                json_decref(record);
        }
    }
    return records->record;
}

int records_open(FILE **stream, const char *folder, const char *name, int step, struct error *err)
{
    struct records records;
    struct file_writer writer;
    char *path = path_join(folder, name);
    int result = file_create(&writer, path, err);
    if (result == 0) {
        records_begin(&records, folder, name);
        for (json_t *record; (record = records_next(&records));)
            if (json_int_or(record, "step", 0) <= step)
                record_write(writer.stream, json_incref(record));
        result = file_commit(&writer, err);
    }
    *stream = result == 0 ? fopen(path, "a") : NULL;
    if (result == 0 && !*stream)
        result = error_set(err, EXIT_FAILED, "%s: cannot be written", path);
    free(path);
    return result;
}
