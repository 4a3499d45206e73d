/* Reproducible random numbers (SplitMix64: Steele, Lea, Flood 2014), the same on every machine.
 *
 *     struct random random = random_begin(seed);
 *     double x = random_uniform(&random);           // [0, 1)
 *     random_shuffle(&random, order, count);
 */
#ifndef OCLIP_RANDOM_H
#define OCLIP_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct random {
    uint64_t state;
};

struct random random_begin(uint64_t seed);
uint64_t random_bits(struct random *random);
double random_uniform(struct random *random); /* in [0, 1) */
double random_normal(struct random *random);  /* mean 0, deviation 1 (Box, Muller 1958) */
void random_fill_normal(float *numbers, struct random *random, size_t count); /* the same */
size_t random_below(struct random *random, size_t limit);                     /* 0 to limit - 1 */
void random_shuffle(struct random *random, int *items, size_t count);         // [count] (Fisher, Yates)

#endif
