/* Entries as compact JSON, of which the browser makes its table: quick to write and to read, six significant digits.
 * A row is an array: method, name, requests, failures, median, average, minimum and maximum in ms, average bytes,
 * current requests/s and failures/s, those of the whole run, then an array of percentiles in ms (Locust's), then one
 * of [average, maximum] in ms of each phase, null where it did not happen. */
#ifndef LCORE_REPORT_ROWS_H
#define LCORE_REPORT_ROWS_H

#include "base/buffer.h"
#include "locustcore/report.h"
#include "locustcore/stats.h"

/* Appends the rows with these places in the order of first use, first <= place < end, separated by commas; the place
 * behind all entries is the aggregate's. LCE_NOMEM. */
int lc__json_rows(struct lc_buffer *out, struct lc_stats *stats, size_t first, size_t end,
                  const struct lc_report_options *options);

#endif
