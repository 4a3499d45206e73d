/* Truevision TGA: grey, palette and colour, plain and run-length encoded. "Truevision TGA file format
 * specification", version 2.0, 1991. It has no magic: whatever no other decoder wants arrives here. */
#include "models/images/decoders.h"
#include "models/images/reader.h"

#include <string.h>

enum { TYPE_PALETTE = 1, TYPE_COLOUR, TYPE_GREY, TYPE_PACKED = 8, FLAG_RIGHT_LEFT = 0x10, FLAG_TOP_DOWN = 0x20 };

struct targa {
    unsigned type, depth, flags;
    bool packed;
    int width, height;
    unsigned palette_first, palette_count, palette_depth;
    unsigned char palette[256][3];
};

/* One pixel, or entry of the palette, of `depth` bits, blue first. */
static void read_colour(unsigned char *rgb /* [3] */, const unsigned char *bytes, unsigned depth)
{
    unsigned word = bytes[0] | (unsigned)bytes[1] << 8;
    for (int channel = 0; channel < 3; channel++)
        rgb[channel] = depth == 16 ? (unsigned char)((word >> (10 - 5 * channel) & 31) * 255 / 31) : bytes[2 - channel];
}

static void read_pixel(unsigned char *rgb /* [3] */, const struct targa *targa, const unsigned char *bytes)
{
    if (targa->type == TYPE_GREY)
        memset(rgb, bytes[0], 3);
    else if (targa->type == TYPE_PALETTE)
        memcpy(rgb, targa->palette[bytes[0]], 3);
    else
        read_colour(rgb, bytes, targa->depth);
}

static bool is_depth(unsigned depth)
{
    return depth == 16 || depth == 24 || depth == 32;
}

/* False: this is no TGA, or one of a kind that nobody writes. */
static bool read_header(struct targa *targa, struct reader *reader)
{
    unsigned id_bytes = reader_u8(reader), has_palette = reader_u8(reader), type = reader_u8(reader);
    targa->palette_first = reader_u16(reader);
    targa->palette_count = reader_u16(reader);
    targa->palette_depth = reader_u8(reader);
    reader_skip(reader, 4); /* where it lies on a screen */
    targa->width = (int)reader_u16(reader);
    targa->height = (int)reader_u16(reader);
    targa->depth = reader_u8(reader);
    targa->flags = reader_u8(reader);
    targa->type = type & 7;
    targa->packed = type & TYPE_PACKED;
    reader_skip(reader, id_bytes);
    targa->palette_count = has_palette ? targa->palette_count : 0;
    return !reader->ended && type <= (TYPE_PACKED | TYPE_GREY) && has_palette <= 1 && targa->width > 0 &&
           targa->height > 0 && (!has_palette || is_depth(targa->palette_depth)) &&
           ((targa->type == TYPE_PALETTE && has_palette && targa->depth == 8) ||
            (targa->type == TYPE_COLOUR && is_depth(targa->depth)) ||
            (targa->type == TYPE_GREY && (targa->depth == 8 || targa->depth == 16)));
}

static void read_palette(struct targa *targa, struct reader *reader)
{
    size_t entry = targa->palette_depth / 8;
    for (size_t i = 0; i < targa->palette_count; i++) {
        const unsigned char *bytes = reader_take(reader, entry);
        if (bytes && targa->palette_first + i < 256)
            read_colour(targa->palette[targa->palette_first + i], bytes, targa->palette_depth);
    }
}

/* Where the n-th pixel of the file belongs. */
static unsigned char *place(struct picture *picture, const struct targa *targa, size_t n)
{
    size_t width = (size_t)picture->width, x = n % width, y = n / width;
    x = targa->flags & FLAG_RIGHT_LEFT ? width - 1 - x : x;
    y = targa->flags & FLAG_TOP_DOWN ? y : (size_t)picture->height - 1 - y;
    return picture->pixels + 3 * (y * width + x);
}

/* A packet's first byte: the top bit says that one pixel is repeated, the rest how many pixels less one follow. */
static bool read_pixels(struct picture *picture, const struct targa *targa, struct reader *reader)
{
    size_t count = (size_t)picture->width * (size_t)picture->height, bytes = targa->depth / 8, at = 0;
    while (at < count) {
        unsigned packet = targa->packed ? reader_u8(reader) : 0;
        bool repeated = packet & 0x80;
        const unsigned char *pixel = NULL;
        for (unsigned i = 0; i <= (packet & 0x7F) && at < count; i++) {
            if (i == 0 || !repeated)
                pixel = reader_take(reader, bytes);
            if (!pixel)
                return false;
            read_pixel(place(picture, targa, at++), targa, pixel);
        }
    }
    return true;
}

int tga_decode(struct picture *picture, const unsigned char *bytes, size_t size, const char *name, struct error *err)
{
    struct reader reader = {bytes, size, 0, false};
    struct targa targa = {0};
    if (!read_header(&targa, &reader))
        return error_set(err, EXIT_BAD_DATA, "%s: not a JPEG, PNG, GIF, BMP, WebP, PNM or TGA picture", name);
    if (targa.palette_count)
        read_palette(&targa, &reader);
    if (picture_new(picture, targa.width, targa.height, name, err) != 0)
        return -1;
    return read_pixels(picture, &targa, &reader) ? 0 : picture_cut(name, err);
}
