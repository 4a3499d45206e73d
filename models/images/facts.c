#include "models/images/facts.h"

#include "models/images/picture_bytes.h"

enum { COLUMNS = 9, ROWS = 8, SAMPLES = 16 /* a cell and side: enough for its mean, however large the picture */ };

/* Where sample number s lies in part number `part` of the `parts` along a side of `size` pixels. */
static int sample_at(int size, int part, int parts, int s)
{
    return (int)((long long)size * (part * SAMPLES + s) / ((long long)parts * SAMPLES));
}

static long cell_grey(const struct picture *picture, int column, int row)
{
    long sum = 0;
    for (int j = 0; j < SAMPLES; j++) {
        size_t y = (size_t)sample_at(picture->height, row, ROWS, j);
        for (int i = 0; i < SAMPLES; i++) {
            size_t x = (size_t)sample_at(picture->width, column, COLUMNS, i);
            const unsigned char *pixel = picture->pixels + 3 * (y * (size_t)picture->width + x);
            sum += 299 * pixel[0] + 587 * pixel[1] + 114 * pixel[2]; /* ITU-R BT.601 */
        }
    }
    return sum;
}

uint64_t picture_look(const struct picture *picture)
{
    uint64_t look = 0;
    for (int row = 0; row < ROWS; row++) {
        long left = cell_grey(picture, 0, row);
        for (int column = 1; column < COLUMNS; column++) {
            long right = cell_grey(picture, column, row);
            look = look << 1 | (left > right);
            left = right;
        }
    }
    return look;
}

static struct hash hash_of(const struct picture_bytes *bytes)
{
    struct hash hash = hash_begin();
    hash_add(&hash, bytes->data, bytes->size);
    return hash;
}

int facts_decode(struct picture_facts *facts, struct picture *picture, const char *path, struct error *err)
{
    *facts = (struct picture_facts){.exif.orientation = 1};
    *picture = (struct picture){0};
    struct picture_bytes bytes;
    if (picture_bytes_open(&bytes, path, err) != 0)
        return -1;
    facts->is_read = true;
    facts->hash = hash_of(&bytes);
    int result = picture_decode_memory(picture, bytes.data, bytes.size, path, err);
    if (result == 0) {
        facts->width = picture->width;
        facts->height = picture->height;
        facts->look = picture_look(picture);
        facts->exif = exif_find(bytes.data, bytes.size);
    }
    picture_bytes_close(&bytes);
    return result;
}

bool facts_hash(struct hash *hash, const char *path)
{
    struct error ignored;
    struct picture_bytes bytes;
    if (picture_bytes_open(&bytes, path, &ignored) != 0)
        return false;
    *hash = hash_of(&bytes);
    picture_bytes_close(&bytes);
    return true;
}
