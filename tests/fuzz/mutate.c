#include "tests/fuzz/mutate.h"

#include "runtime/util/error.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_CHANGES = 4, LONGEST_PIECE = 64, LONGEST_INPUT = 1 << 18 };

/* What parsers stumble over. */
static const char *const words[] = {"-1",
                                    "0",
                                    "1e999",
                                    "0.5",
                                    "2147483648",
                                    "4294967295",
                                    "9223372036854775807",
                                    "null",
                                    "true",
                                    "\"\"",
                                    "[]",
                                    "{}",
                                    "[",
                                    "{\"",
                                    "\"",
                                    ",",
                                    "\n",
                                    "\t",
                                    "|",
                                    "\r\n",
                                    "\\u0000",
                                    "\\ud8",
                                    "\xff\xd8",
                                    "\xef\xbb\xbf",
                                    "\xf0\x9f\x98\x80",
                                    "\xcc\x81",
                                    "\xe0\x80"};

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Puts `size` bytes in place of `old` bytes at `at`. */
static void replace(struct input *input, size_t at, size_t old, const void *bytes, size_t size)
{
    size_t rest = input->size - at - old;
    struct input longer = {.size = input->size - old + size};
    if (longer.size > LONGEST_INPUT)
        return;
    longer.bytes = mem_new(longer.size, 1);
    if (at)
        memcpy(longer.bytes, input->bytes, at);
    if (size)
        memcpy(longer.bytes + at, bytes, size);
    if (rest)
        memcpy(longer.bytes + at + size, input->bytes + at + old, rest);
    free(input->bytes);
    *input = longer;
}

/* A piece of an input: where, and how long. */
static size_t piece(size_t *length, struct random *random, const struct input *input)
{
    size_t at = random_below(random, input->size + 1), left = input->size - at;
    *length = random_below(random, (left < LONGEST_PIECE ? left : LONGEST_PIECE) + 1);
    return at;
}

static void flip_bit(struct input *input, struct random *random, const struct input *other)
{
    (void)other;
    if (input->size)
        input->bytes[random_below(random, input->size)] ^= (uint8_t)(1u << random_below(random, 8));
}

static void set_byte(struct input *input, struct random *random, const struct input *other)
{
    (void)other;
    if (input->size)
        input->bytes[random_below(random, input->size)] = (uint8_t)random_below(random, 256);
}

/* A 16- or 32-bit number at its limits; either byte order, since they read the same or as another large one. */
static void set_number(struct input *input, struct random *random, const struct input *other)
{
    static const uint32_t numbers[] = {0, 1, 0xff, 0x7fff, 0xffff, 0x8000, 0x7fffffff, 0x80000000, 0xffffffff};
    size_t width = 2 + 2 * random_below(random, 2);
    (void)other;
    if (input->size >= width)
        memcpy(input->bytes + random_below(random, input->size - width + 1),
               &numbers[random_below(random, COUNT(numbers))], width);
}

static void remove_piece(struct input *input, struct random *random, const struct input *other)
{
    size_t length, at = piece(&length, random, input);
    (void)other;
    replace(input, at, length, NULL, 0);
}

static void put_word(struct input *input, struct random *random, const struct input *other)
{
    const char *word = words[random_below(random, COUNT(words))];
    size_t length, at = piece(&length, random, input);
    (void)other;
    replace(input, at, random_below(random, 2) ? length : 0, word, strlen(word));
}

static void copy_piece(struct input *input, struct random *random, const struct input *other)
{
    size_t length, from = piece(&length, random, other);
    replace(input, random_below(random, input->size + 1), 0, other->bytes + from, length);
}

static void cut_end(struct input *input, struct random *random, const struct input *other)
{
    size_t at = random_below(random, input->size + 1);
    (void)other;
    replace(input, at, input->size - at, NULL, 0);
}

static void take_end(struct input *input, struct random *random, const struct input *other)
{
    size_t at = random_below(random, input->size + 1), from = random_below(random, other->size + 1);
    replace(input, at, input->size - at, other->bytes + from, other->size - from);
}

struct input mutate(struct random *random, const struct input *inputs, size_t count)
{
    static void (*const changes[])(struct input *, struct random *, const struct input *) = {
        flip_bit, set_byte, set_number, remove_piece, put_word, copy_piece, cut_end, take_end};
    const struct input *from = &inputs[random_below(random, count)];
    struct input mutant = {0};
    replace(&mutant, 0, 0, from->bytes, from->size);
    for (size_t left = 1 + random_below(random, MOST_CHANGES); left > 0; left--)
        changes[random_below(random, COUNT(changes))](&mutant, random, &inputs[random_below(random, count)]);
    return mutant;
}
