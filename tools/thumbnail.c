#include "tools/thumbnail.h"

#include "models/images/orientation.h"
#include "models/images/resize.h"
#include "runtime/util/file.h"

#include <stdlib.h>
#include <string.h>
#include <turbojpeg.h>

enum { SMALL_ENOUGH = 12 * 1024, QUALITY = 82 };

/* What browsers show, told by the first bytes. */
static const struct {
    const char *type;
    size_t length;
    const char *magic;
} kinds[] = {{"image/jpeg", 3, "\xFF\xD8\xFF"}, {"image/png", 8, "\x89PNG\r\n\x1A\n"}, {"image/gif", 4, "GIF8"}};

static const char *type_of(const struct file_map *map)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (map->size > kinds[i].length && memcmp(map->data, kinds[i].magic, kinds[i].length) == 0)
            return kinds[i].type;
    return NULL;
}

/* RFC 4648, section 4. */
static void write_base64(FILE *stream, const unsigned char *bytes, size_t count)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < count; i += 3) {
        size_t left = count - i;
        unsigned long group = (unsigned long)bytes[i] << 16;
        group |= left > 1 ? (unsigned long)bytes[i + 1] << 8 : 0;
        group |= left > 2 ? (unsigned long)bytes[i + 2] : 0;
        putc(digits[group >> 18], stream);
        putc(digits[group >> 12 & 63], stream);
        putc(left > 1 ? digits[group >> 6 & 63] : '=', stream);
        putc(left > 2 ? digits[group & 63] : '=', stream);
    }
}

static void write_uri(FILE *stream, const char *type, const unsigned char *bytes, size_t count)
{
    fprintf(stream, "data:%s;base64,", type);
    write_base64(stream, bytes, count);
}

/* Shrinks `picture` in place. */
static void shrink(struct picture *picture, int side)
{
    int width = picture->width, height = picture->height, shorter = width < height ? width : height;
    if (shorter <= side)
        return;
    struct picture small;
    picture_resize(&small, picture, (int)((long)width * side / shorter), (int)((long)height * side / shorter),
                   &resize_filters[RESIZE_BICUBIC]);
    picture_free(picture);
    *picture = small;
}

static int write_jpeg(FILE *stream, const struct picture *picture, const char *path, struct error *err)
{
    unsigned char *jpeg = NULL;
    unsigned long size = 0;
    tjhandle compressor = tjInitCompress();
    CHECK(compressor, "TurboJPEG cannot start: %s", tjGetErrorStr2(NULL));
    int result = tjCompress2(compressor, picture->pixels, picture->width, 0, picture->height, TJPF_RGB, &jpeg, &size,
                             TJSAMP_420, QUALITY, 0);
    if (result == 0)
        write_uri(stream, "image/jpeg", jpeg, size);
    else
        result = error_set(err, EXIT_BAD_DATA, "%s: no thumbnail can be made: %s", path, tjGetErrorStr2(compressor));
    tjFree(jpeg);
    tjDestroy(compressor);
    return result;
}

int thumbnail_write(FILE *stream, const char *path, int side, struct error *err)
{
    struct file_map map;
    struct picture picture;
    if (file_map(&map, path, err) != 0)
        return -1;
    int result = picture_decode_memory(&picture, map.data, map.size, path, err);
    if (result == 0) {
        const char *type = type_of(&map);
        shrink(&picture, side);
        picture_upright(&picture);
        if (type && map.size <= SMALL_ENOUGH)
            write_uri(stream, type, map.data, map.size);
        else
            result = write_jpeg(stream, &picture, path, err);
        picture_free(&picture);
    }
    file_unmap(&map);
    return result;
}
