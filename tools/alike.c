#include "tools/alike.h"

static const float cosine_min = 0.9f;

bool alike_is_copy(const struct photo *a, const struct photo *b)
{
    return a->hash.high == b->hash.high && a->hash.low == b->hash.low;
}

/* Their difference hashes are close. */
static bool are_alike_in_look(const struct photo *a, const struct photo *b)
{
    return __builtin_popcountll(a->look ^ b->look) <= ALIKE_BITS;
}

static float dot(const float *a, const float *b, size_t dim)
{
    float sum = 0;
    for (size_t i = 0; i < dim; i++)
        sum += a[i] * b[i];
    return sum;
}

bool alike(const struct photo *a, const float *a_row, const struct photo *b, const float *b_row, size_t dim)
{
    return alike_is_copy(a, b) || (are_alike_in_look(a, b) && dot(a_row, b_row, dim) >= cosine_min);
}
