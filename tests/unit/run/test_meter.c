#include "locustcore/meter.h"
#include "locustcore/run.h"

#include <sys/syscall.h>
#include <unistd.h>

#include "../support.h"
#include "base/clock.h"
#include "stats/table.h"

static time_t clock_is_ahead_s;

/* The C library's, with a clock of the day that can be set. */
int
clock_gettime(clockid_t clock, struct timespec *now)
{
    int err = (int)syscall(SYS_clock_gettime, clock, now);
    now->tv_sec += clock == CLOCK_REALTIME ? clock_is_ahead_s : 0;
    return err;
}

/* Limits that only what a test does on purpose reaches, however busy the machine is; and the other way round. */
static struct lc_meter_options
limits(double delay_ms)
{
    struct lc_meter_options options;
    lc_meter_options_init(&options);
    options.delay_limit_ms = delay_ms;
    options.busy_limit = options.starved_limit = 1e9;
    return options;
}

static void
stop_loop(struct lc_timer *timer)
{
    struct lc_loop **loop = (struct lc_loop **)(timer + 1);
    lc_loop_stop(*loop);
}

static void
run_for(struct lc_loop *loop, int64_t ns)
{
    struct {
        struct lc_timer timer;
        struct lc_loop *loop;
    } end = {.loop = loop};
    assert_int_equal(lc_timer_start(loop, &end.timer, lc_clock_monotonic_ns() + ns, stop_loop), 0);
    lc_loop_run(loop);
}

static void
block_for(int64_t ns)
{
    int64_t until_ns = lc_clock_monotonic_ns() + ns;
    while (lc_clock_monotonic_ns() < until_ns) {
    }
}

struct blocker {
    struct lc_timer timer;
    struct lc_stats *stats;
};

static void
hold_up(struct lc_timer *timer)
{
    struct lc_stats *stats = ((struct blocker *)timer)->stats;
    assert_int_equal(lc_stats_log_request(stats, lc_stats_at(stats, 0), 1000000, 0, 1000), 0);
    block_for(1300 * LCORE_NS_PER_MS);
}

static void
test_a_loop_that_is_held_up_is_marked_and_left_out(void **state)
{
    struct lc_loop *loop = lc_loop_new();
    struct lc_meter_options options = limits(250);
    struct lc_meter *meter = lc_meter_new(loop, &options, NULL);
    assert_non_null(meter);
    struct lc_stats *stats = lc_stats_new();
    struct lc_stats_entry *entry = lc_stats_entry(stats, LCORE_STR("/a"), LCORE_STR("GET"));
    assert_int_equal(lc_meter_begin(meter, stats), 0);
    struct blocker blocker = {.stats = stats};
    int64_t begin_s = lc_clock_realtime_ns() / LCORE_NS_PER_S;
    int64_t due_ns = lc_clock_monotonic_ns() + 20 * LCORE_NS_PER_MS;
    assert_int_equal(lc_timer_start(loop, &blocker.timer, due_ns, hold_up), 0);
    run_for(loop, 1500 * LCORE_NS_PER_MS);
    assert_int_equal(lc_meter_end(meter), 0);
    struct lc_meter_numbers numbers;
    lc_meter_numbers(meter, &numbers);
    assert_int_equal(numbers.delay_seconds, numbers.lagging_seconds);
    assert_true(numbers.delay_max_ms >= 250 && numbers.busy_seconds == 0 && numbers.starved_seconds == 0);
    assert_true(numbers.cpu_max > 0 && numbers.cpu_average <= numbers.cpu_max);
    size_t position = 0;
    int64_t first_s, last_s;
    assert_true(lc_meter_next_mark(meter, &position, &first_s, &last_s));
    assert_true(first_s >= begin_s && last_s <= lc_clock_realtime_ns() / LCORE_NS_PER_S);
    assert_int_equal(numbers.lagging_seconds, last_s - first_s + 1);
    assert_true(numbers.lagging_seconds >= 2 && numbers.seconds >= numbers.lagging_seconds);
    assert_false(lc_meter_next_mark(meter, &position, &first_s, &last_s));
    assert_int_equal(lc_meter_mark_count(meter), position);
    uint64_t requests, failures;
    lc_stats_left_out(stats, &requests, &failures);
    assert_int_equal(requests, 1);
    assert_int_equal(entry->request_count, 0);
    lc_meter_free(meter);
    lc_stats_free(stats);
    lc_loop_free(loop);
}

/* The hours by which it was are no seconds of the test. */
static void
test_a_clock_that_is_set_is_no_lag(void **state)
{
    struct lc_loop *loop = lc_loop_new();
    struct lc_meter_options options = limits(0); /* every second is marked */
    struct lc_meter *meter = lc_meter_new(loop, &options, NULL);
    assert_non_null(meter);
    assert_int_equal(lc_meter_begin(meter, NULL), 0);
    int64_t begin_ns = lc_clock_monotonic_ns();
    for (int i = 0; i < 2; i++) {
        clock_is_ahead_s = i == 0 ? 7200 : -7200;
        run_for(loop, 120 * LCORE_NS_PER_MS);
    }
    assert_int_equal(lc_meter_end(meter), 0);
    clock_is_ahead_s = 0;
    struct lc_meter_numbers numbers;
    lc_meter_numbers(meter, &numbers);
    /* Each of the parts counts as the seconds it touches. */
    uint64_t most = 6 + 2 * (uint64_t)((lc_clock_monotonic_ns() - begin_ns) / LCORE_NS_PER_S);
    assert_true(numbers.lagging_seconds >= 2 && numbers.lagging_seconds <= most);
    assert_int_equal(numbers.seconds, numbers.lagging_seconds);
    lc_meter_free(meter);
    lc_loop_free(loop);
}

