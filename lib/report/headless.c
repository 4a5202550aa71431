/* A whole test in one call: the runner on a loop of its own, tables, and signals. */
#include <stdio.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/str.h"
#include "locustcore/prometheus.h"
#include "locustcore/report.h"
#include "locustcore/run.h"
#include "report/tables.h"

struct headless {
    struct lc_loop *loop;
    struct lc_http *http;
    struct lc_runner *runner;
    struct lc__tables tables;
    const struct lc_runner_options *options;
    struct lc_signals *signals;
    struct lc_prometheus_server *metrics;
    struct lc_prometheus_users *users; /* of each class, for the metrics */
    struct lc_prometheus_generator generator;
};

/* How the process coped lately; `numbers` are of the whole test. */
static void
look_at_meter(const struct lc_meter *meter, struct lc_prometheus_generator *out)
{
    enum { RECENT_S = 10 };
    struct lc_meter_second second, last = {0};
    uint64_t position = 0;
    while (lc_meter_next_second(meter, &position, &second)) {
        last = second;
    }
    *out = (struct lc_prometheus_generator){
        .cpu = last.cpu,
        .starved = last.starved,
        .is_lagging = last.lag != 0,
    };
    position = 0;
    while (lc_meter_next_second(meter, &position, &second)) {
        if (second.last_unix_s > last.last_unix_s - RECENT_S && second.delay_ms / 1000 > out->delay_s) {
            out->delay_s = second.delay_ms / 1000;
        }
    }
    struct lc_meter_numbers numbers;
    lc_meter_numbers(meter, &numbers);
    out->seconds = numbers.seconds;
    out->lagging_seconds = numbers.lagging_seconds;
}

static struct lc_stats *
fill_metrics(struct lc_prometheus_options *options, void *arg)
{
    struct headless *headless = arg;
    const struct lc_runner *runner = headless->runner;
    size_t count = headless->options->class_count;
    for (size_t i = 0; i < count; i++) {
        headless->users[i] = (struct lc_prometheus_users){
            .user_class = lc_str_from(headless->options->classes[i]->name),
            .count = lc_runner_class_user_count(runner, i),
        };
    }
    look_at_meter(lc_runner_meter(runner), &headless->generator);
    options->state = lc_str_from(lc_runner_state_text(lc_runner_state(runner)));
    options->user_count = lc_runner_user_count(runner);
    options->users = headless->users;
    options->users_count = count;
    options->exception_count = lc_runner_exception_count(runner);
    options->generator = &headless->generator;
    return lc_runner_stats(headless->runner);
}

static int
serve_metrics(struct headless *headless, struct lc_error *error)
{
    if (headless->options->metrics_port == 0) {
        return 0;
    }
    headless->users = lc__calloc(headless->options->class_count, sizeof(*headless->users));
    if (headless->users == NULL) {
        return lc_error_set(error, LCE_NOMEM, "%s", lc_error_text(LCE_NOMEM));
    }
    headless->metrics =
        lc_prometheus_server_new(headless->loop, NULL, headless->options->metrics_port, fill_metrics, headless, error);
    return headless->metrics == NULL ? error->code : 0;
}

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
    result = headless.runner == NULL ? error->code : serve_metrics(&headless, error);
    if (result == 0) {
        result = run_test(&headless, users, spawn_rate, error);
    }
done:
    lc_prometheus_server_free(headless.metrics);
    lc__free(headless.users);
    lc_runner_free(headless.runner);
    lc_http_free(headless.http);
    lc_loop_free(headless.loop);
    return result;
}
