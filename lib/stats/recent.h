/* What an entry's buckets were at the end of each of the last seconds in which it was busy, so that percentiles of the
 * time since then can be told (compat REP-18).
 *
 * What came between two moments is kept with the later one if it is little, and then nothing else: what the buckets
 * were is told by what they are, less what came since. Only where more came are they written out. So a row that is
 * asked for a few times a second costs a few bytes a second. */
#ifndef LCORE_STATS_RECENT_H
#define LCORE_STATS_RECENT_H

#include "stats/buckets.h"

#define LCORE_RECENT_FEW 12
#define LCORE_RECENT_MANY (LCORE_RECENT_FEW + 1)

/* What came since the last moment, by numbers of near buckets. `count` LCORE_RECENT_MANY: more than is told here; then
 * the moment before, if there is one, is written out. */
struct lc_recent_few {
    uint8_t count;
    uint8_t near[LCORE_RECENT_FEW];
};

struct lc_recent_moment {
    int64_t unix_s;       /* INT64_MIN: replaced by a later one of the same second */
    uint64_t timed_count; /* requests with a time */
    struct lc_recent_few few;
    struct lc_recent_list *written; /* NULL: told by what came since */
};

struct lc_recent {
    struct lc_recent_moment *moments; /* a ring, in the order they were taken */
    uint32_t first, count, capacity;
    bool is_disordered; /* a clock was set back: the same second may be anywhere */
};

/* Zero-initialised is empty; `few` of an empty one is LCORE_RECENT_MANY. */
void lc__recent_fini(struct lc_recent *recent);

/* Keeps a moment of that second, in place of an older one of the same second; at most `limit` stay, the newest. `few`
 * begins anew. */
int lc__recent_take(struct lc_recent *recent, struct lc_recent_few *few, uint32_t limit, int64_t unix_s,
                    uint64_t timed_count);
/* To be called before the buckets change by more than `few` can tell; it then is LCORE_RECENT_MANY. */
int lc__recent_pin(struct lc_recent *recent, struct lc_recent_few *few, const struct lc_buckets *buckets);

/* Moment number 0 .. count-1. */
static inline struct lc_recent_moment *
lc__recent_at(const struct lc_recent *recent, uint32_t number)
{
    uint32_t place = recent->first + number;
    return &recent->moments[place < recent->capacity ? place : place - recent->capacity];
}

/* Number of the moment nearest to `unix_s`, earlier before later, at most 8 s away; -1 if there is none. */
int lc__recent_find(const struct lc_recent *recent, int64_t unix_s);
/* The buckets at a moment that were not empty, ascending; the caller's to free. LCE_NOMEM. */
int lc__recent_read(const struct lc_recent *recent, uint32_t number, const struct lc_recent_few *few,
                    const struct lc_buckets *buckets, struct lc_bucket **out, size_t *count);

#endif
