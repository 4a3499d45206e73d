#include "models/images/exif.h"

#include "models/images/reader.h"

#include <string.h>

enum { TYPE_ASCII = 2, TYPE_SHORT = 3, TYPE_LONG = 4, ENTRY_BYTES = 12, TAG_CAMERA_TABLE = 0x8769 };

static uint32_t read_number(struct reader *reader, int bytes, bool big_endian)
{
    uint32_t value = 0;
    for (int i = 0; i < bytes; i++)
        value |= (uint32_t)reader_u8(reader) << 8 * (big_endian ? bytes - 1 - i : i);
    return value;
}

static bool starts_with(const struct reader *reader, const char *magic, size_t length)
{
    return reader->size - reader->at >= length && memcmp(reader->bytes + reader->at, magic, length) == 0;
}

/* The part of the file from here on, `size` bytes long at most. */
static struct reader part(const struct reader *reader, size_t size)
{
    size_t left = reader->size - reader->at;
    return (struct reader){.bytes = reader->bytes + reader->at, .size = size < left ? size : left};
}

/* ---- tags ---- */

/* EXIF is a TIFF file without pictures: tables of tags, whose larger values lie elsewhere in it. */
struct tags {
    struct reader tiff;
    bool big_endian;
    int date_rank; /* of the date taken so far; lower is better */
    struct exif found;
};

static void seek(struct reader *reader, size_t at)
{
    reader->at = at < reader->size ? at : reader->size;
}

/* "2024:05:31 18:30:00" becomes "2024-05-31 18:30:00"; false for blanks, zeros and whatever else writers leave there.
 */
static bool read_date(char out[EXIF_DATE], struct reader value)
{
    static const char pattern[] = "dddd:dd:dd dd:dd:dd";
    const unsigned char *text = reader_take(&value, EXIF_DATE - 1);
    if (!text || memcmp(text, "0000", 4) == 0)
        return false;
    for (size_t i = 0; i < EXIF_DATE - 1; i++)
        if (pattern[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != (unsigned char)pattern[i])
            return false;
    memcpy(out, text, EXIF_DATE - 1);
    out[4] = out[7] = '-';
    out[EXIF_DATE - 1] = '\0';
    return true;
}

static void take_date(struct tags *tags, unsigned tag, size_t at)
{
    static const unsigned ranks[] = {0x9003, 0x9004, 0x0132};
    struct reader value = tags->tiff;
    seek(&value, at);
    for (int rank = 0; rank < tags->date_rank && rank < 3; rank++)
        if (ranks[rank] == tag && read_date(tags->found.taken, value))
            tags->date_rank = rank;
}

/* Returns where the camera's own table lies, 0 if this one names none. */
static size_t read_table(struct tags *tags, size_t at)
{
    size_t camera_table = 0;
    struct reader *tiff = &tags->tiff;
    seek(tiff, at);
    for (uint32_t left = read_number(tiff, 2, tags->big_endian); left > 0 && !tiff->ended; left--) {
        struct reader entry = part(tiff, ENTRY_BYTES);
        reader_skip(tiff, ENTRY_BYTES);
        unsigned tag = read_number(&entry, 2, tags->big_endian), type = read_number(&entry, 2, tags->big_endian);
        reader_skip(&entry, 4);
        struct reader whole = entry; /* a short value fills the first half of the field, in either order of bytes */
        uint32_t half = read_number(&entry, 2, tags->big_endian), value = read_number(&whole, 4, tags->big_endian);
        if (whole.ended)
            break;
        if (tag == 0x0112 && type == TYPE_SHORT && half >= 1 && half <= 8)
            tags->found.orientation = (int)half;
        else if (type == TYPE_ASCII)
            take_date(tags, tag, value);
        else if (tag == TAG_CAMERA_TABLE && type == TYPE_LONG)
            camera_table = value;
    }
    return camera_table;
}

/* Some writers put JPEG's own mark before the tags. */
static struct exif read_tags(struct reader exif)
{
    struct tags tags = {.found.orientation = 1, .date_rank = 3};
    if (starts_with(&exif, "Exif\0\0", 6))
        exif = (struct reader){.bytes = exif.bytes + 6, .size = exif.size - 6};
    tags.tiff = exif;
    tags.big_endian = starts_with(&exif, "MM\0*", 4);
    if (!tags.big_endian && !starts_with(&exif, "II*\0", 4))
        return tags.found;
    reader_skip(&tags.tiff, 4);
    size_t camera_table = read_table(&tags, read_number(&tags.tiff, 4, tags.big_endian));
    if (camera_table)
        read_table(&tags, camera_table);
    return tags.found;
}

/* ---- where the tags are ---- */

static const struct exif nothing = {.orientation = 1};

/* Segments are FF, a kind, and a size that counts itself; the pixels begin with kind DA. */
static struct exif find_in_jpeg(struct reader file)
{
    reader_skip(&file, 2);
    while (!file.ended) {
        unsigned mark = reader_u8(&file), kind = reader_u8(&file);
        size_t size = read_number(&file, 2, true);
        if (mark != 0xFF || kind == 0xDA || size < 2)
            break;
        if (kind == 0xE1 && starts_with(&file, "Exif\0\0", 6))
            return read_tags(part(&file, size - 2));
        reader_skip(&file, size - 2);
    }
    return nothing;
}

/* PNG: size, name, body, checksum. */
static struct exif find_in_png(struct reader file)
{
    reader_skip(&file, 8);
    while (!file.ended) {
        size_t size = read_number(&file, 4, true);
        bool exif = starts_with(&file, "eXIf", 4);
        reader_skip(&file, 4);
        if (exif)
            return read_tags(part(&file, size));
        reader_skip(&file, size);
        reader_skip(&file, 4);
    }
    return nothing;
}

/* RIFF: name, size, body, padded to an even size. */
static struct exif find_in_webp(struct reader file)
{
    reader_skip(&file, 12);
    while (!file.ended) {
        bool exif = starts_with(&file, "EXIF", 4);
        reader_skip(&file, 4);
        size_t size = reader_u32(&file);
        if (exif)
            return read_tags(part(&file, size));
        reader_skip(&file, size);
        reader_skip(&file, size % 2);
    }
    return nothing;
}

struct exif exif_find(const unsigned char *bytes, size_t size)
{
    struct reader file = {bytes, size, 0, false};
    return starts_with(&file, "\xFF\xD8", 2)  ? find_in_jpeg(file)
           : starts_with(&file, "\x89PNG", 4) ? find_in_png(file)
           : starts_with(&file, "RIFF", 4)    ? find_in_webp(file)
                                              : nothing;
}
