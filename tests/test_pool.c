/* The pool: memory of one shape serves another, views show the right bytes, and nothing overlaps. */
#include "runtime/buffer.h"
#include "runtime/util/random.h"
#include "tests/op_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MB = 1 << 20, BUFFERS = 64, TURNS = 2000 };

static struct buffer *filled(struct device *dev, size_t bytes, int mark)
{
    struct buffer *buffer = buffer_new(dev, bytes);
    unsigned char *numbers = mem_new(bytes, 1);
    memset(numbers, mark, bytes);
    buffer_upload(buffer, 0, numbers, bytes);
    free(numbers);
    return buffer;
}

static void check_filled(struct buffer *buffer, int mark)
{
    unsigned char *numbers = mem_new(buffer->bytes, 1);
    buffer_download(numbers, buffer, 0, buffer->bytes);
    for (size_t i = 0; i < buffer->bytes; i++)
        CHECK(numbers[i] == mark, "byte %zu of %zu is %d, not %d", i, buffer->bytes, numbers[i], mark);
    free(numbers);
}

/* What three buffers gave back is enough for one as large as all of them, and the other way round. */
static void check_joining(struct device *dev)
{
    long before = device_counters(dev)->buffers_created;
    size_t in_use = buffer_bytes_in_use(dev);
    for (int turn = 0; turn < 40; turn++) {
        struct buffer *parts[3];
        for (int i = 0; i < 3; i++)
            parts[i] = buffer_new(dev, 4 * MB);
        for (int i = 0; i < 3; i++)
            buffer_drop(parts[(i + turn) % 3]);
        buffer_drop(buffer_new(dev, 12 * MB));
    }
    CHECK(device_counters(dev)->buffers_created - before <= 1, "%ld slabs for 12 MB",
          device_counters(dev)->buffers_created - before);
    CHECK(buffer_bytes_in_use(dev) == in_use, "%zu bytes are in use after all were dropped",
          buffer_bytes_in_use(dev) - in_use);
}

/* Buffers of random sizes come and go; each keeps what was written to it. */
static void check_apart(struct device *dev)
{
    struct buffer *buffers[BUFFERS] = {0};
    struct random random = random_begin(5);
    for (int turn = 0; turn < TURNS; turn++) {
        int i = (int)(random_below(&random, BUFFERS));
        if (buffers[i]) {
            check_filled(buffers[i], i + 1);
            buffer_drop(buffers[i]);
            buffers[i] = NULL;
        } else {
            buffers[i] = filled(dev, 1 + (size_t)random_below(&random, 5000), i + 1);
        }
    }
    for (int i = 0; i < BUFFERS; i++) {
        if (buffers[i])
            check_filled(buffers[i], i + 1);
        buffer_drop(buffers[i]);
    }
}

/* A view of a view, which outlives its parents. */
static void check_views(struct device *dev)
{
    struct buffer *whole = filled(dev, 8 * BUFFER_ALIGNMENT, 1);
    struct buffer *half = buffer_view(whole, 4 * BUFFER_ALIGNMENT, 4 * BUFFER_ALIGNMENT);
    struct buffer *quarter = buffer_view(half, 2 * BUFFER_ALIGNMENT, 2 * BUFFER_ALIGNMENT);
    buffer_zero(quarter, 0, quarter->bytes);
    buffer_drop(half);
    unsigned char numbers[8 * BUFFER_ALIGNMENT];
    buffer_download(numbers, whole, 0, sizeof numbers);
    for (size_t i = 0; i < sizeof numbers; i++)
        CHECK(numbers[i] == (i < 6 * BUFFER_ALIGNMENT), "byte %zu is %d after its last quarter was cleared", i,
              numbers[i]);
    buffer_drop(whole);
    struct buffer *others[8];
    for (int i = 0; i < 8; i++)
        others[i] = filled(dev, 8 * BUFFER_ALIGNMENT, 9);
    check_filled(quarter, 0);
    buffer_drop(quarter);
    for (int i = 0; i < 8; i++)
        buffer_drop(others[i]);
}

/* Without the guards of the other tests, which give each buffer a slab of its own. */
static void test(struct device *guarded)
{
    struct error err;
    struct device *dev;
    char spec[16];
    snprintf(spec, sizeof spec, "%d", device_info(guarded)->index);
    CHECK(device_open(&dev, spec, &err) == 0, "%s", err.text);
    check_views(dev);
    check_joining(dev);
    check_apart(dev);
    CHECK(device_finish(dev, &err) == 0, "%s", err.text);
    device_close(dev);
}

int main(void)
{
    for_each_device(test);
    return EXIT_OK;
}
