/* The orders in which reports list rows. */
#ifndef LCORE_REPORT_ORDER_H
#define LCORE_REPORT_ORDER_H

#include "locustcore/stats.h"

/* The entries by (name, method), then, if wanted, the aggregate; *count of them. To be given to lc__free(). NULL: out
 * of memory. */
struct lc_stats_entry **lc__order_entries(struct lc_stats *stats, bool has_total, size_t *count);
/* The indices of all failures, by Locust's key. To be given to lc__free(). NULL: out of memory. */
size_t *lc__order_failures(struct lc_stats *stats);

#endif
