/* What an entry's buckets were at the end of each of the last seconds in which it was busy, so that percentiles of the
 * time since then can be told (compat REP-18). */
#ifndef LCORE_STATS_RECENT_H
#define LCORE_STATS_RECENT_H

#include "stats/buckets.h"

struct lc_recent_moment {
    int64_t unix_s;
    uint64_t timed_count; /* requests with a time */
    struct lc_bucket *buckets;
    uint32_t count, capacity;
};

struct lc_recent {
    struct lc_recent_moment *moments; /* in the order they were taken */
    size_t count, capacity;
};

/* Zero-initialised is empty. */
void lc__recent_fini(struct lc_recent *recent);
/* Keeps a copy under that second, replacing an older one of the same second; at most `limit` stay, the newest. */
int lc__recent_take(struct lc_recent *recent, size_t limit, int64_t unix_s, const struct lc_buckets *buckets,
                    uint64_t timed_count);
/* The moment nearest to `unix_s`, earlier before later, at most 8 s away; NULL if there is none. */
const struct lc_recent_moment *lc__recent_find(const struct lc_recent *recent, int64_t unix_s);

#endif
