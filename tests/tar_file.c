#include "tests/tar_file.h"

#include "runtime/util/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 512 };

static void write_member(FILE *stream, const char *name, char type, const char *data, size_t size)
{
    char header[BLOCK + 32] = {0}; // behind the block: room for a terminating zero
    memcpy(header, name, strlen(name) < 100 ? strlen(name) : 100);
    snprintf(header + 100, 8, "0000644");
    snprintf(header + 124, 32, "%011zo", size);
    snprintf(header + 136, 12, "%011o", 0);
    header[156] = type;
    memcpy(header + 257,
           "ustar\0"
           "00",
           8);
    memset(header + 148, ' ', 8);
    unsigned sum = 0;
    for (int i = 0; i < BLOCK; i++)
        sum += (unsigned char)header[i];
    snprintf(header + 148, 8, "%06o", sum);
    static const char zeros[BLOCK];
    fwrite(header, 1, BLOCK, stream);
    fwrite(data, 1, size, stream);
    fwrite(zeros, 1, (BLOCK - size % BLOCK) % BLOCK, stream);
}

/* The length of a pax line counts its own digits: names here make it one of three. */
static void write_name(FILE *stream, const struct tar_entry *entry)
{
    if (entry->kind == TAR_ENTRY_GNU_NAME)
        write_member(stream, "././@LongLink", 'L', entry->name, strlen(entry->name) + 1);
    if (entry->kind == TAR_ENTRY_PAX) {
        char *line = mem_format("%zu path=%s\n", strlen(entry->name) + 10, entry->name);
        CHECK(strlen(line) == strlen(entry->name) + 10, "a pax line of %zu bytes", strlen(line));
        write_member(stream, "PaxHeaders/x", 'x', line, strlen(line));
        free(line);
    }
}

void tar_file_write(const char *path, const struct tar_entry *entries)
{
    FILE *stream = fopen(path, "wb");
    CHECK(stream, "%s: cannot be written", path);
    for (; entries->name; entries++) {
        write_name(stream, entries);
        write_member(stream, entries->name, '0', entries->text, strlen(entries->text));
    }
    static const char end[2 * BLOCK];
    fwrite(end, 1, sizeof end, stream);
    fclose(stream);
}
