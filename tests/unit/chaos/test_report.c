#include <stdlib.h>
#include <unistd.h>

#include "chaos.h"
#include "report/console.h"
#include "report/csv.h"
#include "report/own.h"
#include "report/json.h"
#include "../report/support.h"

static struct lc_stats *stats;
static struct lc_report_options options;
static const struct lc_str node = {"local", 5};
static const struct lc_report_exception exception = {1, {"oops", 4}, {"a\nb", 3}, &node, 1};

static int
set_up(void **state)
{
    stats = make_stats();
    lc_report_options_init(&options);
    return 0;
}

static int
tear_down(void **state)
{
    lc_stats_free(stats);
    return 0;
}

static int
write_all(void)
{
    struct lc_buffer text = {0};
    int err = lc__console_requests(&text, stats, &options);
    if (err == 0) {
        err = lc__console_percentiles(&text, stats, &options);
    }
    if (err == 0) {
        err = lc__console_failures(&text, stats, &options);
    }
    if (err == 0) {
        err = lc__json_entries(&text, stats);
    }
    if (err == 0) {
        err = lc__csv_requests(&text, stats, &options);
    }
    if (err == 0) {
        err = lc__csv_history(&text, stats, &options, 1, 1000);
    }
    if (err == 0) {
        err = lc__csv_failures(&text, stats);
    }
    if (err == 0) {
        err = lc__console_phases(&text, stats, &options);
    }
    if (err == 0) {
        err = lc__csv_exact(&text, stats, &options);
    }
    if (err == 0) {
        err = lc__csv_exceptions(&text, &exception, 1);
    }
    lc_buffer_fini(&text);
    return err;
}

static void
test_texts(void **state)
{
    run_with_every_failure(write_all);
}

static int
write_files(void)
{
    struct lc_error error = {0};
    struct lc_csv *csv = lc_csv_new("chaos", &options, &error);
    if (csv == NULL) {
        assert_int_equal(error.code, LCE_NOMEM);
        return LCE_NOMEM;
    }
    int err = lc_csv_write(csv, stats, &exception, 1, 1, 1000, &error);
    assert_true(err == 0 || error.code == err);
    lc_csv_free(csv);
    return err;
}

static void
test_files(void **state)
{
    char folder[] = "/tmp/lc_chaos_XXXXXX";
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    run_with_every_failure(write_files);
    unlink("chaos_stats.csv");
    unlink("chaos_stats_history.csv");
    unlink("chaos_failures.csv");
    unlink("chaos_exceptions.csv");
    assert_int_equal(chdir("/"), 0);
    rmdir(folder);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_files),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
