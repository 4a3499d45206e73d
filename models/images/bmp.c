/* Windows and OS/2 bitmaps: 1, 4, 8, 16, 24 and 32 bits, run lengths, bit fields.
 * Microsoft, "Bitmap Header Types" and "Bitmap Compression". */
#include "models/images/decoders.h"
#include "models/images/reader.h"

#include <stdlib.h>
#include <string.h>

enum compression { RAW, RLE8, RLE4, BITFIELDS };

enum { FILE_HEADER = 14, OS2_HEADER = 12, WINDOWS_HEADER = 40, MASKS_INSIDE = 52 };

struct bitmap {
    long long width, height;
    bool top_down;
    unsigned bits, compression;
    size_t colours;
    uint32_t masks[3]; /* of red, green and blue in a pixel of 16 to 32 bits */
    unsigned char palette[256][3];
};

static int broken(const char *name, const char *what, struct error *err)
{
    return error_set(err, EXIT_BAD_DATA, "%s: broken BMP: %s", name, what);
}

/* --- headers ----------------------------------------------------------------------------------------------- */

static void read_sizes(struct bitmap *bitmap, struct reader *reader, uint32_t header)
{
    if (header == OS2_HEADER) {
        bitmap->width = reader_u16(reader);
        bitmap->height = reader_u16(reader);
        reader_skip(reader, 2);
        bitmap->bits = reader_u16(reader);
        return;
    }
    bitmap->width = (int32_t)reader_u32(reader);
    int32_t height = (int32_t)reader_u32(reader);
    bitmap->top_down = height < 0;
    bitmap->height = height < 0 ? -(long long)height : height;
    reader_skip(reader, 2);
    bitmap->bits = reader_u16(reader);
    bitmap->compression = reader_u32(reader);
    reader_skip(reader, 12);
    bitmap->colours = reader_u32(reader);
    reader_skip(reader, 4);
}

static void read_masks(struct bitmap *bitmap, struct reader *reader)
{
    static const uint32_t five_bits[3] = {0x7C00, 0x3E0, 0x1F}, bytes[3] = {0xFF0000, 0xFF00, 0xFF};
    memcpy(bitmap->masks, bitmap->bits == 16 ? five_bits : bytes, sizeof bytes);
    if (bitmap->compression != BITFIELDS)
        return;
    uint32_t masks[3];
    for (int i = 0; i < 3; i++)
        masks[i] = reader_u32(reader);
    if (masks[0] | masks[1] | masks[2])
        memcpy(bitmap->masks, masks, sizeof masks);
}

/* A palette holds blue, green, red and, but for OS/2, a spare byte. */
static void read_palette(struct bitmap *bitmap, struct reader *reader, size_t entry)
{
    for (size_t i = 0; i < bitmap->colours; i++) {
        const unsigned char *colour = reader_take(reader, entry);
        for (int channel = 0; colour && i < 256 && channel < 3; channel++)
            bitmap->palette[i][channel] = colour[2 - channel];
    }
}

static int check_kind(const struct bitmap *bitmap, const char *name, struct error *err)
{
    static const struct {
        unsigned compression, bits;
    } kinds[] = {{RAW, 1},  {RAW, 4},  {RAW, 8},        {RAW, 16},       {RAW, 24},      {RAW, 32},
                 {RLE8, 8}, {RLE4, 4}, {BITFIELDS, 16}, {BITFIELDS, 24}, {BITFIELDS, 32}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].compression == bitmap->compression && kinds[i].bits == bitmap->bits)
            return 0;
    return error_set(err, EXIT_BAD_DATA, "%s: a BMP of %u bits with compression %u is not read; convert it to PNG",
                     name, bitmap->bits, bitmap->compression);
}

/* Leaves the reader at the first pixel. */
static int read_headers(struct bitmap *bitmap, struct reader *reader, const char *name, struct error *err)
{
    reader_skip(reader, 10);
    size_t pixels = reader_u32(reader);
    uint32_t header = reader_u32(reader);
    if (header != OS2_HEADER && (header < WINDOWS_HEADER || header > 124))
        return broken(name, "its header has an unknown size", err);
    read_sizes(bitmap, reader, header);
    if (check_kind(bitmap, name, err) != 0)
        return -1;
    read_masks(bitmap, reader);
    size_t end = FILE_HEADER + header;
    if (header >= MASKS_INSIDE || bitmap->compression != BITFIELDS)
        reader_skip(reader, end > reader->at ? end - reader->at : 0);

    if (bitmap->bits <= 8) {
        size_t entry = header == OS2_HEADER ? 3 : 4;
        bitmap->colours = bitmap->colours ? bitmap->colours : (size_t)1 << bitmap->bits;
        if (bitmap->colours > 65536)
            return broken(name, "its palette has an absurd size", err);
        read_palette(bitmap, reader, entry);
        pixels = pixels == end ? pixels + entry * bitmap->colours : pixels; /* some writers forget the palette */
    }
    reader->at = pixels == 0 ? reader->at : pixels < reader->size ? pixels : reader->size;
    return reader->ended ? picture_cut(name, err) : 0;
}

/* --- pixels ------------------------------------------------------------------------------------------------ */

