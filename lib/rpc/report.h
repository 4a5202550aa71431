/* A worker's statistics report: Locust's dictionaries, added to a table without building anything of them. */
#ifndef LCORE_RPC_REPORT_H
#define LCORE_RPC_REPORT_H

#include "rpc/pack.h"
#include "stats/table.h"

/* The key under which nodes of our own send an entry's exact histogram: slot, count, slot, count, ... */
#define LCORE_REPORT_HISTOGRAM_KEY "cload_histogram"

/* The key under which they send what the phases of its requests add up to: count, total_ns, max_ns of each phase. */
#define LCORE_REPORT_PHASES_KEY "cload_phases"

/* The key under which they say up to when a report has all that was measured, by the clock of its seconds. */
#define LCORE_REPORT_UNTIL_KEY "cload_until"

/* What a report tells beside the numbers. */
struct lc_report_told {
    struct lc_pack_reader users; /* at NULL: none are told of */
    double until_unix_s;         /* of one that does not say it, when its last request was; 0: it has none */
};

/* Adds the report `data` (the packed map of a stats message) to `target`: its stats, stats_total and errors; other keys
 * are passed over. Entries without a histogram get one of Locust's buckets. LCE_FORMAT, LCE_INVALID: it is no report,
 * and nothing was added. LCE_NOMEM. now_unix_s: for failures that do not say when they were seen. told: NULL, or filled
 * in on success. */
int lc_report_merge(struct lc_stats *target, struct lc_str data, double now_unix_s, struct lc_report_told *told);

/* The other way round: appends the keys stats, stats_total and errors, each with its value, to a map whose head (3 and
 * what else belongs in it) the caller wrote. Rows without activity are left out. LCE_NOMEM. */
#define LCORE_REPORT_KEYS 3
int lc_report_write(struct lc_buffer *out, struct lc_stats *stats);
/* What a report between nodes of ours has before that: its number, as the first key, and up to when it is whole. */
#define LCORE_REPORT_OWN_KEYS 2
int lc_report_write_own(struct lc_buffer *out, uint64_t number, double until_unix_s);

#endif