static void
test_a_loop_that_is_well_is_not(void **state)
{
    struct lc_loop *loop = lc_loop_new();
    struct lc_meter_options options = limits(1e9);
    struct lc_meter *meter = lc_meter_new(loop, &options, NULL);
    assert_non_null(meter);
    struct lc_stats *stats = lc_stats_new();
    struct lc_stats_entry *entry = lc_stats_entry(stats, LCORE_STR("/a"), LCORE_STR("GET"));
    assert_int_equal(lc_meter_begin(meter, stats), 0);
    assert_int_equal(lc_stats_log_request(stats, entry, 1000000, 0, 1000), 0);
    run_for(loop, 1200 * LCORE_NS_PER_MS); /* a whole second, wherever it begins */
    assert_int_equal(entry->request_count, 1);
    struct lc_meter_second second;
    uint64_t position = 0;
    assert_true(lc_meter_next_second(meter, &position, &second));
    assert_true(second.lag == 0 && second.first_unix_s <= second.last_unix_s && second.cpu >= 0);
    /* What a second test begins with */
    assert_int_equal(lc_meter_begin(meter, NULL), 0);
    assert_int_equal(lc_stats_log_request(stats, entry, 1000000, 0, 1000), 0);
    assert_int_equal(entry->request_count, 2);
    struct lc_meter_numbers numbers;
    lc_meter_numbers(meter, &numbers);
    assert_true(numbers.seconds == 0 && numbers.cpu_average == 0);
    lc_meter_free(meter);
    lc_meter_free(NULL);
    lc_stats_free(stats);
    lc_loop_free(loop);
}

static void
test_a_thread_that_uses_its_core_is_busy(void **state)
{
    struct lc_loop *loop = lc_loop_new();
    struct lc_meter_options options = limits(1e9);
    options.busy_limit = 0.1; /* others may want the core as well */
    struct lc_meter *meter = lc_meter_new(loop, &options, NULL);
    assert_non_null(meter);
    assert_int_equal(lc_meter_begin(meter, NULL), 0);
    block_for(200 * LCORE_NS_PER_MS);
    assert_int_equal(lc_meter_end(meter), 0);
    struct lc_meter_numbers numbers;
    lc_meter_numbers(meter, &numbers);
    assert_int_equal(numbers.busy_seconds, numbers.seconds);
    assert_true(numbers.seconds >= 1);
    lc_meter_free(meter);
    lc_loop_free(loop);
}

static int
counting_task(struct lc_user *user)
{
    assert_int_equal(lc_user_count(user, "T", "n", 5 * LCORE_NS_PER_MS, 1, "odd"), 0);
    return lc_user_sleep(user, LCORE_NS_PER_MS);
}

static void
stop_when_stopped(struct lc_runner *runner, enum lc_runner_state state, void *arg)
{
    if (state == LCORE_RUNNER_STOPPED) {
        lc_loop_stop(arg);
    }
}

/* What is counted by a runner whose seconds are all marked, or none. */
static void
run_load(bool is_marked, uint64_t *counted, uint64_t *left_out)
{
    static const struct lc_task tasks[] = {{.name = "t", .run = counting_task}};
    static const struct lc_user_class class = {
        .size = sizeof(struct lc_user_class), .name = "Counter", .set = {LCORE_TASKS(tasks)}};
    static const struct lc_user_class *const classes[] = {&class};
    struct lc_error error;
    struct lc_loop *loop = lc_loop_new();
    struct lc_http *http = lc_http_new(loop, &error);
    struct lc_meter_options meter = limits(is_marked ? 0 : 1e9);
    struct lc_runner_options options = {.size = sizeof(options),
                                        .classes = classes,
                                        .class_count = 1,
                                        .run_time_ns = 200 * LCORE_NS_PER_MS,
                                        .is_excluding_lag = true,
                                        .meter = &meter,
                                        .on_state = stop_when_stopped,
                                        .arg = loop};
    struct lc_runner *runner = lc_runner_new(loop, http, &options, &error);
    assert_non_null(runner);
    assert_int_equal(lc_runner_start(runner, 2, 100, &error), 0);
    lc_loop_run(loop);
    struct lc_meter_numbers numbers;
    lc_meter_numbers(lc_runner_meter(runner), &numbers);
    assert_true(numbers.seconds >= 1 && numbers.lagging_seconds == (is_marked ? numbers.seconds : 0));
    uint64_t failures;
    lc_stats_left_out(lc_runner_stats(runner), left_out, &failures);
    assert_int_equal(failures, *left_out);
    struct lc_stats_numbers total;
    lc_stats_entry_numbers(lc_stats_total(lc_runner_stats(runner)), &total);
    *counted = total.request_count;
    assert_int_equal(total.failure_count, total.request_count);
    lc_runner_free(runner);
    lc_http_free(http);
    lc_loop_free(loop);
}

static void
test_a_runner_leaves_out_what_was_marked(void **state)
{
    uint64_t counted, left_out;
    run_load(false, &counted, &left_out);
    assert_true(counted > 0 && left_out == 0);
    run_load(true, &counted, &left_out);
    assert_true(left_out > 0 && counted < left_out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_loop_that_is_held_up_is_marked_and_left_out),
        cmocka_unit_test(test_a_clock_that_is_set_is_no_lag),
        cmocka_unit_test(test_a_loop_that_is_well_is_not),
        cmocka_unit_test(test_a_thread_that_uses_its_core_is_busy),
        cmocka_unit_test(test_a_runner_leaves_out_what_was_marked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
