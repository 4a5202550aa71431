/* A whole test in one call: the runner on a loop of its own, tables, and signals. */
#include <stdio.h>

#include "base/log.h"
#include "base/options.h"
#include "locustcore/report.h"
#include "locustcore/run.h"
#include "report/runner_metrics.h"
#include "report/tables.h"

struct headless {
    struct lc_loop *loop;
    struct lc_http *http;
    struct lc_runner *runner;
    struct lc__tables tables;
    const struct lc_runner_options *options;
    struct lc_signals *signals;
    struct lc__runner_metrics metrics;
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
    lc_log_line(headless->options->on_log, headless->options->arg, text);
}

static void
on_signal(int signal, void *arg)
{
    struct headless *headless = arg;
    lc_runner_stop(headless->runner);
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
    lc__tables_print_summary(&headless->tables);
    lc_report_print_generator(stdout, lc_runner_meter(headless->runner), lc_runner_stats(headless->runner));
    print_exceptions(headless->runner);
}

static int
run_test(struct headless *headless, uint64_t users, double spawn_rate, struct lc_error *error)
{
    headless->signals = lc_signals_new(headless->loop, on_signal, headless, error);
    if (headless->signals == NULL) {
        return error->code;
    }
    int err = lc_runner_start(headless->runner, users, spawn_rate, error);
    if (err == 0) {
        err = lc__tables_start(&headless->tables, headless->loop, lc_runner_stats(headless->runner));
        if (err < 0) {
            lc_error_set(error, err, "%s", lc_error_text(err));
            lc_runner_stop(headless->runner);
        }
        lc_loop_run(headless->loop);
        lc__tables_stop(&headless->tables);
    }
    lc_signals_free(headless->signals);
    if (err < 0) {
        return err;
    }
    print_summary(headless);
    bool is_written = lc__tables_flush(headless->options->on_log, headless->options->arg);
    return is_written ? lc_runner_exit_code(headless->runner) : 1;
}

int
lc_run(const struct lc_runner_options *given, uint64_t users, double spawn_rate, struct lc_error *error)
{
    struct lc_error own;
    error = error == NULL ? &own : error;
    struct lc_runner_options full = {0};
    int taken = lc__options_take(&full, sizeof(full), given, error);
    if (taken < 0) {
        return taken;
    }
    const struct lc_runner_options *options = &full;
    if (options->on_state != NULL) {
        return lc_error_set(error, LCE_INVALID, "on_state is for those who run the loop themselves");
    }
    struct headless headless = {.options = options, .loop = lc_loop_new()};
    int result;
    if (headless.loop == NULL) {
        return lc_error_set(error, LCE_NOMEM, "no loop: out of memory or descriptors");
    }
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
    result = headless.runner == NULL
                 ? error->code
                 : lc__runner_metrics_start(&headless.metrics, headless.loop, headless.runner, options, false, error);
    if (result == 0) {
        result = run_test(&headless, users, spawn_rate, error);
    }
done:
    lc__runner_metrics_stop(&headless.metrics);
    lc_runner_free(headless.runner);
    lc_http_free(headless.http);
    lc_loop_free(headless.loop);
    return result;
}
