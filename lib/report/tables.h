/* The tables of a whole test in one call: printed to stdout while it runs, and once more at its end. */
#ifndef LCORE_REPORT_TABLES_H
#define LCORE_REPORT_TABLES_H

#include "base/log.h"
#include "locustcore/report.h"
#include "loop/loop.h"

struct lc__tables {
    struct lc_loop *loop;
    struct lc_stats *stats;
    struct lc_report_options options;
    struct lc_timer timer;
};

/* Prints the table of requests now and every two seconds. LCE_NOMEM where the timer finds no room. */
int lc__tables_start(struct lc__tables *tables, struct lc_loop *loop, struct lc_stats *stats);

void lc__tables_stop(struct lc__tables *tables);

/* Requests, percentiles and failures of the whole run. */
void lc__tables_print_summary(struct lc__tables *tables);

/* When all is printed: false, and a line to on_log (or stderr) that says why, where not all of it could be written. */
bool lc__tables_flush(lc_log_line_fn *on_log, void *arg);

#endif
