/* A whole test of a fleet in one call: the master on a loop of its own, tables, and signals. */
#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/options.h"
#include "base/str.h"
#include "locustcore/prometheus.h"
#include "locustcore/report.h"
#include "locustcore/rpc.h"
#include "report/tables.h"

#define WAIT_INTERVAL_NS (LCORE_NS_PER_S / 10)

struct headless {
    struct lc_loop *loop;
    struct lc_master *master;
    struct lc_signals *signals;
    struct lc__tables tables;
    struct lc_timer wait_timer, run_timer;
    const struct lc_master_options *options;
    size_t expected_workers;
    uint64_t users;
    double spawn_rate;
    int result;
    struct lc_error *error;
    bool has_begun;
    struct lc_prometheus_server *metrics;
    struct lc_prometheus_users *metric_users; /* of each class */
    struct lc_prometheus_worker *metric_workers;
    size_t worker_capacity;
};

static void
quit(struct headless *headless)
{
    lc_timer_stop(headless->loop, &headless->wait_timer);
    lc_timer_stop(headless->loop, &headless->run_timer);
    lc_master_quit(headless->master);
}

static void
on_signal(int signal, void *arg)
{
    quit(arg);
}

static void
run_time_over(struct lc_timer *timer)
{
    quit(LCORE_CONTAINER(timer, struct headless, run_timer));
}

static void
begin_test(struct headless *headless)
{
    int64_t now_ns = lc_clock_monotonic_ns();
    int err = lc_master_start(headless->master, headless->users, headless->spawn_rate, headless->error);
    headless->has_begun = err == 0;
    err = err < 0 ? err : lc__tables_start(&headless->tables, headless->loop, lc_master_stats(headless->master));
    if (err == 0 && headless->options->run_time_ns > 0) {
        int64_t run_time_ns = headless->options->run_time_ns;
        int64_t end_ns = run_time_ns > INT64_MAX - now_ns ? INT64_MAX : now_ns + run_time_ns;
        err = lc_timer_start(headless->loop, &headless->run_timer, end_ns, run_time_over);
    }
    if (err < 0) {
        headless->result = err;
        quit(headless);
    }
}

static void
wait_for_workers(struct lc_timer *timer)
{
    struct headless *headless = LCORE_CONTAINER(timer, struct headless, wait_timer);
    if (lc_master_worker_count(headless->master) >= headless->expected_workers) {
        begin_test(headless);
        return;
    }
    lc_timer_start(headless->loop, timer, timer->deadline_ns + WAIT_INTERVAL_NS, wait_for_workers);
}

