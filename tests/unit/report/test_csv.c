#include "report/csv.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "support.h"

static void
init_options(struct lc_report_options *options)
{
    static const double percentiles[] = {0.5, 0.999};
    lc_report_options_init(options);
    options->percentiles = percentiles;
    options->percentile_count = 2;
}

/* REP-31 to REP-33 */
static void
test_requests(void **state)
{
    struct lc_stats *stats = make_stats();
    struct lc_report_options options;
    init_options(&options);
    struct lc_buffer text = {0};
    assert_int_equal(lc__csv_requests_header(&text, &options), 0);
    assert_int_equal(lc__csv_requests(&text, stats, &options), 0);
    assert_text(&text, "Type,Name,Request Count,Failure Count,Median Response Time,Average Response Time,"
                       "Min Response Time,Max Response Time,Average Content Size,Requests/s,Failures/s,50%,99.9%\r\n"
                       "POST,/a,0,0,0,0.0,0,0,0,0.0,0.0,N/A,N/A\r\n"
                       "GET,/b,2,1,20,11.875,3.5,20.25,7.5,0.2,0.1,20,20\r\n"
                       ",Aggregated,2,1,20,11.875,3.5,20.25,7.5,0.2,0.1,20,20\r\n");
    lc_stats_free(stats);
}

/* REP-35, REP-36 */
static void
test_history(void **state)
{
    struct lc_stats *stats = make_stats();
    struct lc_report_options options;
    init_options(&options);
    struct lc_buffer text = {0};
    assert_int_equal(lc__csv_history(&text, stats, &options, 8, 1000.9), 0);
    assert_text(&text, "1000,8,,Aggregated,0.000000,0.000000,20,20,2,1,20,11.875,3.5,20.25,7.5\r\n");
    options.is_every_row = true;
    assert_int_equal(lc__csv_history(&text, stats, &options, 8, 1000.9), 0);
    assert_text(&text, "1000,8,POST,/a,0.000000,0.000000,N/A,N/A,0,0,0,0.0,0,0,0\r\n"
                       "1000,8,GET,/b,0.000000,0.000000,0,0,2,1,20,11.875,3.5,20.25,7.5\r\n"
                       "1000,8,,Aggregated,0.000000,0.000000,20,20,2,1,20,11.875,3.5,20.25,7.5\r\n");
    lc_stats_free(stats);
}

/* REP-29, REP-34 */
static void
test_failures_and_exceptions_are_quoted(void **state)
{
    struct lc_stats *stats = make_stats();
    struct lc_buffer text = {0};
    assert_int_equal(lc__csv_failures(&text, stats), 0);
    assert_text(&text,
                "GET,/b,\"CatchResponseError('it\\'s, \"\"x\"\"')\",1,1970-01-01T00:16:40Z,1970-01-01T00:16:40Z\r\n");
    const struct lc_str nodes[] = {LCORE_STR("one"), LCORE_STR("two")};
    const struct lc_report_exception exception = {24, LCORE_STR("oops"), LCORE_STR("a\nb\n"), nodes, 2};
    assert_int_equal(lc__csv_exceptions(&text, &exception, 1), 0);
    assert_text(&text, "24,oops,\"a\nb\n\",\"one, two\"\r\n");
    const struct lc_report_exception spoiled = {1, LCORE_STR("\xff \xc3\xa9 \xe2\x82"), LCORE_STR("\xc3\""), NULL, 0};
    assert_int_equal(lc__csv_exceptions(&text, &spoiled, 1), 0);
    assert_text(&text, "1,\xef\xbf\xbd \xc3\xa9 \xef\xbf\xbd\xef\xbf\xbd,\"\xef\xbf\xbd\"\"\",\r\n");
    lc_stats_free(stats);
}

