#include "models/tokenizers/spiece_check.h"

#include <stdint.h>

enum {
    NORMALIZER = 3,   /* field of ModelProto */
    DENORMALIZER = 5, /* the same kind of message */
    RULES = 2,        /* its precompiled_charsmap */
    DELIMITED = 2,    /* wire types */
    VARINT = 0,
    FIXED_64 = 1,
    FIXED_32 = 5,
};

struct bytes {
    const unsigned char *at; // [size]
    size_t size;
};

static bool skip(struct bytes *in, uint64_t count)
{
    if (count > in->size)
        return false;
    in->at += count;
    in->size -= (size_t)count;
    return true;
}

static bool read_varint(uint64_t *value, struct bytes *in)
{
    *value = 0;
    for (unsigned shift = 0; shift < 64 && in->size > 0; shift += 7) {
        unsigned char byte = *in->at;
        skip(in, 1);
        *value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80)
            return true;
    }
    return false;
}

/* The next field of a message; `inside` is what a delimited one holds. */
static bool read_field(uint64_t *number, struct bytes *inside, struct bytes *in)
{
    uint64_t tag, length = 0;
    *inside = (struct bytes){0};
    if (!read_varint(&tag, in))
        return false;
    *number = tag >> 3;
    switch (tag & 7) {
    case VARINT:
        return read_varint(&length, in);
    case FIXED_64:
        return skip(in, 8);
    case FIXED_32:
        return skip(in, 4);
    case DELIMITED:
        if (!read_varint(&length, in))
            return false;
        *inside = (struct bytes){in->at, (size_t)length};
        return skip(in, length);
    default:
        return false;
    }
}

static uint32_t unit_at(const unsigned char *array, size_t index)
{
    const unsigned char *at = array + 4 * index;
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* Every step from a unit, by any byte, must end inside; every value must lie in the texts. */
static bool check_rules(struct bytes rules)
{
    if (rules.size == 0)
        return true;
    uint32_t array_bytes = rules.size >= 4 ? unit_at(rules.at, 0) : 0;
    if (array_bytes == 0 || array_bytes % 4 != 0 || array_bytes > rules.size - 4)
        return false;
    const unsigned char *array = rules.at + 4, *texts = array + array_bytes;
    size_t units = array_bytes / 4, text_bytes = rules.size - 4 - array_bytes;
    if (text_bytes == 0 || texts[text_bytes - 1] != 0)
        return false;
    for (size_t i = 0; i < units; i++) {
        uint32_t unit = unit_at(array, i);
        if (unit >> 31) /* a value, which has no step */
            continue;
        size_t base = i ^ ((size_t)(unit >> 10) << ((unit & 0x200) >> 6));
        bool has_value = unit & 0x100;
        if ((base | 0xFF) >= units || (has_value && (unit_at(array, base) & 0x7FFFFFFF) >= text_bytes))
            return false;
    }
    return true;
}

static bool check_normalizer(struct bytes in)
{
    uint64_t number;
    for (struct bytes inside; in.size > 0;)
        if (!read_field(&number, &inside, &in) || (number == RULES && !check_rules(inside)))
            return false;
    return true;
}

bool spiece_check(const char *bytes, size_t size)
{
    struct bytes in = {(const unsigned char *)bytes, size};
    uint64_t number;
    for (struct bytes inside; in.size > 0;)
        if (!read_field(&number, &inside, &in) ||
            ((number == NORMALIZER || number == DENORMALIZER) && !check_normalizer(inside)))
            return false;
    return true;
}
