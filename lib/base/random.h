/* Random numbers from an explicit state: xoshiro256++ (Blackman, Vigna). Fast and even, not for secrets. */
#ifndef LCORE_BASE_RANDOM_H
#define LCORE_BASE_RANDOM_H

#include <stdint.h>

struct lc_random {
    uint64_t state[4];
};

/* Any seed is fine; equal seeds give equal sequences. */
void lc_random_init(struct lc_random *random, uint64_t seed);
uint64_t lc_random_next(struct lc_random *random);
/* Evenly from 0 to less than 1, in steps of 2^-53. */
double lc_random_unit(struct lc_random *random);
/* Evenly from 0 to less than bound, which is above 0; without bias. */
uint32_t lc_random_below(struct lc_random *random, uint32_t bound);

#endif
