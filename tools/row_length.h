/* The length of a row of numbers, an embedding's most of all: |row|, summed in double. */
#ifndef OCLIP_ROW_LENGTH_H
#define OCLIP_ROW_LENGTH_H

#include <stddef.h>

double row_length(const float *row, size_t dim); /* row [dim] */

#endif
