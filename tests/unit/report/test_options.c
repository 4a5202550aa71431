/* Options of programs that were built against an older header: each lies at the end of a page behind which nothing may
 * be read, and is as short as it says. */
#include "../support.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/options.h"
#include "locustcore.h"
#include "locustcore/prometheus.h"
#include "locustcore/report.h"
#include "locustcore/rpc.h"

static char *page;
static size_t page_size;

static int
set_up(void **state)
{
    page_size = (size_t)sysconf(_SC_PAGESIZE);
    page = mmap(NULL, 2 * page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page == MAP_FAILED ? -1 : mprotect(page + page_size, page_size, PROT_NONE);
}

static int
tear_down(void **state)
{
    return munmap(page, 2 * page_size);
}

/* The first `size` bytes of the options, which say that there are no more. */
static const void *
shorten(const void *options, size_t size)
{
    char *place = page + page_size - size;
    memcpy(place, options, size);
    memcpy(place, &size, sizeof(size));
    return place;
}
#define SHORTEN(options, member) shorten(&(options), offsetof(__typeof__(options), member))

struct sample {
    size_t size;
    int first, second;
};

static void
test_taking(void **state)
{
    struct lc_error error;
    struct sample full = {sizeof(full), 1, 2}, given = {sizeof(given), 7, 8};
    assert_int_equal(lc__options_take(&full, sizeof(full), SHORTEN(given, second), &error), 0);
    assert_true(full.size == sizeof(full) && full.first == 7 && full.second == 2);
    given.size = 0;
    assert_int_equal(lc__options_take(&full, sizeof(full), &given, &error), LCE_INVALID);
    assert_non_null(strstr(error.text, "size"));
    given.size = sizeof(given) + 8;
    assert_int_equal(lc__options_take(&full, sizeof(full), &given, &error), LCE_INVALID);
    assert_non_null(strstr(error.text, "newer"));
    assert_true(full.size == sizeof(full) && full.first == 7 && full.second == 2);
}

static int
stop_at_once(struct lc_user *user)
{
    struct lc_error error;
    return lc_user_session(user, &error) == NULL ? error.code : LCORE_TASK_STOP;
}

static void
test_who_runs_users(void **state)
{
    struct lc_session_options browser;
    lc_session_options_init(&browser);
    struct lc_task tasks[] = {{.name = "stop", .run = stop_at_once}};
    const struct lc_user_class class = {.size = sizeof(class),
                                        .name = "User",
                                        .host = "http://127.0.0.1:1",
                                        .set = {LCORE_TASKS(tasks)},
                                        .session = SHORTEN(browser, proxy)};
    const struct lc_user_class *const classes[] = {&class};
    struct lc_loop *loop = lc_loop_new();
    struct lc_error error;
    struct lc_http *http = lc_http_new(loop, &error);
    struct lc_runner_options running = {.size = sizeof(running), .classes = classes, .class_count = 1};
    struct lc_runner *runner = lc_runner_new(loop, http, &running, &error);
    assert_int_equal(lc_runner_start(runner, 1, 10, &error), 0);
    for (int i = 0; i < 1000 && lc_runner_state(runner) != LCORE_RUNNER_RUNNING; i++) {
        lc_loop_poll(loop);
    }
    lc_runner_stop(runner);
    while (lc_runner_state(runner) != LCORE_RUNNER_STOPPED) {
        lc_loop_poll(loop);
    }
    assert_int_equal(lc_runner_exception_count(runner), 0);
    lc_runner_free(runner);

    runner = lc_runner_new(loop, http, SHORTEN(running, host), &error);
    assert_non_null(runner);
    lc_runner_free(runner);
    struct lc_meter_options limits;
    lc_meter_options_init(&limits);
    struct lc_meter *meter = lc_meter_new(loop, SHORTEN(limits, starved_limit), &error);
    assert_non_null(meter);
    lc_meter_free(meter);

    struct lc_master_options leading = {
        .size = sizeof(leading), .bind_host = "127.0.0.1", .bind_port = -1, .classes = classes, .class_count = 1};
    struct lc_master *master = lc_master_new(loop, SHORTEN(leading, host), &error);
    assert_non_null(master);
    struct lc_worker_options joining = {.size = sizeof(joining), .master_port = lc_master_port(master)};
    struct lc_worker *worker = lc_worker_new(loop, http, &running, SHORTEN(joining, secret), &error);
    assert_non_null(worker);
    lc_worker_free(worker);
    lc_master_free(master);

    /* What is wrong with them shows before anything else is read of them. */
    running.class_count = leading.class_count = 0;
    assert_int_equal(lc_run(SHORTEN(running, host), 1, 1, &error), LCE_INVALID);
    assert_int_equal(lc_worker_run(SHORTEN(running, host), &joining, &error), LCE_INVALID);
    assert_int_equal(lc_master_run(SHORTEN(leading, host), 1, 1, 1, &error), LCE_INVALID);
    lc_http_free(http);
    lc_loop_free(loop);
}

static void
test_reports(void **state)
{
    struct lc_stats *stats = lc_stats_new();
    struct lc_report_options options;
    lc_report_options_init(&options);
    FILE *out = fopen("/dev/null", "w");
    assert_int_equal(lc_report_print_requests(out, stats, SHORTEN(options, type_width)), 0);
    assert_int_equal(lc_report_print_percentiles(out, stats, SHORTEN(options, percentiles)), 0);
    struct lc_prometheus_options metrics;
    lc_prometheus_options_init(&metrics);
    assert_int_equal(lc_report_print_prometheus(out, stats, SHORTEN(metrics, name_limit)), 0);
    char folder[] = "/tmp/cload-options-XXXXXX", prefix[64];
    assert_non_null(mkdtemp(folder));
    snprintf(prefix, sizeof(prefix), "%s/a", folder);
    struct lc_error error;
    struct lc_csv *csv = lc_csv_new(prefix, SHORTEN(options, recent_s), &error);
    assert_non_null(csv);
    lc_csv_free(csv);
    static const char *const files[] = {"stats", "stats_history", "failures", "exceptions", "phases"};
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        snprintf(prefix, sizeof(prefix), "%s/a_%s.csv", folder, files[i]);
        assert_int_equal(unlink(prefix), 0);
    }
    assert_int_equal(rmdir(folder), 0);
    options.size = 0;
    assert_int_equal(lc_report_print_requests(out, stats, &options), LCE_INVALID);
    assert_null(lc_csv_new(prefix, &options, &error));
    fclose(out);
    lc_stats_free(stats);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_taking, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who_runs_users, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_reports, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
