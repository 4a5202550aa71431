/* Requests and failures of each second of a run in which something happened, ascending. The last one lies beside what
 * else its owner counts, some are there as they were counted, and those before are packed, to 2 to 4 bytes a second
 * where a name is asked for all the time. */
#ifndef LCORE_STATS_WINDOW_H
#define LCORE_STATS_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "locustcore/error.h"

struct lc_second {
    uint32_t unix_s;
    uint32_t requests, failures;
};

struct lc_packed_seconds; /* so many at a time */

#define LCORE_WINDOW_PACK 64

struct lc_window {
    struct lc_second last;
    bool has_last;
    uint32_t count, capacity;
    struct lc_second *seconds; /* before the last one, after all that are packed */
    struct lc_packed_seconds **packs;
    uint32_t pack_count, pack_capacity;
};

/* Zero-initialised is empty. */
void lc__window_fini(struct lc_window *window);
/* Finds or adds a second that is not the last one; NULL: out of memory. */
struct lc_second *lc__window_find(struct lc_window *window, uint32_t unix_s);

static inline bool
lc__window_is_last(const struct lc_window *window, uint32_t unix_s)
{
    return window->last.unix_s == unix_s && window->has_last;
}

/* The counters of a second, added if missing; NULL: out of memory. Valid until the next call. */
static inline struct lc_second *
lc__window_at(struct lc_window *window, uint32_t unix_s)
{
    return lc__window_is_last(window, unix_s) ? &window->last : lc__window_find(window, unix_s);
}

/* How many seconds there are, and one of them; index < count. */
static inline size_t
lc__window_count(const struct lc_window *window)
{
    return (size_t)window->pack_count * LCORE_WINDOW_PACK + window->count + window->has_last;
}
struct lc_second lc__window_get(const struct lc_window *window, size_t index);

/* Forgets the oldest seconds where there are half as many again as are to be kept; up to a pack more stay. */
void lc__window_trim(struct lc_window *window, size_t kept);

/* Adds all counts of `source`. On LCE_NOMEM part of them may be there. */
int lc__window_merge(struct lc_window *target, const struct lc_window *source);
/* Sums of the seconds first_s <= s < end_s. */
void lc__window_sum(const struct lc_window *window, int64_t first_s, int64_t end_s, uint64_t *requests,
                    uint64_t *failures);

#endif