/* REP-33 */
static void
test_failures_are_sorted_by_key(void **state)
{
    struct lc_stats *stats = lc_stats_new();
    assert_non_null(stats);
    struct lc_stats_entry *entry = lc_stats_entry(stats, LCORE_STR("/a"), LCORE_STR("GET"));
    assert_non_null(entry);
    static const char *const texts[] = {"1", "2", "3", "4"};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(lc_stats_log_failure(stats, entry, lc_str_from(texts[i]), 0), 0);
    }
    struct lc_buffer text = {0};
    assert_int_equal(lc__csv_failures(&text, stats), 0);
    assert_int_equal(lc_buffer_append(&text, "", 1), 0);
    const char *at = text.data;
    /* of the SHA-256 sums of GET./a.'1' and so on */
    static const char order[] = "3124";
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(at[strlen("GET,/a,")], order[i]);
        at = strstr(at, "\r\n") + 2;
    }
    lc_buffer_fini(&text);
    lc_stats_free(stats);
}

static char *
read_file(const char *prefix, const char *suffix)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s%s", prefix, suffix);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    char *text = calloc(1, 4096);
    assert_non_null(text);
    (void)!fread(text, 1, 4095, file);
    fclose(file);
    unlink(path);
    return text;
}

/* REP-28, REP-30 */
static void
test_files(void **state)
{
    char folder[] = "/tmp/lc_csv_XXXXXX";
    char prefix[64];
    assert_non_null(mkdtemp(folder));
    snprintf(prefix, sizeof(prefix), "%s/run", folder);
    struct lc_report_options options;
    init_options(&options);
    struct lc_error error = {0};
    struct lc_csv *csv = lc_csv_new(prefix, &options, &error);
    assert_non_null(csv);
    struct lc_stats *stats = make_stats();
    const struct lc_report_exception exception = {1, LCORE_STR("oops"), LCORE_STR("t"), NULL, 0};
    assert_int_equal(lc_csv_write(csv, stats, &exception, 1, 8, 1000, &error), 0);
    lc_stats_clear(stats, 2000);
    assert_int_equal(lc_csv_write(csv, stats, NULL, 0, 9, 2000, &error), 0);
    lc_csv_free(csv);
    lc_stats_free(stats);

    char *requests = read_file(prefix, "_stats.csv");
    assert_string_equal(strchr(requests, '\n') + 1, ",Aggregated,0,0,0,0.0,0,0,0,0.0,0.0,N/A,N/A\r\n");
    char *history = read_file(prefix, "_stats_history.csv");
    assert_memory_equal(history, "Timestamp,User Count,Type,Name,Requests/s,Failures/s,50%,99.9%,Total Request Count,",
                        83);
    assert_non_null(strstr(history, "\r\n1000,8,,Aggregated,"));
    assert_non_null(strstr(history, "\r\n2000,9,,Aggregated,"));
    char *failures = read_file(prefix, "_failures.csv");
    assert_string_equal(failures, "Method,Name,Error,Occurrences,First Seen,Last Seen\r\n");
    char *exceptions = read_file(prefix, "_exceptions.csv");
    assert_string_equal(exceptions, "Count,Message,Traceback,Nodes\r\n");
    free(requests);
    free(history);
    free(failures);
    free(exceptions);
    rmdir(folder);
}

static void
test_what_cannot_be_written_is_told(void **state)
{
    struct lc_report_options options;
    init_options(&options);
    struct lc_error error = {0};
    assert_null(lc_csv_new("/nonexistent/run", &options, &error));
    assert_int_equal(error.errnum, ENOENT);
    assert_non_null(strstr(error.text, "/nonexistent/run_stats.csv"));
    if (access("/dev/full", W_OK) == 0) {
        char folder[] = "/tmp/lc_csv_XXXXXX";
        char path[PATH_MAX];
        assert_non_null(mkdtemp(folder));
        snprintf(path, sizeof(path), "%s/run_stats.csv", folder);
        assert_int_equal(symlink("/dev/full", path), 0);
        char prefix[64];
        snprintf(prefix, sizeof(prefix), "%s/run", folder);
        assert_null(lc_csv_new(prefix, &options, &error));
        assert_int_equal(error.errnum, ENOSPC);
        unlink(path);
        rmdir(folder);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_history),
        cmocka_unit_test(test_failures_and_exceptions_are_quoted),
        cmocka_unit_test(test_failures_are_sorted_by_key),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_what_cannot_be_written_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
