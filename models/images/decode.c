#include "models/images/decode.h"

#include "runtime/util/file.h"

#include <limits.h>
#include <stb_image.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <turbojpeg.h>

enum {
    PIXELS_MAX = 200 * 1000 * 1000,
    FILE_MAX = 1 << 30, /* stb_image counts bytes in an int */
};

static int check_size(int width, int height, const char *name, struct error *err)
{
    if (width <= 0 || height <= 0)
        return error_set(err, EXIT_BAD_DATA, "%s: the picture has no pixels (%d x %d)", name, width, height);
    if ((long long)width * height > PIXELS_MAX)
        return error_set(err, EXIT_BAD_DATA, "%s: %d x %d is more than the %d pixels a picture may have; scale it down",
                         name, width, height, PIXELS_MAX);
    return 0;
}

/* --- JPEG, by TurboJPEG ------------------------------------------------------------------------------------ */

static bool is_jpeg(const unsigned char *bytes, size_t size)
{
    return size >= 2 && bytes[0] == 0xFF && bytes[1] == 0xD8;
}

/* True if the last scan is followed by an end-of-image marker. Entropy-coded data never holds either marker. */
static bool jpeg_has_end(const unsigned char *bytes, size_t size)
{
    for (size_t at = size; at >= 2; at--)
        if (bytes[at - 2] == 0xFF && (bytes[at - 1] == 0xD9 || bytes[at - 1] == 0xDA))
            return bytes[at - 1] == 0xD9;
    return false;
}

/* Many photos of the wild draw a warning that every viewer, Pillow too, decodes past. TurboJPEG reports them like
 * errors and keeps only the first warning's text, so a cut file could hide behind one: hence the look at the end. */
static bool jpeg_warning_is_harmless(const char *warning, const unsigned char *bytes, size_t size)
{
    static const char *const harmless[] = {"Corrupt JPEG data", "Invalid SOS parameters", "Inconsistent progression",
                                           "Warning: unknown JFIF", "Unknown Adobe color"};
    for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++)
        if (strncmp(warning, harmless[i], strlen(harmless[i])) == 0)
            return jpeg_has_end(bytes, size);
    return false;
}

/* a * b / 255, rounded; exact for bytes. */
static int multiply_bytes(int a, int b)
{
    int product = a * b + 128;
    return (product + (product >> 8)) >> 8;
}

/* Adobe stores 255 minus the ink. Works in place: a pixel's three bytes never pass its four. */
static void rgb_from_inverted_cmyk(unsigned char *pixels /* [count, 4] to [count, 3] */, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        unsigned char cmyk[4];
        memcpy(cmyk, pixels + 4 * i, 4);
        for (int channel = 0; channel < 3; channel++)
            pixels[3 * i + channel] = (unsigned char)(cmyk[3] - multiply_bytes(255 - cmyk[channel], cmyk[3]));
    }
}

static int jpeg_decode_with(tjhandle decoder, struct picture *picture, const unsigned char *bytes, size_t size,
                            const char *name, struct error *err)
{
    /* An unusual chroma sampling makes this fail after it has told the size, and decodes well all the same. */
    int width = 0, height = 0, sampling, space = -1;
    if (tjDecompressHeader3(decoder, bytes, size, &width, &height, &sampling, &space) != 0 &&
        (width <= 0 || height <= 0))
        return error_set(err, EXIT_BAD_DATA, "%s: broken JPEG: %s", name, tjGetErrorStr2(decoder));
    if (check_size(width, height, name, err) != 0)
        return -1;

    bool cmyk = space == TJCS_CMYK || space == TJCS_YCCK;
    size_t count = (size_t)width * (size_t)height;
    *picture = (struct picture){.pixels = mem_new(count, cmyk ? 4 : 3), .width = width, .height = height};
    int status = tjDecompress2(decoder, bytes, size, picture->pixels, width, 0, height, cmyk ? TJPF_CMYK : TJPF_RGB,
                               TJFLAG_LIMITSCANS);
    if (status != 0 && !jpeg_warning_is_harmless(tjGetErrorStr2(decoder), bytes, size)) {
        picture_free(picture);
        return error_set(err, EXIT_BAD_DATA, "%s: broken JPEG: %s", name, tjGetErrorStr2(decoder));
    }
    if (cmyk)
        rgb_from_inverted_cmyk(picture->pixels, count);
    return 0;
}

