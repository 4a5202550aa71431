/* What lc_report_print_prometheus() is made of. */
#ifndef LCORE_REPORT_PROMETHEUS_H
#define LCORE_REPORT_PROMETHEUS_H

#include "base/buffer.h"
#include "locustcore/prometheus.h"
#include "stats/phases.h"

#define LCORE_PROMETHEUS_PLUS_ONE(bound) +1
enum { LC__PROMETHEUS_BOUNDS = 0 LCORE_PROMETHEUS_BOUND_LIST(LCORE_PROMETHEUS_PLUS_ONE) };

/* The numbers of a name, worked out once for all the metrics that tell them. */
struct lc__prometheus_row {
    size_t labels, labels_len; /* its labels, escaped: a place in the buffer beside the rows */
    uint64_t request_count, failure_count, content_bytes;
    uint64_t timed_count, buckets[LC__PROMETHEUS_BOUNDS]; /* not added up */
    struct lc_phase_sum phases[LCORE_PHASE_COUNT];
    double total_ms, average_ms, min_ms, max_ms, median_ms, average_bytes; /* median NaN: not known */
    double current_rps, current_failures_per_s;
};

struct lc__prometheus_rows {
    struct lc__prometheus_row *rows;
    size_t count;
    struct lc__prometheus_row total;
    struct lc_buffer labels;
};

/* LCE_NOMEM. To be ended with _fini() either way. */
int lc__prometheus_rows_init(struct lc__prometheus_rows *rows, struct lc_stats *stats, size_t name_limit);
void lc__prometheus_rows_fini(struct lc__prometheus_rows *rows);

/* Appends the text of a label's value, as it stands between its quotes. LCE_NOMEM. */
int lc__prometheus_append_label(struct lc_buffer *out, struct lc_str text);

/* Appends the whole exposition. LCE_NOMEM. */
int lc__prometheus(struct lc_buffer *out, struct lc_stats *stats, const struct lc_prometheus_options *options);

#endif
