#include "report/console.h"

#include "support.h"

static void
init_options(struct lc_report_options *options)
{
    static const double percentiles[] = {0.5, 0.999};
    lc_report_options_init(options);
    options->name_width = 20;
    options->percentiles = percentiles;
    options->percentile_count = 2;
}

/* CLI-102, CLI-103 */
static void
test_requests(void **state)
{
    struct lc_stats *stats = make_stats();
    struct lc_report_options options;
    init_options(&options);
    options.is_whole_run = true;
    struct lc_buffer text = {0};
    assert_int_equal(lc__console_requests(&text, stats, &options), 0);
    assert_text(
        &text,
        "Type     Name              # reqs      # fails |    Avg     Min     Max    Med |   req/s  failures/s\n"
        "--------|----------------|-------|-------------|-------|-------|-------|-------|--------|-----------\n"
        "POST     /a                     0     0(0.00%) |      0       0       0      0 |    0.00        0.00\n"
        "GET      /b                     2    1(50.00%) |     11       3      20     20 |    0.20        0.10\n"
        "--------|----------------|-------|-------------|-------|-------|-------|-------|--------|-----------\n"
        "         Aggregated             2    1(50.00%) |     11       3      20     20 |    0.20        0.10\n");
    lc_stats_free(stats);
}

/* CLI-100 */
static void
test_percentiles(void **state)
{
    struct lc_stats *stats = make_stats();
    struct lc_report_options options;
    init_options(&options);
    struct lc_buffer text = {0};
    assert_int_equal(lc__console_percentiles(&text, stats, &options), 0);
    assert_text(&text, "Response time percentiles (approximated)\n"
                       "Type     Name                      50%  99.9% # reqs\n"
                       "--------|--------------------|--------|------|------\n"
                       "GET      /b                         20     20      2\n"
                       "--------|--------------------|--------|------|------\n"
                       "         Aggregated                 20     20      2\n");
    lc_stats_free(stats);
}

/* CLI-104 */
static void
test_failures(void **state)
{
    struct lc_stats *stats = make_stats();
    struct lc_report_options options;
    init_options(&options);
    struct lc_buffer text = {0};
    struct lc_buffer expected = {0};
    const char *rule =
        "------------------|-----------------------------------------------------------------------------"
        "----\n";
    assert_int_equal(lc_buffer_append_format(&expected, "Error report\n%-18s %-100s\n%s%-18d %-100s\n%s\n",
                                             "# occurrences", "Error", rule, 1, "GET /b: it's, \"x\"", rule),
                     0);
    assert_int_equal(lc__console_failures(&text, stats, &options), 0);
    assert_text(&text, expected.data);
    lc_buffer_fini(&expected);
    lc_stats_free(stats);
}

static void
test_print_writes_to_a_stream(void **state)
{
    struct lc_stats *stats = make_stats();
    struct lc_report_options options;
    init_options(&options);
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_int_equal(lc_report_print_requests(file, stats, &options), 0);
    assert_int_equal(lc_report_print_percentiles(file, stats, &options), 0);
    long before = ftell(file);
    assert_true(before > 600);
    assert_int_equal(lc_report_print_failures(file, stats, &options), 0);
    assert_true(ftell(file) > before);
    lc_stats_reset(stats, 1);
    before = ftell(file);
    assert_int_equal(lc_report_print_failures(file, stats, &options), 0);
    assert_int_equal(ftell(file), before);
    fclose(file);
    lc_stats_free(stats);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_percentiles),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_print_writes_to_a_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
