/* Locust's CSV files, as text (compat REP-29 to REP-37). Rows end in CR LF. Negative: LCE_NOMEM. */
#ifndef LCORE_REPORT_CSV_H
#define LCORE_REPORT_CSV_H

#include "base/buffer.h"
#include "locustcore/report.h"

struct lc_writer;
/* The first two fields of a row. */
void lc__csv_names(struct lc_writer *writer, struct lc_str method, struct lc_str name);
/* The heads of the options' percentiles, each behind a comma. */
void lc__csv_percent_heads(struct lc_writer *writer, const struct lc_report_options *options);

int lc__csv_requests_header(struct lc_buffer *out, const struct lc_report_options *options);
int lc__csv_requests(struct lc_buffer *out, struct lc_stats *stats, const struct lc_report_options *options);
int lc__csv_history_header(struct lc_buffer *out, const struct lc_report_options *options);
int lc__csv_history(struct lc_buffer *out, struct lc_stats *stats, const struct lc_report_options *options,
                    uint64_t user_count, double unix_s);
int lc__csv_failures_header(struct lc_buffer *out);
int lc__csv_failures(struct lc_buffer *out, struct lc_stats *stats);
int lc__csv_exceptions_header(struct lc_buffer *out);
int lc__csv_exceptions(struct lc_buffer *out, const struct lc_report_exception *exceptions, size_t count);

#endif
