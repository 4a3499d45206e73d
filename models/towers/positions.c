#include "models/towers/positions.h"

#include "runtime/util/error.h"

#include <math.h>
#include <stdlib.h>

enum { TAPS = 4 };

/* Keys 1981, equation 4, with a = -0.75. */
static double cubic(double distance)
{
    const double a = -0.75;
    double x = fabs(distance);
    if (x <= 1)
        return ((a + 2) * x - (a + 3)) * x * x + 1;
    if (x < 2)
        return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
    return 0;
}

/* Where output `i` of `to` reads along one axis of `from`, and with what weights. */
static void axis_taps(int taps[TAPS], double weights[TAPS], int i, int from, int to)
{
    double center = (i + 0.5) * from / to - 0.5;
    int first = (int)floor(center) - 1;
    for (int t = 0; t < TAPS; t++) {
        int at = first + t;
        weights[t] = cubic(center - at);
        taps[t] = at < 0 ? 0 : at >= from ? from - 1 : at;
    }
}

float *positions_resize_matrix(int from, int to, int first)
{
    size_t kept = (size_t)first, columns = kept + (size_t)from * (size_t)from;
    float *matrix = mem_new((kept + (size_t)to * (size_t)to) * columns, sizeof *matrix);
    for (size_t i = 0; i < kept; i++)
        matrix[i * columns + i] = 1;
    for (int y = 0; y < to; y++)
        for (int x = 0; x < to; x++) {
            float *row = matrix + (kept + (size_t)y * (size_t)to + (size_t)x) * columns;
            int taps_y[TAPS], taps_x[TAPS];
            double weights_y[TAPS], weights_x[TAPS];
            axis_taps(taps_y, weights_y, y, from, to);
            axis_taps(taps_x, weights_x, x, from, to);
            for (int j = 0; j < TAPS; j++)
                for (int i = 0; i < TAPS; i++)
                    row[first + taps_y[j] * from + taps_x[i]] += (float)(weights_y[j] * weights_x[i]);
        }
    return matrix;
}
