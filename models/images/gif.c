/* The first frame of a GIF. "Graphics Interchange Format, version 89a", CompuServe, 1990. */
#include "models/images/decoders.h"
#include "models/images/reader.h"

#include <stdlib.h>
#include <string.h>

enum {
    CODE_BITS_MAX = 12,
    CODES_MAX = 1 << CODE_BITS_MAX,
    BLOCK_EXTENSION = '!',
    BLOCK_IMAGE = ',',
    LABEL_CONTROL = 0xF9,
    FLAG_PALETTE = 0x80,
    FLAG_INTERLACED = 0x40,
};

struct frame {
    int left, top, width, height;
    bool interlaced;
    unsigned char palette[256][3];
    unsigned char around; /* the index of the canvas around the frame: the transparent one, or 0 */
};

/* --- LZW: codes of growing width, lowest bit first, in blocks of up to 255 bytes ------------------------------- */

struct codes {
    struct reader *reader;
    unsigned block; /* bytes left in the current one */
    unsigned long bits;
    int bit_count;
};

/* -1: the blocks have ended. */
static int next_code(struct codes *codes, int width)
{
    while (codes->bit_count < width) {
        if (codes->block == 0 && (codes->block = reader_u8(codes->reader)) == 0)
            return -1;
        codes->bits |= (unsigned long)reader_u8(codes->reader) << codes->bit_count;
        codes->bit_count += 8;
        codes->block--;
        if (codes->reader->ended)
            return -1;
    }
    int code = (int)(codes->bits & ((1ul << width) - 1));
    codes->bits >>= width;
    codes->bit_count -= width;
    return code;
}

/* A string is its last index and the code of what stands before it. */
struct strings {
    short before[CODES_MAX];
    unsigned char last[CODES_MAX], first[CODES_MAX];
    short length[CODES_MAX];
    int count;
};

static void strings_add(struct strings *strings, int before, unsigned char last)
{
    int code = strings->count++;
    strings->before[code] = (short)before;
    strings->last[code] = last;
    strings->first[code] = before < 0 ? last : strings->first[before];
    strings->length[code] = before < 0 ? 1 : (short)(strings->length[before] + 1);
}

/* The two codes after the single indices are "start again" and "end", and stand for no string. */
static void strings_restart(struct strings *strings, int index_bits)
{
    strings->count = 0;
    for (int i = 0; i < 1 << index_bits; i++)
        strings_add(strings, -1, (unsigned char)i);
    strings->count += 2;
}

/* Writes a string from its end; what does not fit is dropped. Returns its length. */
static size_t strings_write(unsigned char *out /* [room] */, size_t room, const struct strings *strings, int code)
{
    size_t length = (size_t)strings->length[code];
    for (size_t i = length; i-- > 0; code = strings->before[code])
        if (i < room)
            out[i] = strings->last[code];
    return length < room ? length : room;
}

/* True once all indices are there, whatever follows. */
static bool unpack(unsigned char *indices, // [count]
                   size_t count, struct reader *reader)
{
    int index_bits = (int)reader_u8(reader), restart = 1 << (index_bits & 15), end = restart + 1;
    if (index_bits < 1 || index_bits > 8)
        return false;
    struct strings *strings = mem_new(1, sizeof *strings);
    struct codes codes = {.reader = reader};
    int width = index_bits + 1, previous = -1;
    size_t at = 0;
    strings_restart(strings, index_bits);
    while (at < count) {
        int code = next_code(&codes, width);
        if (code == restart) {
            strings_restart(strings, index_bits);
            width = index_bits + 1;
            previous = -1;
            continue;
        }
        if (code < 0 || code == end || code > strings->count || (code == strings->count && previous < 0))
            break;
        if (previous >= 0 && strings->count < CODES_MAX)
            strings_add(strings, previous, strings->first[code == strings->count ? previous : code]);
        else if (code == strings->count)
            break;
        at += strings_write(indices + at, count - at, strings, code);
        previous = code;
        if (strings->count == 1 << width && width < CODE_BITS_MAX)
            width++;
    }
    free(strings);
    return at == count;
}

/* --- the blocks of the file ------------------------------------------------------------------------------------ */

