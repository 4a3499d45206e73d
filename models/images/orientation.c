#include "models/images/orientation.h"

#include "models/images/reader.h"

#include <string.h>

enum { TAG_ORIENTATION = 0x0112, TYPE_SHORT = 3, ENTRY_BYTES = 12 };

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

/* EXIF is a TIFF file without pictures: a table of tags. Some writers put JPEG's own mark before it. */
static int find_in_tags(struct reader exif)
{
    if (starts_with(&exif, "Exif\0\0", 6))
        exif = (struct reader){.bytes = exif.bytes + 6, .size = exif.size - 6};
    bool big = starts_with(&exif, "MM\0*", 4);
    if (!big && !starts_with(&exif, "II*\0", 4))
        return 1;
    reader_skip(&exif, 4);
    size_t table = read_number(&exif, 4, big);
    exif.at = table < exif.size ? table : exif.size;
    for (uint32_t left = read_number(&exif, 2, big); left > 0 && !exif.ended; left--) {
        struct reader entry = part(&exif, ENTRY_BYTES);
        reader_skip(&exif, ENTRY_BYTES);
        uint32_t tag = read_number(&entry, 2, big), type = read_number(&entry, 2, big);
        reader_skip(&entry, 4);
        uint32_t value = read_number(&entry, 2, big);
        if (tag == TAG_ORIENTATION && type == TYPE_SHORT && !entry.ended)
            return value >= 1 && value <= 8 ? (int)value : 1;
    }
    return 1;
}

/* Segments are FF, a kind, and a size that counts itself; the pixels begin with kind DA. */
static int find_in_jpeg(struct reader file)
{
    reader_skip(&file, 2);
    while (!file.ended) {
        unsigned mark = reader_u8(&file), kind = reader_u8(&file);
        size_t size = read_number(&file, 2, true);
        if (mark != 0xFF || kind == 0xDA || size < 2)
            break;
        if (kind == 0xE1 && starts_with(&file, "Exif\0\0", 6))
            return find_in_tags(part(&file, size - 2));
        reader_skip(&file, size - 2);
    }
    return 1;
}

/* PNG: size, name, body, checksum. */
static int find_in_png(struct reader file)
{
    reader_skip(&file, 8);
    while (!file.ended) {
        size_t size = read_number(&file, 4, true);
        bool exif = starts_with(&file, "eXIf", 4);
        reader_skip(&file, 4);
        if (exif)
            return find_in_tags(part(&file, size));
        reader_skip(&file, size);
        reader_skip(&file, 4);
    }
    return 1;
}

/* RIFF: name, size, body, padded to an even size. */
static int find_in_webp(struct reader file)
{
    reader_skip(&file, 12);
    while (!file.ended) {
        bool exif = starts_with(&file, "EXIF", 4);
        reader_skip(&file, 4);
        size_t size = reader_u32(&file);
        if (exif)
            return find_in_tags(part(&file, size));
        reader_skip(&file, size);
        reader_skip(&file, size % 2);
    }
    return 1;
}

int orientation_find(const unsigned char *bytes, size_t size)
{
    struct reader file = {bytes, size, 0, false};
    return starts_with(&file, "\xFF\xD8", 2)  ? find_in_jpeg(file)
           : starts_with(&file, "\x89PNG", 4) ? find_in_png(file)
           : starts_with(&file, "RIFF", 4)    ? find_in_webp(file)
                                              : 1;
}

/* --- turning ----------------------------------------------------------------------------------------------- */

/* Where the pixel at x, y of the upright picture lies in the file's: first mirrored, then perhaps transposed. */
static const struct turn {
    bool from_right, from_bottom, transposed;
} turns[9] = {
    [2] = {true, false, false}, [3] = {true, true, false}, [4] = {false, true, false}, [5] = {false, false, true},
    [6] = {false, true, true},  [7] = {true, true, true},  [8] = {true, false, true},
};

void picture_upright(struct picture *picture)
{
    if (picture->orientation == 1)
        return;
    struct turn turn = turns[picture->orientation];
    int width = turn.transposed ? picture->height : picture->width;
    int height = turn.transposed ? picture->width : picture->height;
    struct picture upright = {mem_new((size_t)width * (size_t)height, 3), width, height, 1};
    unsigned char *out = upright.pixels;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++, out += 3) {
            int column = turn.transposed ? y : x, row = turn.transposed ? x : y;
            column = turn.from_right ? picture->width - 1 - column : column;
            row = turn.from_bottom ? picture->height - 1 - row : row;
            memcpy(out, picture->pixels + 3 * ((size_t)row * (size_t)picture->width + (size_t)column), 3);
        }
    picture_free(picture);
    *picture = upright;
}
