#include "models/images/thumbnail.h"

#include "models/images/orientation.h"
#include "models/images/picture_bytes.h"
#include "models/images/resize.h"
#include "runtime/util/base64.h"

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

static const char *type_of(const struct picture_bytes *bytes)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (bytes->size > kinds[i].length && memcmp(bytes->data, kinds[i].magic, kinds[i].length) == 0)
            return kinds[i].type;
    return NULL;
}

static struct thumbnail thumbnail_of(const char *type, const unsigned char *bytes, size_t size)
{
    struct thumbnail thumbnail = {.bytes = mem_new(size, 1), .size = size, .type = type};
    memcpy(thumbnail.bytes, bytes, size);
    return thumbnail;
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

static int make_jpeg(struct thumbnail *out, const struct picture *picture, const char *path, struct error *err)
{
    unsigned char *jpeg = NULL;
    unsigned long size = 0;
    tjhandle compressor = tjInitCompress();
    CHECK(compressor, "TurboJPEG cannot start: %s", tjGetErrorStr2(NULL));
    int result = tjCompress2(compressor, picture->pixels, picture->width, 0, picture->height, TJPF_RGB, &jpeg, &size,
                             TJSAMP_420, QUALITY, 0);
    if (result == 0)
        *out = thumbnail_of("image/jpeg", jpeg, size);
    else
        result = error_set(err, EXIT_BAD_DATA, "%s: no thumbnail can be made: %s", path, tjGetErrorStr2(compressor));
    tjFree(jpeg);
    tjDestroy(compressor);
    return result;
}

int thumbnail_make(struct thumbnail *out, const char *path, int side, struct error *err)
{
    struct picture_bytes bytes;
    struct picture picture;
    if (picture_bytes_open(&bytes, path, err) != 0)
        return -1;
    int result = picture_decode_memory(&picture, bytes.data, bytes.size, path, err);
    if (result == 0) {
        const char *type = type_of(&bytes);
        if (type && bytes.size <= SMALL_ENOUGH) {
            *out = thumbnail_of(type, bytes.data, bytes.size);
        } else {
            shrink(&picture, side);
            picture_upright(&picture);
            result = make_jpeg(out, &picture, path, err);
        }
        picture_free(&picture);
    }
    picture_bytes_close(&bytes);
    return result;
}

void thumbnail_free(struct thumbnail *thumbnail)
{
    free(thumbnail->bytes);
    *thumbnail = (struct thumbnail){0};
}

int thumbnail_write(FILE *stream, const char *path, int side, struct error *err)
{
    struct thumbnail thumbnail;
    if (thumbnail_make(&thumbnail, path, side, err) != 0)
        return -1;
    fprintf(stream, "data:%s;base64,", thumbnail.type);
    base64_write(stream, thumbnail.bytes, thumbnail.size);
    thumbnail_free(&thumbnail);
    return 0;
}
