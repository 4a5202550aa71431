/* Statistics: a table of entries per (name, method) beside one aggregate. Times are kept twice: a log-linear histogram
 * in microseconds (3 significant digits) for true percentiles, and Locust's rounded millisecond buckets for what
 * Locust's files, screens and protocol promise. */
#ifndef LOCUSTCORE_STATS_H
#define LOCUSTCORE_STATS_H

#include <stdbool.h>
#include <stdint.h>
#include "locustcore/error.h"
#include "locustcore/phases.h"
#include "locustcore/str.h"

#ifdef __cplusplus
extern "C" {
#endif

struct lc_stats;
struct lc_stats_entry;

LCORE_API struct lc_stats *lc_stats_new(void);
LCORE_API void lc_stats_free(struct lc_stats *stats);

/* A table holds at most so many entries (a few megabytes for each thousand); see lc_stats_entry(). */
enum { LCORE_STATS_NAMES = 20000 };
#define LCORE_STATS_FURTHER "(further names)"

/* The entry of (name, method), made if missing; NULL: out of memory. Once the table is full, every name without an
 * entry gets the entry LCORE_STATS_FURTHER of its method (beyond 64 such methods: of the method ""). The entry stays
 * valid until lc_stats_clear() or _free(), so callers look it up once and keep it; lc_stats_generation() tells them
 * when to look again. */
LCORE_API struct lc_stats_entry *lc_stats_entry(struct lc_stats *stats, struct lc_str name, struct lc_str method);
/* Grows with every lc_stats_clear(); no two tables of a process ever have the same. */
LCORE_API uint64_t lc_stats_generation(const struct lc_stats *stats);
LCORE_API struct lc_stats_entry *lc_stats_total(struct lc_stats *stats);
/* Entries in order of first use: index 0 .. count-1. */
LCORE_API size_t lc_stats_count(const struct lc_stats *stats);
LCORE_API struct lc_stats_entry *lc_stats_at(struct lc_stats *stats, size_t index);

/* Counts a request in the entry and the aggregate. response_time_ns < 0: counted, but has no time.
 * unix_s: wall-clock second of the logging (fractional; its floor is the bucket of the current rates). O(1). */
LCORE_API int lc_stats_log_request(struct lc_stats *stats, struct lc_stats_entry *entry, int64_t response_time_ns,
                                   uint64_t content_length, double unix_s);
/* Counts a failure in the entry, the aggregate and the failures table, where equal texts of an entry are one row. */
LCORE_API int lc_stats_log_failure(struct lc_stats *stats, struct lc_stats_entry *entry, struct lc_str error_text,
                                   double unix_s);

/* Adds the phases of one hop to the entry and the aggregate, beside the request (lc_stats_log_request()) it was for. */
LCORE_API int lc_stats_log_phases(struct lc_stats *stats, struct lc_stats_entry *entry, const struct lc_phases *phases);

/* While statistics are held, what is logged (but not what is merged) waits. lc_stats_settle() adds what waits, or
 * leaves it out as if it had not been logged. To end the holding adds what waits. LCE_NOMEM. */
LCORE_API int lc_stats_hold(struct lc_stats *stats, bool is_held);
LCORE_API int lc_stats_settle(struct lc_stats *stats, bool is_kept);
/* What was left out since the table was made, cleared or reset. */
LCORE_API void lc_stats_left_out(const struct lc_stats *stats, uint64_t *requests, uint64_t *failures);

/* Forgets every entry and failure; start time becomes unix_s. */
LCORE_API void lc_stats_clear(struct lc_stats *stats, double unix_s);
/* Zeroes every entry and drops failures, but keeps the rows (Locust's reset). */
LCORE_API void lc_stats_reset(struct lc_stats *stats, double unix_s);

/* A snapshot of an entry's plain numbers. */
struct lc_stats_numbers {
    struct lc_str name, method;
    uint64_t request_count, failure_count, none_count; /* none: requests without a time */
    double total_ms, min_ms, max_ms;                   /* exact; min and max NaN until there is a timed request */
    uint64_t content_bytes;
    double start_unix_s;        /* creation or clearing of the table */
    double last_request_unix_s; /* 0: none */
};
LCORE_API void lc_stats_entry_numbers(const struct lc_stats_entry *entry, struct lc_stats_numbers *out);

/* "dns", "connect", "tls", "queue", "first_byte", "transfer". */
LCORE_API const char *lc_phase_text(enum lc_phase phase);
/* How often a phase happened (on each hop of a redirect anew), and what it took. Merging adds without a loss. */
struct lc_phase_numbers {
    uint64_t count;
    double total_ms, average_ms, max_ms; /* 0 where it did not happen */
};
LCORE_API void lc_stats_entry_phase(const struct lc_stats_entry *entry, enum lc_phase phase,
                                    struct lc_phase_numbers *out);

/* Failures per request: 1 where there are failures but no requests, as in Locust. */
LCORE_API double lc_stats_entry_fail_ratio(const struct lc_stats_entry *entry);
/* Of the requests that have a time; 0 if none has. */
LCORE_API double lc_stats_entry_average_ms(const struct lc_stats_entry *entry);
/* Percentile in milliseconds from the microsecond histogram, 0 <= fraction <= 1; 0.0 when empty. fraction 1 is the
 * exact maximum. */
LCORE_API double lc_stats_entry_percentile_ms(const struct lc_stats_entry *entry, double fraction);
/* Locust's percentile: over its rounded buckets, by its rule; 0 when empty. */
LCORE_API double lc_stats_entry_locust_percentile_ms(const struct lc_stats_entry *entry, double fraction);
/* Locust's median: percentile 0.5 of its buckets, clamped to the exact [min, max]. */
LCORE_API double lc_stats_entry_locust_median_ms(const struct lc_stats_entry *entry);
/* Walks Locust's buckets that are not empty, ascending: *position starts at 0. */
LCORE_API bool lc_stats_entry_next_bucket(const struct lc_stats_entry *entry, size_t *position, double *bucket_ms,
                                          uint64_t *count);
/* Walks the seconds in which something was logged, ascending: *position starts at 0. The aggregate has all; entries
 * together the last four million, shared evenly (58 hours with 20 names, 3 minutes with 20,000). */
LCORE_API bool lc_stats_entry_next_second(const struct lc_stats_entry *entry, size_t *position, int64_t *unix_s,
                                          uint64_t *requests, uint64_t *failures);
/* Requests and failures per second over Locust's window; `total` gives the clock. */
LCORE_API void lc_stats_entry_current_rates(const struct lc_stats_entry *entry, const struct lc_stats_entry *total,
                                            double *requests_per_s, double *failures_per_s);
/* Requests and failures per second over the whole run; `total` gives the clock. */
LCORE_API void lc_stats_entry_total_rates(const struct lc_stats_entry *entry, const struct lc_stats_entry *total,
                                          double *requests_per_s, double *failures_per_s);
/* The rounding rule of Locust's buckets: half to even, to 1 ms below 100 ms, to 10 below 1,000, to 100 below 10,000,
 * else to 1,000. */
LCORE_API uint32_t lc_stats_locust_bucket_ms(double response_time_ms);

struct lc_stats_failure {
    struct lc_str name, method, text;
    uint64_t occurrences;
    double first_seen_unix_s, last_seen_unix_s;
    bool is_remote; /* merged from a worker's report */
};
LCORE_API size_t lc_stats_failure_count(const struct lc_stats *stats);
/* In order of first occurrence. Borrowed until the next log, clear or reset. */
LCORE_API void lc_stats_failure_at(const struct lc_stats *stats, size_t index, struct lc_stats_failure *out);

/* Adds all of `source` to `target`: counts, buckets, histograms, failures; widens times. For merging workers. */
LCORE_API int lc_stats_merge(struct lc_stats *target, const struct lc_stats *source);

#ifdef __cplusplus
}
#endif
#endif
