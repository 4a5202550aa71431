/* A whole test in one call: the runner on a loop of its own, tables, and signals. */
#include <stdio.h>

#include "base/clock.h"
#include "base/list.h"
#include "locustcore/report.h"
#include "locustcore/run.h"
#include "loop/signals.h"

#define TABLE_INTERVAL_NS (2 * LCORE_NS_PER_S)

struct headless {
    struct lc_loop *loop;
    struct lc_http *http;
    struct lc_runner *runner;
    struct lc_timer table_timer;
    struct lc_report_options report;
    const struct lc_runner_options *options;
    struct lc_signals signals;
};

static void
on_state(struct lc_runner *runner, enum lc_runner_state state, void *arg)
{
    struct headless *headless = arg;
    if (state == LCORE_RUNNER_STOPPED) {
        lc_loop_stop(headless->loop);
    }
}

static void
on_log(const char *text, void *arg)
{
    struct headless *headless = arg;
    if (headless->options->on_log != NULL) {
        headless->options->on_log(text, headless->options->arg);
    } else {
        fprintf(stderr, "%s\n", text);
    }
}

static void
on_signal(void *arg)
{
    struct headless *headless = arg;
    lc_runner_stop(headless->runner);
}

/* What cannot be written is not the test's concern. */
static void
print_table(struct lc_timer *timer)
{
    struct headless *headless = LCORE_CONTAINER(timer, struct headless, table_timer);
    lc_report_print_requests(stdout, lc_runner_stats(headless->runner), &headless->report);
    putchar('\n');
    fflush(stdout);
    /* The timer was just in the heap, so there is room. */
    lc_timer_start(headless->loop, timer, timer->deadline_ns + TABLE_INTERVAL_NS, print_table);
}

static void
print_exceptions(const struct lc_runner *runner)
{
    struct lc_runner_exception row;
    size_t position = 0;
    while (lc_runner_next_exception(runner, &position, &row)) {
        if (position == 1) {
            puts("Exceptions of users\n# occurrences      Where");
        }
        printf("%-18llu %s %s: %s\n", (unsigned long long)row.count, row.user_class, row.where,
               lc_error_text(row.code));
    }
}

static void
print_summary(struct headless *headless)
{
    struct lc_stats *stats = lc_runner_stats(headless->runner);
    headless->report.is_whole_run = true;
    lc_report_print_requests(stdout, stats, &headless->report);
    putchar('\n');
    lc_report_print_percentiles(stdout, stats, &headless->report);
    putchar('\n');
    lc_report_print_failures(stdout, stats, &headless->report);
    lc_report_print_generator(stdout, lc_runner_meter(headless->runner), stats);
    print_exceptions(headless->runner);
    fflush(stdout);
}

static int
run_test(struct headless *headless, uint64_t users, double spawn_rate, struct lc_error *error)
{
    int err = lc_signals_watch(&headless->signals, headless->loop, on_signal, headless, error);
    if (err < 0) {
        return err;
    }
    err = lc_runner_start(headless->runner, users, spawn_rate, error);
    if (err == 0) {
        err = lc_timer_start(headless->loop, &headless->table_timer, lc_clock_monotonic_ns(), print_table);
        if (err < 0) {
            lc_error_set(error, err, "%s", lc_error_text(err));
            lc_runner_stop(headless->runner);
        }
        lc_loop_run(headless->loop);
        lc_timer_stop(headless->loop, &headless->table_timer);
    }
    lc_signals_unwatch(&headless->signals);
    if (err < 0) {
        return err;
    }
    print_summary(headless);
    return lc_runner_exit_code(headless->runner);
}

int
lc_run(const struct lc_runner_options *options, uint64_t users, double spawn_rate, struct lc_error *error)
{
    struct lc_error own;
    error = error == NULL ? &own : error;
    if (options->on_state != NULL) {
        return lc_error_set(error, LCE_INVALID, "on_state is for those who run the loop themselves");
    }
    struct headless headless = {.options = options, .loop = lc_loop_new()};
    int result;
    if (headless.loop == NULL) {
        return lc_error_set(error, LCE_NOMEM, "no loop: out of memory or descriptors");
    }
    lc_report_options_init(&headless.report);
    headless.http = lc_http_new(headless.loop, error);
    if (headless.http == NULL) {
        result = error->code;
        goto done;
    }
    struct lc_runner_options inner = *options;
    inner.on_state = on_state;
    inner.on_log = on_log;
    inner.arg = &headless;
    headless.runner = lc_runner_new(headless.loop, headless.http, &inner, error);
    result = headless.runner == NULL ? error->code : run_test(&headless, users, spawn_rate, error);
done:
    lc_runner_free(headless.runner);
    lc_http_free(headless.http);
    lc_loop_free(headless.loop);
    return result;
}
