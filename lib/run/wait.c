#include "run/wait.h"

#include <math.h>

#include "base/clock.h"

/* Leaves room for the present time to be added. */
#define LONGEST_NS (INT64_MAX / 2)

static int64_t
to_ns(double seconds)
{
    double ns = seconds * (double)LCORE_NS_PER_S;
    if (!(ns > 0)) {
        return 0;
    }
    return ns >= (double)LONGEST_NS ? LONGEST_NS : (int64_t)ns;
}

int
lc_wait_check(const struct lc_wait_rule *rule, struct lc_error *error)
{
    if (!isfinite(rule->a) || !isfinite(rule->b)) {
        return lc_error_set(error, LCE_INVALID, "a wait time must be a finite number");
    }
    switch (rule->kind) {
    case LCORE_WAIT_KIND_NONE:
    case LCORE_WAIT_KIND_CONSTANT:
    case LCORE_WAIT_KIND_BETWEEN:
    case LCORE_WAIT_KIND_PACING:
        return 0;
    case LCORE_WAIT_KIND_THROUGHPUT:
    case LCORE_WAIT_KIND_POISSON:
        if (rule->a > 0) {
            return 0;
        }
        return lc_error_set(error, LCE_INVALID, "a rate must be above 0, not %g", rule->a);
    }
    return lc_error_set(error, LCE_INVALID, "unknown kind of wait time");
}

static int64_t
pace(struct lc_wait_state *state, double period_s, int64_t now_ns)
{
    int64_t spent_ns = now_ns - state->last_end_ns;
    int64_t period_ns = to_ns(period_s);
    int64_t wait_ns = period_ns > spent_ns ? period_ns - spent_ns : 0;
    state->last_end_ns = now_ns + wait_ns;
    return wait_ns;
}

int64_t
lc_wait_next_ns(const struct lc_wait_rule *rule, struct lc_wait_state *state, struct lc_random *random, int64_t now_ns)
{
    switch (rule->kind) {
    case LCORE_WAIT_KIND_NONE:
        break;
    case LCORE_WAIT_KIND_CONSTANT:
        return to_ns(rule->a);
    case LCORE_WAIT_KIND_BETWEEN:
        return to_ns(rule->a + (rule->b - rule->a) * lc_random_unit(random));
    case LCORE_WAIT_KIND_PACING:
        return pace(state, rule->a, now_ns);
    case LCORE_WAIT_KIND_THROUGHPUT:
        return pace(state, 1.0 / rule->a, now_ns);
    case LCORE_WAIT_KIND_POISSON:
        return to_ns(-log1p(-lc_random_unit(random)) / rule->a);
    }
    return 0;
}