static unsigned char *row_of(struct picture *picture, const struct bitmap *bitmap, int y)
{
    int from_top = bitmap->top_down ? y : picture->height - 1 - y;
    return picture->pixels + 3 * (size_t)from_top * (size_t)picture->width;
}

static void expand_palette(unsigned char *row, const struct bitmap *bitmap, const unsigned char *packed, int width)
{
    unsigned bits = bitmap->bits;
    for (int x = 0; x < width; x++) {
        unsigned bit = (unsigned)x * bits, index = packed[bit / 8] >> (8 - bits - bit % 8) & ((1u << bits) - 1);
        memcpy(row + 3 * x, bitmap->palette[index], 3);
    }
}

static unsigned char scale_field(uint32_t pixel, uint32_t mask)
{
    if (mask == 0)
        return 0;
    uint64_t lowest = mask & (~mask + 1);
    return (unsigned char)((pixel & mask) / lowest * 255 / (mask / lowest));
}

static void expand_fields(unsigned char *row, const struct bitmap *bitmap, const unsigned char *packed, int width)
{
    unsigned bytes = bitmap->bits / 8;
    for (int x = 0; x < width; x++, packed += bytes) {
        uint32_t pixel = 0;
        for (unsigned i = 0; i < bytes; i++)
            pixel |= (uint32_t)packed[i] << 8 * i;
        for (int channel = 0; channel < 3; channel++)
            row[3 * x + channel] = scale_field(pixel, bitmap->masks[channel]);
    }
}

static int read_rows(struct picture *picture, const struct bitmap *bitmap, struct reader *reader, const char *name,
                     struct error *err)
{
    size_t stride = ((size_t)picture->width * bitmap->bits + 31) / 32 * 4;
    for (int y = 0; y < picture->height; y++) {
        const unsigned char *packed = reader_take(reader, stride);
        if (!packed)
            return picture_cut(name, err);
        (bitmap->bits <= 8 ? expand_palette : expand_fields)(row_of(picture, bitmap, y), bitmap, packed,
                                                             picture->width);
    }
    return 0;
}

/* --- run lengths ------------------------------------------------------------------------------------------- */

struct runs {
    unsigned char *indices; // [count], zeros at first
    size_t count, at, width;
};

static void put_run(struct runs *runs, size_t length, unsigned high, unsigned low)
{
    size_t room = runs->width - runs->at % runs->width;
    for (size_t i = 0; i < length && i < room; i++)
        runs->indices[runs->at++] = (unsigned char)(i % 2 ? low : high);
}

/* Pixels one by one; they end on an even byte of the file. */
static void put_pixels(struct runs *runs, size_t length, bool nibbles, struct reader *reader)
{
    unsigned byte = 0;
    for (size_t i = 0; i < length; i++) {
        if (!nibbles || i % 2 == 0)
            byte = reader_u8(reader);
        if (runs->at < runs->count)
            runs->indices[runs->at++] = (unsigned char)(!nibbles ? byte : i % 2 ? byte & 15 : byte >> 4);
    }
    if (reader->at % 2 && reader->at < reader->size)
        reader_skip(reader, 1);
}

/* False: the file or the bitmap ends before the last pixel. */
static bool unpack(struct runs *runs, bool nibbles, struct reader *reader)
{
    while (runs->at < runs->count && !reader->ended) {
        unsigned length = reader_u8(reader), code = reader_u8(reader);
        size_t jump = 0;
        if (length > 0)
            put_run(runs, length, nibbles ? code >> 4 : code, nibbles ? code & 15 : code);
        else if (code == 0)
            jump = (runs->width - runs->at % runs->width) % runs->width;
        else if (code == 1)
            return false;
        else if (code == 2)
            jump = reader_u8(reader), jump += reader_u8(reader) * runs->width;
        else
            put_pixels(runs, code, nibbles, reader);
        runs->at += jump < runs->count - runs->at ? jump : runs->count - runs->at;
    }
    return runs->at == runs->count && !reader->ended;
}

static int read_runs(struct picture *picture, const struct bitmap *bitmap, struct reader *reader, const char *name,
                     struct error *err)
{
    size_t width = (size_t)picture->width, count = width * (size_t)picture->height;
    struct runs runs = {.indices = mem_new(count, 1), .count = count, .width = width};
    bool whole = unpack(&runs, bitmap->compression == RLE4, reader);
    for (int y = 0; whole && y < picture->height; y++)
        for (size_t x = 0; x < width; x++)
            memcpy(row_of(picture, bitmap, y) + 3 * x, bitmap->palette[runs.indices[(size_t)y * width + x]], 3);
    free(runs.indices);
    return whole ? 0 : picture_cut(name, err);
}

int bmp_decode(struct picture *picture, const unsigned char *bytes, size_t size, const char *name, struct error *err)
{
    struct reader reader = {bytes, size, 0, false};
    struct bitmap bitmap = {0};
    if (read_headers(&bitmap, &reader, name, err) != 0 ||
        picture_new(picture, bitmap.width, bitmap.height, name, err) != 0)
        return -1;
    bool runs = bitmap.compression == RLE8 || bitmap.compression == RLE4;
    return (runs ? read_runs : read_rows)(picture, &bitmap, &reader, name, err);
}
