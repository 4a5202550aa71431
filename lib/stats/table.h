/* The table of entries: what stands behind struct lc_stats, for the layers above. */
#ifndef LCORE_STATS_TABLE_H
#define LCORE_STATS_TABLE_H

#include "base/map.h"
#include "stats/entry.h"
#include "stats/failures.h"

struct lc_stats {
    const struct lc_stats_config *config; /* never NULL */
    struct lc_stats_entry *total;         /* the same for the table's whole life */
    struct lc_stats_entry **entries;      /* in order of first use */
    size_t count, capacity;
    struct lc_map map;     /* (name, method) to entry */
    uint32_t seconds_kept; /* of each entry, so that all together stay bounded; the aggregate has all */
    struct lc_failures failures;
    uint64_t generation;
    struct lc_stats *held; /* where what is logged waits for a verdict; NULL: it counts at once */
    uint64_t left_out_requests, left_out_failures;
};

/* As lc_stats_new(). Without recent moments (workers, which only report) a table is cheaper, but knows no current
 * percentiles. `config` must outlive the table; NULL: the defaults. */
struct lc_stats *lc__stats_new(const struct lc_stats_config *config, bool is_keeping_recent);
/* NULL if absent. */
struct lc_stats_entry *lc__stats_find(const struct lc_stats *stats, struct lc_str name, struct lc_str method);
/* After a report of all that was counted: zeroes rows in use and the aggregate, and drops failures. What is held stays.
 */
void lc__stats_reported(struct lc_stats *stats, double unix_s);
/* Takes one more reference to an entry made elsewhere, in place of one of the same name and method. Entries looked up
 * before are to be looked up again. */
int lc__stats_adopt(struct lc_stats *stats, struct lc_stats_entry *entry);
/* Drops one row, whose failures stay. Entries looked up before are to be looked up again. */
int lc__stats_remove(struct lc_stats *stats, struct lc_stats_entry *entry);
/* Logs a time that is already in milliseconds; NaN: counted, but has no time. is_whole_ms: it was given as a whole
 * number, and Locust would show sums of it as such. */
int lc__stats_log_ms(struct lc_stats *stats, struct lc_stats_entry *entry, double ms, bool is_whole_ms,
                     uint64_t content_length, double unix_s);
/* Logs in one entry only, without the aggregate. `config` NULL: the defaults. */
int lc__stats_log_entry_ms(struct lc_stats_entry *entry, const struct lc_stats_config *config, double ms,
                           bool is_whole_ms, uint64_t content_length, double unix_s);

/* Of a table that is held: where to log instead. LCE_NOMEM. */
int lc__stats_divert(struct lc_stats **stats, struct lc_stats_entry **entry);

#endif
