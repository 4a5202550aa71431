/* One row of the statistics: everything counted under a (name, method), or in the aggregate. Reference counted, because
 * a row that was cleared from its table may still be looked at; it then keeps its last numbers. */
#ifndef LCORE_STATS_ENTRY_H
#define LCORE_STATS_ENTRY_H

#include <math.h>
#include "base/warm.h"
#include "locustcore/stats.h"
#include "stats/buckets.h"
#include "stats/config.h"
#include "stats/histogram.h"
#include "stats/phases.h"
#include "stats/recent.h"
#include "stats/window.h"

/* A run may have ten thousand rows, which no cache holds. What a request with a kept-alive connection changes therefore
 * lies in three lines, from the phase QUEUE to the head of the histogram; beside them it changes a counter of the
 * buckets, and the list of what the histogram is to count. */
struct lc_stats_entry {
    _Alignas(LCORE_CACHE_LINE) uint32_t refs;
    bool is_keeping_recent; /* moments are taken, so that current percentiles can be told */
    uint64_t failure_count, none_count;
    double start_unix_s;
    /* The failure row found last, since one failing target tends to give one text; see failures.h. */
    uint64_t failure_epoch;
    uint32_t failure_row, failure_rest_row; /* + 1; 0: none */
    void *peer; /* the embedding's object for this row, which clears it when it goes; NULL: none */
    struct lc_phase_sum phases[LCORE_PHASE_COUNT];
    struct lc_recent_few few;
    bool is_total_whole, is_min_whole, is_max_whole; /* came of whole numbers given as such (struct lc_sample) */
    struct lc_window window;
    uint64_t request_count;
    uint64_t content_bytes;          /* wraps, so that negative lengths of user code subtract */
    double total_ms, min_ms, max_ms; /* min +inf and max 0 until there is a timed request */
    double last_request_unix_s;
    struct lc_histogram histogram;
    struct lc_recent recent;
    struct lc_stats_entry *held; /* its row among what is held, if that is of this generation */
    uint64_t held_generation;
    double whole_unix_s; /* of an aggregate of reports: up to when those of all workers are in it; 0: not known */
    struct lc_str name, method;
    _Alignas(LCORE_CACHE_LINE) struct lc_buckets buckets;
    char text[];
};

/* One request, worked out once for the entry and the aggregate. */
struct lc_sample {
    double ms;        /* NaN: counted, but has no time */
    bool is_whole_ms; /* Locust's sums of whole numbers are whole, and shown as such */
    uint32_t slot;
    double bucket_ms;
    int near; /* number of the bucket's near counter, or -1 */
    uint64_t content_bytes;
    double unix_s;
    uint32_t second;
    uint32_t seconds_kept; /* of an entry's window; 0: all */
};

/* A number that no table had before: what is remembered of a table that has gone fits no later one, even at the same
 * address. */
uint64_t lc__stats_next_epoch(void);

/* NULL: out of memory. The caller has one reference. */
struct lc_stats_entry *lc__stats_entry_new(struct lc_str name, struct lc_str method, bool is_keeping_recent,
                                           double unix_s);
struct lc_stats_entry *lc__stats_entry_ref(struct lc_stats_entry *entry);
void lc__stats_entry_unref(struct lc_stats_entry *entry); /* NULL is fine */

/* The second of the last request; 0: none yet. */
static inline uint32_t
lc__stats_entry_last_second(const struct lc_stats_entry *entry)
{
    return (uint32_t)(int64_t)entry->last_request_unix_s;
}
/* To be called before buckets are changed otherwise than by _count(). LCE_NOMEM. */
static inline int
lc__stats_entry_pin(struct lc_stats_entry *entry)
{
    return lc__recent_pin(&entry->recent, &entry->few, &entry->buckets);
}

/* Zeroes all; start time becomes unix_s. */
void lc__stats_entry_reset(struct lc_stats_entry *entry, double unix_s);

/* Seconds outside of 1970..2106 are LCE_INVALID. */
static inline int
lc__sample_set_time(struct lc_sample *sample, double unix_s)
{
    if (!(unix_s >= 0 && unix_s < (double)UINT32_MAX)) {
        return LCE_INVALID;
    }
    sample->unix_s = unix_s;
    sample->second = (uint32_t)unix_s;
    return 0;
}

/* slot and bucket of sample->ms. */
static inline int
lc__sample_set_ms(struct lc_sample *sample, double ms, const struct lc_stats_config *config)
{
    sample->ms = ms;
    if (isnan(ms)) {
        return 0;
    }
    double us = ms * 1000 + 0.5;
    sample->slot = lc__histogram_slot(us < 0                                ? 0
                                      : us < (double)LCORE_HISTOGRAM_MAX_US ? (uint64_t)(int64_t)us
                                                                            : UINT64_MAX);
    if (config->bucket_fn != NULL) {
        sample->near = -1;
        return config->bucket_fn(ms, &sample->bucket_ms, config->arg);
    }
    sample->bucket_ms = lc__buckets_locust_ms(ms, &sample->near);
    return 0;
}

