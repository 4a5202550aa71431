/* How the generator itself copes. A process that is short of CPU time, or whose loop is held up, sends late and reads
 * late: what it measures then may say more about itself than about the target. The meter looks all the time, marks the
 * seconds in which that was so, and can have them left out of the statistics.
 *
 * It costs twenty timers and three system calls a second. */
#ifndef LOCUSTCORE_METER_H
#define LOCUSTCORE_METER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "locustcore/error.h"
#include "locustcore/loop.h"
#include "locustcore/stats.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Why a second is marked; bits. */
enum {
    LCORE_LAG_DELAY = 1 << 0,   /* the loop looked at something much later than it was due */
    LCORE_LAG_BUSY = 1 << 1,    /* the loop's thread used, or wanted, nearly all of a core */
    LCORE_LAG_STARVED = 1 << 2, /* it wanted to run and was not let, for a good part of the second */
};

struct lc_meter_options {
    size_t size;           /* sizeof(struct lc_meter_options) */
    double delay_limit_ms; /* a delay of that or more is LCORE_LAG_DELAY; default 50 */
    double busy_limit;     /* share of a core; default 0.9 */
    double starved_limit;  /* share of the time; default 0.1 */
};
LCORE_API void lc_meter_options_init(struct lc_meter_options *options);

/* About one second; the last one of a loop that was held up for longer covers all of it. */
struct lc_meter_second {
    int64_t first_unix_s, last_unix_s; /* the same, unless the loop was held up */
    double cpu;                        /* CPU time of the process, in cores */
    double busy;                       /* CPU time of the loop's thread */
    double starved;                    /* share of the time in which that thread waited for a core; 0: not known */
    double delay_ms;                   /* by how much the loop was late at most */
    unsigned lag;                      /* LCORE_LAG_*; 0: all is well */
};

/* About all seconds since lc_meter_begin(). */
struct lc_meter_numbers {
    uint64_t seconds, lagging_seconds;                     /* all that a second of a held-up loop covers is counted */
    uint64_t delay_seconds, busy_seconds, starved_seconds; /* marked for that reason, perhaps among others */
    double cpu_average, cpu_max;
    double starved_average, starved_max;
    double delay_average_ms, delay_max_ms; /* the average is that of each second's largest */
};

struct lc_meter;
/* Measures from now on, as long as it lives. The loop must outlive it. NULL: LCE_* in error. */
LCORE_API struct lc_meter *lc_meter_new(struct lc_loop *loop, const struct lc_meter_options *options,
                                        struct lc_error *error);
LCORE_API void lc_meter_free(struct lc_meter *meter); /* NULL is fine */

/* A test begins: numbers and marks start anew. If `held` is not NULL, what is logged there waits for the second to be
 * over (lc_stats_hold()), and counts only if the second was not marked. LCE_NOMEM. */
LCORE_API int lc_meter_begin(struct lc_meter *meter, struct lc_stats *held);
/* The test is over: the second under way is closed, and nothing is held any more. Fine when none had begun. */
LCORE_API int lc_meter_end(struct lc_meter *meter);

LCORE_API void lc_meter_numbers(const struct lc_meter *meter, struct lc_meter_numbers *out);
/* The seconds that are over, of a test or not, oldest first; the last LCORE_METER_KEPT are kept. *position starts at 0
 * and goes on where it was, also later. */
enum { LCORE_METER_KEPT = 120 };
LCORE_API bool lc_meter_next_second(const struct lc_meter *meter, uint64_t *position, struct lc_meter_second *out);
/* Marked seconds of the test as ranges, ascending. The 10,000th range is the last one: it also covers all later marks,
 * and the gaps between them. *position starts at 0. */
LCORE_API bool lc_meter_next_mark(const struct lc_meter *meter, size_t *position, int64_t *first_unix_s,
                                  int64_t *last_unix_s);
/* How many of these ranges there are. */
LCORE_API size_t lc_meter_mark_count(const struct lc_meter *meter);

#ifdef __cplusplus
}
#endif
#endif
