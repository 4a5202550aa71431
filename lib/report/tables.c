#include "report/tables.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/list.h"

#define TABLE_INTERVAL_NS (2 * LCORE_NS_PER_S)

static void
print_requests(struct lc__tables *tables)
{
    lc_report_print_requests(stdout, tables->stats, &tables->options);
    putchar('\n');
}

static void
print_again(struct lc_timer *timer)
{
    struct lc__tables *tables = LCORE_CONTAINER(timer, struct lc__tables, timer);
    print_requests(tables);
    fflush(stdout);
    /* The timer was just in the heap, so there is room. */
    lc_timer_start(tables->loop, timer, timer->deadline_ns + TABLE_INTERVAL_NS, print_again);
}

int
lc__tables_start(struct lc__tables *tables, struct lc_loop *loop, struct lc_stats *stats)
{
    tables->loop = loop;
    tables->stats = stats;
    lc_report_options_init(&tables->options);
    return lc_timer_start(loop, &tables->timer, lc_clock_monotonic_ns(), print_again);
}

void
lc__tables_stop(struct lc__tables *tables)
{
    if (tables->loop != NULL) {
        lc_timer_stop(tables->loop, &tables->timer);
    }
}

void
lc__tables_print_summary(struct lc__tables *tables)
{
    tables->options.is_whole_run = true;
    print_requests(tables);
    lc_report_print_percentiles(stdout, tables->stats, &tables->options);
    putchar('\n');
    lc_report_print_failures(stdout, tables->stats, &tables->options);
}

bool
lc__tables_flush(lc_log_line_fn *on_log, void *arg)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout)) {
        return true;
    }
    char text[160];
    snprintf(text, sizeof(text), "not all tables could be written to standard output%s%s", errno == 0 ? "" : ": ",
             errno == 0 ? "" : strerror(errno));
    lc_log_line(on_log, arg, text);
    return false;
}
