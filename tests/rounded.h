/* What a 16-bit format makes of a number, and its bits; PRECISION_FP32 leaves numbers as they are.
 *
 *     double near = rounded_to(PRECISION_BF16, x);
 *     uint16_t bits = rounded_bits(PRECISION_BF16, near);      // rounded_number(PRECISION_BF16, bits) == near
 */
#ifndef OCLIP_ROUNDED_H
#define OCLIP_ROUNDED_H

#include "runtime/device.h"

#include <stdint.h>

/* The nearest number of the format, ties to even, subnormal ones included; the largest are not looked at. */
double rounded_to(enum precision precision, double x);

/* Of numbers that the format holds. */
uint16_t rounded_bits(enum precision precision, double x);
double rounded_number(enum precision precision, uint16_t bits);

#endif
