#include "runtime/util/random.h"

#include <math.h>

struct random random_begin(uint64_t seed)
{
    return (struct random){seed};
}

/* As FNV-1a does, over the text and its zero. Changing it changes what a seed stands for. */
uint64_t random_key(const char *text)
{
    uint64_t key = UINT64_C(0x62b821756295c58d);
    do
        key = (key ^ (unsigned char)*text) * 0x13b;
    while (*text++);
    return key;
}

uint64_t random_bits(struct random *random)
{
    uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

double random_uniform(struct random *random)
{
    return (double)(random_bits(random) >> 11) * 0x1p-53;
}

void random_fill_normal(float *numbers, struct random *random, size_t count)
{
    const float two_pi = 6.2831853f;
    for (size_t i = 0; i < count; i += 2) {
        uint64_t bits = random_bits(random);
        float radius = sqrtf(-2 * logf((float)((bits >> 40) + 1) * 0x1p-24f));
        float angle = two_pi * (float)(bits & 0xffffff) * 0x1p-24f;
        numbers[i] = radius * cosf(angle);
        if (i + 1 < count)
            numbers[i + 1] = radius * sinf(angle);
    }
}

size_t random_below(struct random *random, size_t limit)
{
    return (size_t)(random_uniform(random) * (double)limit);
}

void random_shuffle(struct random *random, int *items, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        size_t j = random_below(random, i);
        int kept = items[i - 1];
        items[i - 1] = items[j];
        items[j] = kept;
    }
}
