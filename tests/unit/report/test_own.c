/* Phases, exact percentiles, how the generator coped. */
#include "report/own.h"

#include "support.h"
#include "locustcore/meter.h"

static struct lc_stats *
make_phased(void)
{
    struct lc_stats *stats = make_stats();
    struct lc_phases phases = {.ns = {-1, 2500000, -1, 0, 10000000, 5000}};
    assert_int_equal(lc_stats_log_phases(stats, lc_stats_at(stats, 0), &phases), 0);
    phases.ns[LCORE_PHASE_FIRST_BYTE] = 20000000;
    assert_int_equal(lc_stats_log_phases(stats, lc_stats_at(stats, 0), &phases), 0);
    return stats;
}

static void
init_options(struct lc_report_options *options)
{
    static const double percentiles[] = {0.5, 0.99999, 1};
    lc_report_options_init(options);
    options->name_width = 12;
    options->percentiles = percentiles;
    options->percentile_count = 3;
}

static void
test_phases(void **state)
{
    struct lc_stats *stats = make_phased();
    struct lc_report_options options;
    init_options(&options);
    struct lc_buffer text = {0};
    assert_int_equal(lc__console_phases(&text, stats, &options), 0);
    assert_text(
        &text,
        "Phases of requests (ms, average and largest)\n"
        "Type     Name                DNS      max    Connect      max        TLS      max      Queue      max First "
        "byte      max   Transfer      max\n"
        "--------|------------|-------------------|-------------------|-------------------|-------------------|-----"
        "--------------|-------------------\n"
        "GET      /b                   -         -      2.50      2.50         -         -      0.00      0.00     "
        "15.00     20.00      0.01      0.01\n"
        "--------|------------|-------------------|-------------------|-------------------|-------------------|-----"
        "--------------|-------------------\n"
        "         Aggregated           -         -      2.50      2.50         -         -      0.00      0.00     "
        "15.00     20.00      0.01      0.01\n");
    text = (struct lc_buffer){0};
    assert_int_equal(lc__csv_phases_header(&text), 0);
    assert_text(&text, "Type,Name,DNS Count,DNS Average,DNS Max,Connect Count,Connect Average,Connect Max,TLS Count,"
                       "TLS Average,TLS Max,Queue Count,Queue Average,Queue Max,First byte Count,First byte Average,"
                       "First byte Max,Transfer Count,Transfer Average,Transfer Max\r\n");
    text = (struct lc_buffer){0};
    assert_int_equal(lc__csv_phases(&text, stats), 0);
    assert_text(&text, "POST,/a,0,0.0,0.0,0,0.0,0.0,0,0.0,0.0,0,0.0,0.0,0,0.0,0.0,0,0.0,0.0\r\n"
                       "GET,/b,0,0.0,0.0,2,2.5,2.5,0,0.0,0.0,2,0.0,0.0,2,15.0,20.0,2,0.005,0.005\r\n"
                       ",Aggregated,0,0.0,0.0,2,2.5,2.5,0,0.0,0.0,2,0.0,0.0,2,15.0,20.0,2,0.005,0.005\r\n");
    lc_stats_free(stats);
}

static void
test_exact_percentiles(void **state)
{
    struct lc_stats *stats = make_stats();
    struct lc_report_options options;
    init_options(&options);
    struct lc_buffer text = {0};
    assert_int_equal(lc__console_exact(&text, stats, &options), 0);
    assert_text(&text, "Response time percentiles (ms, true to 0.1 %)\n"
                       "Type     Name                50%    99.999%       100%     # reqs\n"
                       "--------|------------|----------|----------|----------|----------\n"
                       "GET      /b                3.501     20.247     20.250          2\n"
                       "--------|------------|----------|----------|----------|----------\n"
                       "         Aggregated        3.501     20.247     20.250          2\n");
    text = (struct lc_buffer){0};
    assert_int_equal(lc__csv_exact_header(&text, &options), 0);
    assert_int_equal(lc__csv_exact(&text, stats, &options), 0);
    assert_text(&text, "Type,Name,50%,99.999%,100%\r\nPOST,/a,N/A,N/A,N/A\r\nGET,/b,3.501,20.247,20.250\r\n"
                       ",Aggregated,3.501,20.247,20.250\r\n");
    lc_stats_free(stats);
}

static void
test_they_are_printed(void **state)
{
    struct lc_stats *stats = make_phased();
    struct lc_report_options options;
    init_options(&options);
    struct lc_loop *loop = lc_loop_new();
    struct lc_meter_options limits;
    lc_meter_options_init(&limits);
    struct lc_meter *meter = lc_meter_new(loop, &limits, NULL);
    assert_non_null(meter);
    char text[4096] = "";
    FILE *file = fmemopen(text, sizeof(text), "w");
    assert_int_equal(lc_report_print_phases(file, stats, &options), 0);
    assert_int_equal(lc_report_print_exact_percentiles(file, stats, &options), 0);
    assert_int_equal(lc_report_print_generator(file, meter, stats), 0);
    fclose(file);
    assert_non_null(strstr(text, "Phases of requests"));
    assert_non_null(strstr(text, "true to 0.1 %"));
    assert_non_null(strstr(text, "Generator: CPU 0 % on average"));
    assert_null(strstr(text, "Left out"));
    lc_meter_free(meter);
    lc_loop_free(loop);
    lc_stats_free(stats);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_phases),
        cmocka_unit_test(test_exact_percentiles),
        cmocka_unit_test(test_they_are_printed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
