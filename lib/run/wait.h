/* How long a user waits between two tasks (Locust's wait times, compat API-72..API-76). */
#ifndef LCORE_RUN_WAIT_H
#define LCORE_RUN_WAIT_H

#include "base/random.h"
#include "locustcore/run.h"

/* One per user, and one per set with a rule of its own, for the rules that count from the wait before. */
struct lc_wait_state {
    int64_t last_end_ns; /* when the previous wait ended, or the user was made */
};

/* LCE_INVALID: a number that is not finite, a throughput or rate of 0 or less, an unknown kind. */
int lc_wait_check(const struct lc_wait_rule *rule, struct lc_error *error);
static inline void
lc_wait_init(struct lc_wait_state *state, int64_t now_ns)
{
    state->last_end_ns = now_ns;
}
/* Nanoseconds from now_ns (CLOCK_MONOTONIC), 0 or more; at most some 290 years. The rule passed lc_wait_check(). */
int64_t lc_wait_next_ns(const struct lc_wait_rule *rule, struct lc_wait_state *state, struct lc_random *random,
                        int64_t now_ns);

#endif
