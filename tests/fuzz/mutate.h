/* Small random changes to an input, the same for the same random state.
 *
 *     struct random random = random_begin(1);
 *     struct input mutant = mutate(&random, inputs, count);
 *     LLVMFuzzerTestOneInput(mutant.bytes, mutant.size);
 *     free(mutant.bytes);
 */
#ifndef OCLIP_FUZZ_MUTATE_H
#define OCLIP_FUZZ_MUTATE_H

#include "runtime/util/random.h"

#include <stddef.h>
#include <stdint.h>

struct input {
    uint8_t *bytes; // [size], of exactly that size
    size_t size;
};

/* One of the inputs, changed in one to four places; caller frees its bytes. */
struct input mutate(struct random *random, const struct input *inputs, size_t count); // inputs: [count], at least one

#endif