static int jpeg_decode(struct picture *picture, const unsigned char *bytes, size_t size, const char *name,
                       struct error *err)
{
    tjhandle decoder = tjInitDecompress();
    if (!decoder)
        return error_set(err, EXIT_NO_MEMORY, "%s: cannot start the JPEG decoder: %s", name, tjGetErrorStr2(NULL));
    int result = jpeg_decode_with(decoder, picture, bytes, size, name, err);
    tjDestroy(decoder);
    return result;
}

/* --- everything else, by stb_image ------------------------------------------------------------------------- */

/* stb_image takes missing bytes for zeros, so its reads are watched. It reads ahead into a buffer of its own, the
 * target of its first read, and there only a read of nothing at all is one too many. */
struct reader {
    const unsigned char *bytes; // [size]
    size_t size, position;
    const char *read_ahead;
    bool ran_out;
};

static int reader_read(void *user, char *data, int wanted)
{
    struct reader *reader = user;
    size_t left = reader->size - reader->position;
    size_t count = (size_t)wanted < left ? (size_t)wanted : left;
    memcpy(data, reader->bytes + reader->position, count);
    reader->position += count;

    if (!reader->read_ahead)
        reader->read_ahead = data;
    if (count < (size_t)wanted && (count == 0 || data != reader->read_ahead))
        reader->ran_out = true;
    return (int)count;
}

static void reader_skip(void *user, int count)
{
    struct reader *reader = user;
    size_t left = reader->size - reader->position;
    reader->position += count < 0 ? 0 : (size_t)count < left ? (size_t)count : left;
}

static int reader_at_end(void *user)
{
    const struct reader *reader = user;
    return reader->position == reader->size;
}

static int other_decode(struct picture *picture, const unsigned char *bytes, size_t size, const char *name,
                        struct error *err)
{
    static const stbi_io_callbacks calls = {reader_read, reader_skip, reader_at_end};
    struct reader header = {.bytes = bytes, .size = size}, body = header;
    int width, height, channels;
    if (!stbi_info_from_callbacks(&calls, &header, &width, &height, &channels))
        return error_set(err, EXIT_BAD_DATA, "%s: not a JPEG, PNG, BMP, GIF, TGA, PNM or PSD picture (%s)", name,
                         stbi_failure_reason());
    if (check_size(width, height, name, err) != 0)
        return -1;

    picture->pixels = stbi_load_from_callbacks(&calls, &body, &picture->width, &picture->height, &channels, 3);
    if (picture->pixels && !body.ran_out)
        return 0;
    const char *reason = body.ran_out ? "the file ends too early" : stbi_failure_reason();
    picture_free(picture);
    return error_set(err, EXIT_BAD_DATA, "%s: broken picture: %s", name, reason);
}

/* --- both -------------------------------------------------------------------------------------------------- */

int picture_decode_memory(struct picture *picture, const unsigned char *bytes, size_t size, const char *name,
                          struct error *err)
{
    *picture = (struct picture){0};
    if (size == 0)
        return error_set(err, EXIT_BAD_DATA, "%s: the file is empty", name);
    if (size > FILE_MAX)
        return error_set(err, EXIT_BAD_DATA, "%s: %zu bytes is more than the %d a picture's file may have", name, size,
                         FILE_MAX);
    return (is_jpeg(bytes, size) ? jpeg_decode : other_decode)(picture, bytes, size, name, err);
}

int picture_decode(struct picture *picture, const char *path, struct error *err)
{
    *picture = (struct picture){0};
    struct file_map map;
    if (file_map(&map, path, err) != 0)
        return -1;
    int result = picture_decode_memory(picture, map.data, map.size, path, err);
    file_unmap(&map);
    return result;
}

void picture_free(struct picture *picture)
{
    free(picture->pixels);
    *picture = (struct picture){0};
}
