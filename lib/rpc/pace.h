/* How often workers of ours report to a master. A report of a longer time costs a master hardly more than a short one,
 * so one that cannot take what its workers send has them report less often: they add up what they measure until then.
 * Nothing waits in the master's memory then, heartbeats come through, and only the newest numbers are missing.
 *
 * On the wire: the master's heartbeats say how many milliseconds have to be between two reports, LCORE_PAUSE_KEY. */
#ifndef LCORE_RPC_PACE_H
#define LCORE_RPC_PACE_H

#include <stddef.h>
#include <stdint.h>

#define LCORE_PAUSE_KEY "cload_pause"
#define LCORE_MOST_PAUSE_S 60

/* Zero-initialised: nothing was received yet. */
struct lc_pace {
    int64_t caught_up_ns;  /* when nothing was left to be received, at last; 0: never */
    int64_t looked_ns;     /* when the pause was looked at */
    uint64_t report_count; /* taken since it caught up */
    int64_t pause_ns;      /* between two reports of a worker; 0: as it likes */
};

/* There is nothing to be received. */
void lc__pace_catch_up(struct lc_pace *pace, int64_t now_ns);
/* A report was taken. */
void lc__pace_take(struct lc_pace *pace);
/* For how long something has been waiting all the time; 0: nothing is. */
int64_t lc__pace_behind_ns(const struct lc_pace *pace, int64_t now_ns);
/* To be called every second or more often. own_count: workers that heed the pause; others report every three seconds.
 */
void lc__pace_look(struct lc_pace *pace, size_t own_count, size_t other_count, int64_t now_ns);

#endif
