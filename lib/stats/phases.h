/* Sums of the phases of requests. Whole nanoseconds, so that they add up to the same in any order. */
#ifndef LCORE_STATS_PHASES_H
#define LCORE_STATS_PHASES_H

#include "locustcore/phases.h"

struct lc_phase_sum {
    uint64_t count, total_ns, max_ns;
};

static inline void
lc__phases_add(struct lc_phase_sum sums[LCORE_PHASE_COUNT], const struct lc_phases *phases)
{
    for (int i = 0; i < LCORE_PHASE_COUNT; i++) {
        if (phases->ns[i] >= 0) {
            uint64_t ns = (uint64_t)phases->ns[i];
            sums[i].count++;
            sums[i].total_ns += ns;
            sums[i].max_ns = ns > sums[i].max_ns ? ns : sums[i].max_ns;
        }
    }
}

void lc__phases_merge(struct lc_phase_sum target[LCORE_PHASE_COUNT],
                      const struct lc_phase_sum source[LCORE_PHASE_COUNT]);

#endif