/* Without a palette an index is a grey; a palette that is short ends in black. */
static void read_palette(unsigned char palette[256][3], struct reader *reader, unsigned flags)
{
    if (!(flags & FLAG_PALETTE))
        return;
    size_t bytes = (size_t)3 << ((flags & 7) + 1);
    const unsigned char *colours = reader_take(reader, bytes);
    memset(palette, 0, 256 * 3);
    if (colours)
        memcpy(palette, colours, bytes);
}

static void skip_blocks(struct reader *reader)
{
    for (unsigned count; (count = reader_u8(reader)) != 0;)
        reader_skip(reader, count);
}

static void read_extension(struct frame *frame, struct reader *reader)
{
    unsigned label = reader_u8(reader), length = reader_u8(reader);
    const unsigned char *block = reader_take(reader, length);
    if (label == LABEL_CONTROL && block && length >= 4 && block[0] & 1)
        frame->around = block[3];
    skip_blocks(reader);
}

/* Up to the first frame's indices. False: there is none. */
static bool find_frame(struct frame *frame, struct reader *reader)
{
    for (unsigned block; !reader->ended && (block = reader_u8(reader)) != ';';) {
        if (block == BLOCK_EXTENSION) {
            read_extension(frame, reader);
        } else if (block == BLOCK_IMAGE) {
            frame->left = (int)reader_u16(reader);
            frame->top = (int)reader_u16(reader);
            frame->width = (int)reader_u16(reader);
            frame->height = (int)reader_u16(reader);
            unsigned flags = reader_u8(reader);
            frame->interlaced = flags & FLAG_INTERLACED;
            read_palette(frame->palette, reader, flags);
            return !reader->ended;
        }
    }
    return false;
}

static void draw_row(struct picture *picture, const struct frame *frame, int y,
                     const unsigned char *indices /* [frame->width] */)
{
    unsigned char *row =
        picture->pixels + 3 * ((size_t)(frame->top + y) * (size_t)picture->width + (size_t)frame->left);
    for (int x = 0; x < frame->width; x++)
        memcpy(row + 3 * x, frame->palette[indices[x]], 3);
}

static void draw_frame(struct picture *picture, const struct frame *frame, const unsigned char *indices)
{
    static const struct pass {
        int first, step;
    } straight[] = {{0, 1}, {0}}, interlaced[] = {{0, 8}, {4, 8}, {2, 4}, {1, 2}, {0}};
    size_t pixels = (size_t)picture->width * (size_t)picture->height;
    if (frame->width < picture->width || frame->height < picture->height)
        for (size_t i = 0; i < pixels; i++)
            memcpy(picture->pixels + 3 * i, frame->palette[frame->around], 3);
    for (const struct pass *pass = frame->interlaced ? interlaced : straight; pass->step; pass++)
        for (int y = pass->first; y < frame->height; y += pass->step, indices += frame->width)
            draw_row(picture, frame, y, indices);
}

int gif_decode(struct picture *picture, const unsigned char *bytes, size_t size, const char *name, struct error *err)
{
    struct reader reader = {bytes, size, 6, false}; /* after "GIF89a" */
    struct frame frame = {0};
    for (int i = 0; i < 256; i++)
        memset(frame.palette[i], i, 3);
    int width = (int)reader_u16(&reader), height = (int)reader_u16(&reader);
    unsigned flags = reader_u8(&reader);
    reader_skip(&reader, 2); /* background, aspect */
    read_palette(frame.palette, &reader, flags);
    if (!find_frame(&frame, &reader))
        return reader.ended ? picture_cut(name, err) : error_set(err, EXIT_BAD_DATA, "%s: the GIF has no frame", name);

    /* A frame that leaves the canvas widens it. */
    int right = frame.left + frame.width, bottom = frame.top + frame.height;
    if (picture_new(picture, right > width ? right : width, bottom > height ? bottom : height, name, err) != 0)
        return -1;
    size_t count = (size_t)frame.width * (size_t)frame.height;
    unsigned char *indices = mem_new(count, 1);
    bool whole = unpack(indices, count, &reader);
    if (whole)
        draw_frame(picture, &frame, indices);
    free(indices);
    if (whole)
        return 0;
    return reader.ended ? picture_cut(name, err)
                        : error_set(err, EXIT_BAD_DATA, "%s: broken GIF: its codes make no picture", name);
}
