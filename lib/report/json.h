/* Locust's JSON (compat REP-38 to REP-40). Negative: LCE_NOMEM. */
#ifndef LCORE_REPORT_JSON_H
#define LCORE_REPORT_JSON_H

#include "base/buffer.h"
#include "locustcore/stats.h"

int lc__json_entries(struct lc_buffer *out, struct lc_stats *stats);

#endif
