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
uint64_t random_key(const char *text); /* to have other numbers for each text from one seed: seed ^ random_key(text) */
uint64_t random_bits(struct random *random);
double random_uniform(struct random *random); /* in [0, 1) */
/* [count] numbers of mean 0 and deviation 1, in pairs (Box, Muller 1958) and in float: a model has hundreds of
 * millions */
void random_fill_normal(float *numbers, struct random *random, size_t count);
size_t random_below(struct random *random, size_t limit);             /* 0 to limit - 1 */
void random_shuffle(struct random *random, int *items, size_t count); // [count] (Fisher, Yates)

#endif
