#include "base/random.h"

static uint64_t
rotate(uint64_t value, int bits)
{
    return value << bits | value >> (64 - bits);
}

void
lc_random_init(struct lc_random *random, uint64_t seed)
{
    /* splitmix64 fills the state, which must not be all zero. */
    for (int i = 0; i < 4; i++) {
        seed += UINT64_C(0x9e3779b97f4a7c15);
        uint64_t mixed = seed;
        mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
        random->state[i] = mixed ^ mixed >> 31;
    }
}

uint64_t
lc_random_next(struct lc_random *random)
{
    uint64_t *s = random->state;
    uint64_t result = rotate(s[0] + s[3], 23) + s[0];
    uint64_t shifted = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotate(s[3], 45);
    return result;
}

double
lc_random_unit(struct lc_random *random)
{
    return (double)(lc_random_next(random) >> 11) * 0x1.0p-53;
}

uint32_t
lc_random_below(struct lc_random *random, uint32_t bound)
{
    /* Lemire's multiplication; the rejected part makes all results equally likely. */
    uint64_t product = (lc_random_next(random) >> 32) * bound;
    if ((uint32_t)product < bound) {
        uint32_t threshold = -bound % bound;
        while ((uint32_t)product < threshold) {
            product = (lc_random_next(random) >> 32) * bound;
        }
    }
    return (uint32_t)(product >> 32);
}
