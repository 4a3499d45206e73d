/* PBM, PGM and PPM, plain and raw: P1 to P6 of Netpbm's manual pages pbm(5), pgm(5), ppm(5). */
#include "models/images/decoders.h"
#include "models/images/reader.h"

#include <math.h>

static bool is_space(unsigned byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

/* The next byte that belongs to no comment. */
static unsigned next_byte(struct reader *reader)
{
    unsigned byte = reader_u8(reader);
    if (byte == '#')
        while (byte != '\n' && byte != '\r' && !reader->ended)
            byte = reader_u8(reader);
    return byte;
}

/* A decimal number and the one blank after it, or the end of the file; -1: there is none, or it has over nine digits.
 */
static long read_number(struct reader *reader)
{
    unsigned byte = next_byte(reader);
    while (is_space(byte))
        byte = next_byte(reader);
    long value = 0;
    int digits = 0;
    for (; byte >= '0' && byte <= '9' && digits < 10; byte = next_byte(reader), digits++)
        value = digits < 9 ? 10 * value + (long)(byte - '0') : -1;
    if (digits > 0 && reader->ended)
        reader->ended = false; /* the last number of a plain file may touch its end */
    else if (!is_space(byte))
        return -1;
    return digits > 0 && digits < 10 ? value : -1;
}

/* Pillow makes grey above eight bits 16 bits wide, and clips that. */
static unsigned char scale(long value, long maximum, int channels)
{
    if (maximum == 255)
        return (unsigned char)value;
    double full = channels == 1 && maximum > 255 ? 65535.0 : 255.0;
    return (unsigned char)fmin(nearbyint((double)value / (double)maximum * full), 255.0);
}

/* -1: no sample. */
static long read_sample(struct reader *reader, long maximum, bool plain)
{
    if (plain) {
        long value = read_number(reader);
        return value > maximum ? -1 : value;
    }
    long value = (long)reader_u8(reader);
    return maximum < 256 ? value : value << 8 | (long)reader_u8(reader);
}

/* -1: no bit. A one is black; plain bits need no blanks between them, rows of raw ones begin with a byte. */
static int read_bit(struct reader *reader, int x, bool plain, unsigned *byte)
{
    if (!plain) {
        *byte = x % 8 == 0 ? reader_u8(reader) : *byte << 1;
        return *byte >> 7 & 1;
    }
    do
        *byte = next_byte(reader);
    while (is_space(*byte));
    return *byte == '0' || *byte == '1' ? (int)(*byte - '0') : -1;
}

/* Returns false where the file ends or holds no number. */
static bool read_row(unsigned char *row /* [width, 3] */, int width, struct reader *reader, int channels, long maximum,
                     bool plain)
{
    unsigned byte = 0;
    for (int x = 0; x < width; x++)
        for (int channel = 0; channel < 3; channel++) {
            unsigned char *out = &row[3 * x + channel];
            if (channel >= channels) {
                *out = out[-1];
                continue;
            }
            long value = maximum == 1 ? read_bit(reader, x, plain, &byte) : read_sample(reader, maximum, plain);
            if (value < 0 || reader->ended)
                return false;
            *out = maximum == 1 ? (value ? 0 : 255) : scale(value, maximum, channels);
        }
    return true;
}

int pnm_decode(struct picture *picture, const unsigned char *bytes, size_t size, const char *name, struct error *err)
{
    struct reader reader = {bytes, size, 2, false};
    int kind = bytes[1] - '0', channels = kind % 3 ? 1 : 3;
    bool bitmap = kind % 3 == 1, plain = kind < 4;
    long width = read_number(&reader), height = read_number(&reader);
    long maximum = bitmap ? 1 : read_number(&reader);
    if (width < 0 || height < 0 || maximum < 1 || maximum > 65535)
        return error_set(err, EXIT_BAD_DATA, "%s: broken PNM: its header has no width, height and maximum", name);
    if (picture_new(picture, width, height, name, err) != 0)
        return -1;
    for (int y = 0; y < picture->height; y++)
        if (!read_row(picture->pixels + 3 * (size_t)y * (size_t)width, (int)width, &reader, channels, maximum, plain))
            return reader.ended ? picture_cut(name, err)
                                : error_set(err, EXIT_BAD_DATA, "%s: broken PNM: row %d is no row of samples", name, y);
    return 0;
}
