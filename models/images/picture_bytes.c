#include "models/images/picture_bytes.h"

#include "runtime/util/random.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char synthetic[] = "synthetic:", archive_mark[] = ".tar@";
enum { MEMBER_MAX = 1 << 30 };

/* Bytes of an archive. */
struct part {
    int path_length;
    uint64_t offset, size;
};

/* A number in decimal at *at, which moves behind it. */
static bool take_number(uint64_t *number, const char **at)
{
    char *end;
    if (**at < '0' || **at > '9')
        return false;
    errno = 0;
    *number = strtoull(*at, &end, 10);
    *at = end;
    return errno == 0;
}

static bool parse_part(struct part *part, const char *name)
{
    const char *at = strstr(name, archive_mark);
    if (!at)
        return false;
    at += strlen(archive_mark);
    part->path_length = (int)(at - 1 - name);
    return take_number(&part->offset, &at) && *at++ == '+' && take_number(&part->size, &at) && *at == ':';
}

static int read_all(unsigned char *data, int fd, size_t size, off_t offset)
{
    for (size_t done = 0; done < size;) {
        ssize_t count = pread(fd, data + done, size - done, offset + (off_t)done);
        if (count <= 0)
            return -1;
        done += (size_t)count;
    }
    return 0;
}

static int read_part(struct picture_bytes *bytes, const char *name, const struct part *part, struct error *err)
{
    if (part->size > MEMBER_MAX || part->offset > INT64_MAX - MEMBER_MAX)
        return error_set(err, EXIT_BAD_DATA, "%s: more than the %d bytes that a picture may have", name, MEMBER_MAX);
    char *path = mem_format("%.*s", part->path_length, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    free(path);
    bytes->size = (size_t)part->size;
    bytes->data = bytes->owned = mem_new(bytes->size + 1, 1);
    int result = fd < 0 ? -1 : read_all(bytes->owned, fd, bytes->size, (off_t)part->offset);
    if (fd >= 0)
        close(fd);
    if (result == 0)
        return 0;
    picture_bytes_close(bytes);
    return error_set(err, EXIT_BAD_DATA, "%s: cannot be read from its archive, which is gone or shorter than it was",
                     name);
}

/* A PPM of 256 x 256 pixels: a grid of coloured tiles with a little noise, the same for the same name. */
static void make_synthetic(struct picture_bytes *bytes, const char *name)
{
    enum { SIDE = 256, TILES = 4, HEADER = 15 };
    uint64_t seed = strtoull(name + strlen(synthetic), NULL, 10);
    struct random random = random_begin(seed);
    unsigned char colours[TILES * TILES * 3];
    for (size_t i = 0; i < sizeof colours; i++)
        colours[i] = (unsigned char)random_below(&random, 248);
    char *data = mem_format("P6 %d %d 255\n", SIDE, SIDE);
    CHECK(strlen(data) == HEADER, "the header of a synthetic picture has %zu bytes", strlen(data));
    data = mem_grow(data, HEADER + SIDE * SIDE * 3, 1);
    unsigned char *pixel = (unsigned char *)data + HEADER;
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            const unsigned char *colour = colours + 3 * (y * TILES / SIDE * TILES + x * TILES / SIDE);
            uint64_t noise = random_bits(&random);
            for (int c = 0; c < 3; c++)
                *pixel++ = (unsigned char)(colour[c] + (noise >> 8 * c & 7));
        }
    *bytes = (struct picture_bytes){.data = (unsigned char *)data, .size = HEADER + SIDE * SIDE * 3, .owned = data};
}

int picture_bytes_open(struct picture_bytes *bytes, const char *name, struct error *err)
{
    struct part part;
    *bytes = (struct picture_bytes){0};
    if (strncmp(name, synthetic, strlen(synthetic)) == 0) {
        make_synthetic(bytes, name);
        return 0;
    }
    if (parse_part(&part, name))
        return read_part(bytes, name, &part, err);
    if (file_map(&bytes->map, name, err) != 0)
        return -1;
    bytes->data = bytes->map.data;
    bytes->size = bytes->map.size;
    return 0;
}

void picture_bytes_close(struct picture_bytes *bytes)
{
    file_unmap(&bytes->map);
    free(bytes->owned);
    *bytes = (struct picture_bytes){0};
}

char *picture_bytes_member(const char *archive, size_t offset, size_t size, const char *member)
{
    return mem_format("%s@%zu+%zu:%s", archive, offset, size, member);
}

char *picture_bytes_file(const char *name)
{
    struct part part;
    if (strncmp(name, synthetic, strlen(synthetic)) == 0)
        return mem_format("%s", "");
    return parse_part(&part, name) ? mem_format("%.*s", part.path_length, name) : mem_format("%s", name);
}

bool picture_bytes_exist(const char *name)
{
    char *path = picture_bytes_file(name);
    bool there = !*path || file_exists(path);
    free(path);
    return there;
}
