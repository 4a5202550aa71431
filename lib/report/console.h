/* Locust's console tables (compat CLI-101 to CLI-104). Each line ends in LF. Negative: LCE_NOMEM. */
#ifndef LCORE_REPORT_CONSOLE_H
#define LCORE_REPORT_CONSOLE_H

#include "base/buffer.h"
#include "locustcore/report.h"

int lc__console_requests(struct lc_buffer *out, struct lc_stats *stats, const struct lc_report_options *options);
int lc__console_percentiles(struct lc_buffer *out, struct lc_stats *stats, const struct lc_report_options *options);
/* Also when there are no failures. */
int lc__console_failures(struct lc_buffer *out, struct lc_stats *stats, const struct lc_report_options *options);
/* One row of the request table, without its LF; `total` gives the clock. */
int lc__console_request_row(struct lc_buffer *out, const struct lc_stats_entry *entry,
                            const struct lc_stats_entry *total, const struct lc_report_options *options);
/* One row of the percentile table, without its LF. */
int lc__console_percentile_row(struct lc_buffer *out, const struct lc_stats_entry *entry,
                               const struct lc_report_options *options);

#endif
