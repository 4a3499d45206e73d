#include "models/files/tar.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 512, NAME_MAX_BYTES = 1 << 16 };

/* Fields of a header: where they begin, and how long they are. */
enum {
    NAME_AT = 0,
    NAME_SIZE = 100,
    SIZE_AT = 124,
    SIZE_SIZE = 12,
    CHECKSUM_AT = 148,
    CHECKSUM_SIZE = 8,
    TYPE_AT = 156,
    MAGIC_AT = 257,
    PREFIX_AT = 345,
    PREFIX_SIZE = 155,
};

/* Kinds of headers. */
enum { TYPE_FILE = '0', TYPE_OLD_FILE = '\0', TYPE_CONTIGUOUS = '7', TYPE_GNU_NAME = 'L', TYPE_PAX = 'x' };

/* Octal digits among blanks and zero bytes, or, with the highest bit of the first byte set, 63 bits big-endian. */
static bool parse_number(uint64_t *number, const unsigned char *field, int size)
{
    *number = 0;
    if (field[0] & 0x80) {
        for (int i = 1; i < size; i++) {
            if (*number >> 55)
                return false;
            *number = *number << 8 | field[i];
        }
        return field[0] == 0x80;
    }
    int at = 0, digits = 0;
    while (at < size && field[at] == ' ')
        at++;
    for (; at < size && field[at] >= '0' && field[at] <= '7'; at++, digits++)
        *number = *number << 3 | (uint64_t)(field[at] - '0');
    return digits > 0 && (at == size || field[at] == ' ' || field[at] == '\0');
}

/* The sum of all bytes, those of the checksum itself taken as blanks. */
static bool checksum_fits(const unsigned char *header)
{
    uint64_t sum = 0, wanted;
    for (int i = 0; i < BLOCK; i++)
        sum += i >= CHECKSUM_AT && i < CHECKSUM_AT + CHECKSUM_SIZE ? ' ' : header[i];
    return parse_number(&wanted, header + CHECKSUM_AT, CHECKSUM_SIZE) && sum == wanted;
}

static bool is_zero(const unsigned char *block)
{
    for (int i = 0; i < BLOCK; i++)
        if (block[i])
            return false;
    return true;
}

static char *copy_text(const unsigned char *text, size_t room)
{
    const unsigned char *end = memchr(text, '\0', room);
    return mem_format("%.*s", (int)(end ? (size_t)(end - text) : room), (const char *)text);
}

/* A name of more than 100 bytes is cut at a slash: ustar keeps the front in another field. */
static char *header_name(const unsigned char *header)
{
    char *name = copy_text(header + NAME_AT, NAME_SIZE);
    if (memcmp(header + MAGIC_AT, "ustar\0", 6) != 0 || !header[PREFIX_AT])
        return name;
    char *prefix = copy_text(header + PREFIX_AT, PREFIX_SIZE), *whole = mem_format("%s/%s", prefix, name);
    free(prefix);
    free(name);
    return whole;
}

/* A pax header is lines of "LENGTH KEY=VALUE\n"; the length counts the whole line. */
static char *pax_name(const unsigned char *data, size_t size)
{
    static const char key[] = "path=";
    char *name = NULL;
    for (size_t at = 0; at < size;) {
        size_t length = 0, digits = 0;
        for (; at + digits < size && digits < 6 && data[at + digits] >= '0' && data[at + digits] <= '9'; digits++)
            length = 10 * length + (size_t)(data[at + digits] - '0');
        size_t text = digits + 1;
        if (digits == 0 || length <= text || length > size - at)
            break;
        if (length > text + strlen(key) && memcmp(data + at + text, key, strlen(key)) == 0) {
            free(name);
            name = copy_text(data + at + text + strlen(key), length - text - strlen(key) - 1);
        }
        at += length;
    }
    return name;
}

int tar_open(struct tar *tar, const char *path, struct error *err)
{
    *tar = (struct tar){0};
    if (file_map(&tar->map, path, err) != 0)
        return -1;
    tar->path = mem_format("%s", path);
    const unsigned char *data = tar->map.data;
    static const char *const packed[] = {"\x1f\x8b", "BZh", "\3757zXZ", "\x28\xb5\x2f\xfd"}; // gzip, bzip2, xz, zstd
    for (int i = 0; i < 4; i++)
        if (tar->map.size >= BLOCK && memcmp(data, packed[i], strlen(packed[i])) == 0) {
            tar_close(tar);
            return error_set(err, EXIT_BAD_DATA, "%s: a compressed archive; unpack it to a plain .tar", path);
        }
    return 0;
}

static int broken(const struct tar *tar, const char *what, struct error *err)
{
    return error_set(err, EXIT_BAD_DATA, "%s: byte %zu: %s; what follows in this archive is lost", tar->path, tar->at,
                     what);
}

/* Reads the header at tar->at and moves behind its data. 0: the end. */
static int read_header(unsigned char *type, struct tar_member *member, struct tar *tar, struct error *err)
{
    const unsigned char *header = tar->map.data + tar->at;
    size_t left = tar->map.size - tar->at;
    uint64_t size;
    if (left == 0 || (left >= BLOCK && is_zero(header)))
        return 0;
    if (left < BLOCK)
        return broken(tar, "the archive is cut off", err);
    if (!checksum_fits(header) || !parse_number(&size, header + SIZE_AT, SIZE_SIZE))
        return broken(tar, "no header of a tar archive", err);
    if (size > left - BLOCK)
        return broken(tar, "a member reaches behind the end of the archive", err);
    *type = header[TYPE_AT];
    *member = (struct tar_member){.offset = tar->at + BLOCK, .size = (size_t)size};
    free(tar->name);
    tar->name = tar->long_name ? tar->long_name : header_name(header);
    tar->long_name = NULL;
    member->name = tar->name;
    size_t padded = ((size_t)size + BLOCK - 1) / BLOCK * BLOCK;
    tar->at += BLOCK + (padded > left - BLOCK ? left - BLOCK : padded);
    return 1;
}

int tar_next(struct tar_member *member, struct tar *tar, struct error *err)
{
    unsigned char type;
    for (int found; (found = read_header(&type, member, tar, err)) != 0;) {
        if (found < 0)
            return -1;
        const unsigned char *data = tar->map.data + member->offset;
        if (type == TYPE_FILE || type == TYPE_OLD_FILE || type == TYPE_CONTIGUOUS)
            return 1;
        if ((type == TYPE_GNU_NAME || type == TYPE_PAX) && member->size > NAME_MAX_BYTES)
            return broken(tar, "a name of more than 64 KiB", err);
        if (type == TYPE_GNU_NAME)
            tar->long_name = copy_text(data, member->size);
        if (type == TYPE_PAX)
            tar->long_name = pax_name(data, member->size);
    }
    return 0;
}

void tar_close(struct tar *tar)
{
    file_unmap(&tar->map);
    free(tar->path);
    free(tar->name);
    free(tar->long_name);
    *tar = (struct tar){0};
}
