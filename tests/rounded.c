#include "tests/rounded.h"

#include <math.h>

/* Bits of the significand, the first included, and the exponent (frexp's) of the smallest normal number. */
static const struct format {
    int bits, smallest;
} formats[] = {[PRECISION_BF16] = {8, -125}, [PRECISION_FP16] = {11, -13}};

/* Of the last bit of numbers like x. */
static double unit_of(const struct format *format, double x)
{
    int exponent;
    frexp(x, &exponent);
    return ldexp(1, (x == 0 || exponent < format->smallest ? format->smallest : exponent) - format->bits);
}

double rounded_to(enum precision precision, double x)
{
    if (precision == PRECISION_FP32)
        return x;
    double unit = unit_of(&formats[precision], x);
    return nearbyint(x / unit) * unit;
}

/* As integers the formats are ordered as numbers are: a significand, whose first bit counts one exponent up. */
uint16_t rounded_bits(enum precision precision, double x)
{
    const struct format *format = &formats[precision];
    double unit = unit_of(format, x);
    int binade = (int)lrint(log2(unit)) - (format->smallest - format->bits);
    long bits = lrint(fabs(x) / unit) + ((long)binade << (format->bits - 1));
    return (uint16_t)(bits | (signbit(x) ? 0x8000 : 0));
}

double rounded_number(enum precision precision, uint16_t bits)
{
    const struct format *format = &formats[precision];
    int exponent = (bits & 0x7fff) >> (format->bits - 1), significand = bits & ((1 << (format->bits - 1)) - 1);
    if (exponent > 0)
        significand += 1 << (format->bits - 1);
    double x = ldexp(significand, format->smallest - format->bits + (exponent > 0 ? exponent - 1 : 0));
    return bits & 0x8000 ? -x : x;
}