/* The slow way of _prepare(). */
int lc__stats_entry_make_room(struct lc_stats_entry *entry, const struct lc_sample *sample,
                              const struct lc_stats_config *config);

/* Makes room for a sample, so that _count() cannot fail: on LCE_NOMEM nothing was counted. */
static inline int
lc__stats_entry_prepare(struct lc_stats_entry *entry, const struct lc_sample *sample,
                        const struct lc_stats_config *config)
{
    bool has_room =
        lc__stats_entry_last_second(entry) == sample->second && lc__window_is_last(&entry->window, sample->second) &&
        (isnan(sample->ms) || (sample->near >= 0 && sample->near <= UINT8_MAX && entry->few.count != LCORE_RECENT_FEW &&
                               entry->histogram.waiting_count < LCORE_HISTOGRAM_WAITING));
    return has_room ? 0 : lc__stats_entry_make_room(entry, sample, config);
}

static inline void
lc__stats_entry_count(struct lc_stats_entry *entry, const struct lc_sample *sample)
{
    entry->request_count++;
    entry->content_bytes += sample->content_bytes;
    entry->last_request_unix_s = sample->unix_s;
    lc__window_at(&entry->window, sample->second)->requests++;
    if (isnan(sample->ms)) {
        entry->none_count++;
        return;
    }
    entry->is_total_whole &= sample->is_whole_ms;
    entry->total_ms += sample->ms;
    if (sample->ms < entry->min_ms) {
        entry->min_ms = sample->ms;
        entry->is_min_whole = sample->is_whole_ms;
    }
    if (sample->ms > entry->max_ms) {
        entry->max_ms = sample->ms;
        entry->is_max_whole = sample->is_whole_ms;
    }
    lc__histogram_count(&entry->histogram, sample->slot);
    if (sample->near >= 0) {
        ++*lc__buckets_near(&entry->buckets, (unsigned)sample->near);
        if (entry->few.count < LCORE_RECENT_FEW) {
            entry->few.near[entry->few.count++] = (uint8_t)sample->near;
        }
    } else {
        ++*lc__buckets_find(&entry->buckets, sample->bucket_ms);
    }
}

/* The failure of a second (checked). */
int lc__stats_entry_count_failure(struct lc_stats_entry *entry, uint32_t second);

/* What an entry counts, without its tables: buckets, histogram and seconds. */
struct lc_stats_sums {
    uint64_t request_count, failure_count, none_count, content_bytes;
    double total_ms, min_ms, max_ms;
    double start_unix_s, last_request_unix_s;
    bool is_total_whole, is_min_whole, is_max_whole;
    const struct lc_phase_sum *phases; /* LCORE_PHASE_COUNT of them */
};

/* Adds these, once what they stand for is in the tables; that begins with lc__stats_entry_pin(). LCE_NOMEM: only the
 * current percentiles are the worse for it. */
int lc__stats_entry_add_sums(struct lc_stats_entry *target, const struct lc_stats_sums *source,
                             const struct lc_stats_config *config);
/* Adds all of `source` (Locust's rules, compat DST-35). On LCE_NOMEM part of it may be there. */
int lc__stats_entry_extend(struct lc_stats_entry *target, const struct lc_stats_entry *source,
                           const struct lc_stats_config *config);
/* For rows that came with Locust's buckets only: fills the histogram with the buckets' times. */
int lc__stats_entry_fill_histogram(struct lc_stats_entry *entry);

/* Locust's median is a whole number unless it is one of the extremes. */
bool lc__stats_entry_is_median_whole(const struct lc_stats_entry *entry);
static inline bool
lc__stats_entry_is_used(const struct lc_stats_entry *entry)
{
    return entry->request_count > 0 || entry->failure_count > 0;
}

/* Requests and failures per second over Locust's window, for a clock given as times of the aggregate. */
void lc__stats_entry_rates_at(const struct lc_stats_entry *entry, double start_unix_s, double last_unix_s,
                              double *requests_per_s, double *failures_per_s);
/* Locust's percentiles of the whole run, and of about the last recent_s seconds (false: nothing is known of then). */
void lc__stats_entry_percentiles_ms(const struct lc_stats_entry *entry, const double *fractions, size_t count,
                                    double *out);
bool lc__stats_entry_recent_percentiles_ms(const struct lc_stats_entry *entry, int64_t now_unix_s, int64_t recent_s,
                                           const double *fractions, size_t count, double *out);

#endif