static void
on_state(struct lc_master *master, enum lc_runner_state state, void *arg)
{
    struct headless *headless = arg;
    if (state == LCORE_RUNNER_STOPPED) {
        /* Also where the last worker went: there is nothing to wait for. */
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
on_message(struct lc_master *master, const char *worker_id, struct lc_str type, struct lc_str data, void *arg)
{
    struct headless *headless = arg;
    headless->options->on_message(master, worker_id, type, data, headless->options->arg);
}

static void
print_exceptions(const struct lc_master *master)
{
    struct lc_master_exception row;
    size_t position = 0;
    while (lc_master_next_exception(master, &position, &row)) {
        if (position == 1) {
            puts("Exceptions of users\n# occurrences      Where");
        }
        printf("%-18llu %.*s\n%.*s\n", (unsigned long long)row.count, (int)row.message.len, row.message.data,
               (int)row.traceback.len, row.traceback.data);
    }
}

static void
print_summary(struct headless *headless)
{
    lc__tables_print_summary(&headless->tables);
    print_exceptions(headless->master);
}

/* All that are listed: fewer where there is no memory for more. */
static size_t
list_workers(struct headless *headless)
{
    struct lc_master_worker worker;
    size_t position = 0, count = 0;
    while (lc_master_next_worker(headless->master, &position, &worker)) {
        if (count == headless->worker_capacity) {
            size_t capacity = 2 * count + 16;
            void *grown = lc__realloc(headless->metric_workers, capacity * sizeof(*headless->metric_workers));
            if (grown == NULL) {
                break;
            }
            headless->metric_workers = grown;
            headless->worker_capacity = capacity;
        }
        headless->metric_workers[count++] = (struct lc_prometheus_worker){
            .id = lc_str_from(worker.id), .state = lc_str_from(worker.state), .user_count = worker.user_count};
    }
    return count;
}

static struct lc_stats *
fill_metrics(struct lc_prometheus_options *options, void *arg)
{
    struct headless *headless = arg;
    const struct lc_master *master = headless->master;
    size_t count = headless->options->class_count;
    for (size_t i = 0; i < count; i++) {
        headless->metric_users[i] = (struct lc_prometheus_users){
            .user_class = lc_str_from(headless->options->classes[i]->name),
            .count = lc_master_class_user_count(master, i),
        };
    }
    options->is_master = true;
    options->state = lc_str_from(lc_runner_state_text(lc_master_state(master)));
    options->user_count = lc_master_user_count(master);
    options->users = headless->metric_users;
    options->users_count = count;
    options->worker_count = list_workers(headless);
    options->workers = headless->metric_workers;
    options->exception_count = lc_master_exception_count(master);
    return lc_master_stats(headless->master);
}

static int
serve_metrics(struct headless *headless, struct lc_error *error)
{
    const struct lc_master_options *options = headless->options;
    if (options->metrics_port == 0) {
        return 0;
    }
    headless->metric_users = lc__calloc(options->class_count, sizeof(*headless->metric_users));
    if (headless->metric_users == NULL) {
        return lc_error_set(error, LCE_NOMEM, "%s", lc_error_text(LCE_NOMEM));
    }
    headless->metrics =
        lc_prometheus_server_new(headless->loop, NULL, options->metrics_port, fill_metrics, headless, error);
    return headless->metrics == NULL ? error->code : 0;
}

static int
run_test(struct headless *headless, struct lc_error *error)
{
    struct lc_master_options inner = *headless->options;
    inner.run_time_ns = 0;
    inner.on_state = on_state;
    inner.on_log = on_log;
    inner.on_message = inner.on_message == NULL ? NULL : on_message;
    inner.arg = headless;
    headless->master = lc_master_new(headless->loop, &inner, error);
    if (headless->master == NULL) {
        return error->code;
    }
    int err = serve_metrics(headless, error);
    if (err < 0) {
        return err;
    }
    err = lc_timer_start(headless->loop, &headless->wait_timer, lc_clock_monotonic_ns(), wait_for_workers);
    if (err < 0) {
        return lc_error_set(error, err, "%s", lc_error_text(err));
    }
    lc_loop_run(headless->loop);
    lc__tables_stop(&headless->tables);
    lc_timer_stop(headless->loop, &headless->wait_timer);
    lc_timer_stop(headless->loop, &headless->run_timer);
    if (headless->result < 0 || !headless->has_begun) {
        return headless->result;
    }
    print_summary(headless);
    bool is_written = lc__tables_flush(headless->options->on_log, headless->options->arg);
    return is_written ? lc_master_exit_code(headless->master) : 1;
}

int
lc_master_run(const struct lc_master_options *given, size_t expected_workers, uint64_t users, double spawn_rate,
              struct lc_error *error)
{
    struct lc_error own;
    error = error == NULL ? &own : error;
    struct lc_master_options options = {0};
    int taken = lc__options_take(&options, sizeof(options), given, error);
    if (taken < 0) {
        return taken;
    }
    if (options.on_state != NULL) {
        return lc_error_set(error, LCE_INVALID, "on_state is for those who run the loop themselves");
    }
    struct headless headless = {.options = &options,
                                .expected_workers = expected_workers == 0 ? 1 : expected_workers,
                                .users = users,
                                .spawn_rate = spawn_rate,
                                .error = error,
                                .loop = lc_loop_new()};
    if (headless.loop == NULL) {
        return lc_error_set(error, LCE_NOMEM, "no loop: out of memory or descriptors");
    }
    headless.signals = lc_signals_new(headless.loop, on_signal, &headless, error);
    int result = headless.signals == NULL ? error->code : run_test(&headless, error);
    lc_signals_free(headless.signals);
    lc_prometheus_server_free(headless.metrics);
    lc__free(headless.metric_users);
    lc__free(headless.metric_workers);
    lc_master_free(headless.master);
    lc_loop_free(headless.loop);
    return result;
}
