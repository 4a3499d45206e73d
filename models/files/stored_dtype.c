#include "models/files/stored_dtype.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the file's little-endian numbers are copied as they are");

static float float_of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint32_t bits_of_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static void float_from_f32(float *out, const unsigned char *data, long count)
{
    memcpy(out, data, (size_t)count * sizeof *out);
}

static void float_to_f32(unsigned char *out, const float *numbers, long count)
{
    memcpy(out, numbers, (size_t)count * sizeof *numbers);
}

static void float_from_bf16(float *out, const unsigned char *data, long count)
{
    for (long i = 0; i < count; i++)
        out[i] = float_of_bits((uint32_t)(data[2 * i] | data[2 * i + 1] << 8) << 16);
}

static void store_u16(unsigned char *out, uint32_t value)
{
    out[0] = (unsigned char)value;
    out[1] = (unsigned char)(value >> 8);
}

static void float_to_bf16(unsigned char *out, const float *numbers, long count)
{
    for (long i = 0; i < count; i++) {
        uint32_t bits = bits_of_float(numbers[i]);
        bool nan = (bits & 0x7fffffff) > 0x7f800000;
        store_u16(out + 2 * i, nan ? bits >> 16 | 0x40 : (bits + 0x7fff + (bits >> 16 & 1)) >> 16);
    }
}

/* IEEE 754 binary16: 1 sign, 5 exponent (bias 15), 10 mantissa bits. With the exponent moved to its place in a float
 * the number is 2^112 too small, subnormals too; the product is exact. */
static void float_from_f16(float *out, const unsigned char *data, long count)
{
    for (long i = 0; i < count; i++) {
        uint32_t half = (uint32_t)(data[2 * i] | data[2 * i + 1] << 8), sign = (half & 0x8000) << 16;
        uint32_t finite = bits_of_float(float_of_bits((half & 0x7fff) << 13) * 0x1p112f);
        uint32_t special = 0x7f800000 | (half & 0x3ff) << 13; /* infinity or NaN */
        out[i] = float_of_bits(sign | ((half & 0x7c00) == 0x7c00 ? special : finite));
    }
}

static uint32_t half_of_float(float value)
{
    uint32_t bits = bits_of_float(value), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
    if (magnitude > 0x7f800000)
        return sign | 0x7e00;
    if (magnitude >= 0x477ff000) /* rounds to 2^16 or more */
        return sign | 0x7c00;
    if (magnitude < 0x38800000) /* below 2^-14, subnormal: adding 1/2 leaves multiples of 2^-24, rounded */
        return sign | (bits_of_float(float_of_bits(magnitude) + 0.5f) - bits_of_float(0.5f));
    return sign | (magnitude - 0x38000000 + 0xfff + (magnitude >> 13 & 1)) >> 13;
}

static void float_to_f16(unsigned char *out, const float *numbers, long count)
{
    for (long i = 0; i < count; i++)
        store_u16(out + 2 * i, half_of_float(numbers[i]));
}

/* STORED_UNKNOWN, the last row, matches any name and has no known size. */
const struct stored_dtype_row stored_dtypes[STORED_UNKNOWN + 1] = {
    [STORED_F32] = {"F32", 4, float_from_f32, float_to_f32},
    [STORED_F16] = {"F16", 2, float_from_f16, float_to_f16},
    [STORED_BF16] = {"BF16", 2, float_from_bf16, float_to_bf16},
    [STORED_F64] = {"F64", 8, NULL, NULL},
    [STORED_F8_E4M3] = {"F8_E4M3", 1, NULL, NULL},
    [STORED_F8_E5M2] = {"F8_E5M2", 1, NULL, NULL},
    [STORED_I64] = {"I64", 8, NULL, NULL},
    [STORED_I32] = {"I32", 4, NULL, NULL},
    [STORED_I16] = {"I16", 2, NULL, NULL},
    [STORED_I8] = {"I8", 1, NULL, NULL},
    [STORED_U64] = {"U64", 8, NULL, NULL},
    [STORED_U32] = {"U32", 4, NULL, NULL},
    [STORED_U16] = {"U16", 2, NULL, NULL},
    [STORED_U8] = {"U8", 1, NULL, NULL},
    [STORED_BOOL] = {"BOOL", 1, NULL, NULL},
    [STORED_UNKNOWN] = {"of a dtype that oclip does not know", 0, NULL, NULL},
};

enum stored_dtype stored_dtype_of(const char *name)
{
    int dtype = 0;
    while (dtype < STORED_UNKNOWN && strcmp(stored_dtypes[dtype].name, name) != 0)
        dtype++;
    return dtype;
}
