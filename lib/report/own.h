/* What Locust's reports do not have: phases, and percentiles as the histogram knows them. Negative: LCE_NOMEM. */
#ifndef LCORE_REPORT_OWN_H
#define LCORE_REPORT_OWN_H

#include "base/buffer.h"
#include "locustcore/report.h"

/* Average and maximum of each phase, in ms, of entries in which one happened. */
int lc__console_phases(struct lc_buffer *out, struct lc_stats *stats, const struct lc_report_options *options);
int lc__csv_phases_header(struct lc_buffer *out);
int lc__csv_phases(struct lc_buffer *out, struct lc_stats *stats);

/* The options' percentiles in ms with three digits behind the point. */
int lc__console_exact(struct lc_buffer *out, struct lc_stats *stats, const struct lc_report_options *options);
int lc__csv_exact_header(struct lc_buffer *out, const struct lc_report_options *options);
int lc__csv_exact(struct lc_buffer *out, struct lc_stats *stats, const struct lc_report_options *options);

#endif
