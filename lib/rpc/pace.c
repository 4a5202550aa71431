#include "rpc/pace.h"

#include "base/clock.h"
#include "rpc/node.h"

/* A master that has not caught up for so long is too slow for its workers. */
#define PATIENCE_S 2
#define LOOK_S 1
/* The part of what it could take that is asked of it, and the least part that is left to our workers by others. */
#define LOAD 0.8
#define LEAST_SHARE 0.1
/* The pause becomes shorter by this part with each look, until it is too long for the master again. */
#define EASE 0.02

void
lc__pace_catch_up(struct lc_pace *pace, int64_t now_ns)
{
    pace->caught_up_ns = now_ns;
    pace->report_count = 0;
}

void
lc__pace_take(struct lc_pace *pace)
{
    pace->report_count++;
}

int64_t
lc__pace_behind_ns(const struct lc_pace *pace, int64_t now_ns)
{
    return pace->caught_up_ns == 0 || now_ns < pace->caught_up_ns ? 0 : now_ns - pace->caught_up_ns;
}

/* In seconds, for a master that took so many reports a second while it did nothing else. */
static double
wanted_pause_s(double reports_per_s, size_t own_count, size_t other_count)
{
    double spare = LOAD * reports_per_s - (double)other_count / LCORE_REPORT_S;
    double least = LEAST_SHARE * reports_per_s;
    spare = spare < least ? least : spare;
    double pause_s = spare > 0 ? (double)own_count / spare : LCORE_MOST_PAUSE_S;
    return pause_s < LCORE_REPORT_S ? LCORE_REPORT_S : pause_s > LCORE_MOST_PAUSE_S ? LCORE_MOST_PAUSE_S : pause_s;
}

void
lc__pace_look(struct lc_pace *pace, size_t own_count, size_t other_count, int64_t now_ns)
{
    if (now_ns - pace->looked_ns < LOOK_S * LCORE_NS_PER_S) {
        return;
    }
    pace->looked_ns = now_ns;
    int64_t behind_ns = lc__pace_behind_ns(pace, now_ns);
    if (behind_ns > PATIENCE_S * LCORE_NS_PER_S) {
        double behind_s = (double)behind_ns / (double)LCORE_NS_PER_S;
        double pause_s = wanted_pause_s((double)pace->report_count / behind_s, own_count, other_count);
        int64_t pause_ns = (int64_t)(pause_s * (double)LCORE_NS_PER_S);
        pace->pause_ns = pause_ns > pace->pause_ns ? pause_ns : pace->pause_ns;
    } else if (pace->pause_ns > 0) {
        pace->pause_ns -= (int64_t)(EASE * (double)pace->pause_ns);
        pace->pause_ns = pace->pause_ns < LCORE_REPORT_S * LCORE_NS_PER_S ? 0 : pace->pause_ns;
    }
}
