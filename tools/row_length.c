#include "tools/row_length.h"

#include <math.h>

double row_length(const float *row, size_t dim)
{
    double squares = 0;
    for (size_t i = 0; i < dim; i++)
        squares += (double)row[i] * (double)row[i];
    return sqrt(squares);
}
