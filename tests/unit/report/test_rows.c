#include "report/rows.h"

#include "support.h"

static void
test_rows_in_order_of_use_then_the_aggregate(void **state)
{
    struct lc_stats *stats = make_stats();
    const double percentiles[] = {0.5, 1};
    struct lc_report_options options;
    lc_report_options_init(&options);
    options.percentiles = percentiles;
    options.percentile_count = 2;
    struct lc_phases phases = {.ns = {-1, -1, -1, 2000000, -1, -1}};
    assert_int_equal(lc_stats_log_phases(stats, lc_stats_at(stats, 0), &phases), 0);
    struct lc_buffer text = {0};
    assert_int_equal(lc__json_rows(&text, stats, 0, 1, &options), 0);
    assert_text(&text, "[\"GET\",\"/b\",2,1,20,11.875,3.5,20.25,7.5,0,0,0.2,0.1,[20,20],"
                       "[null,null,null,[2,2],null,null]]");
    text = (struct lc_buffer){0};
    assert_int_equal(lc__json_rows(&text, stats, lc_stats_count(stats), 100, &options), 0);
    assert_memory_equal(text.data, "[\"\",\"Aggregated\",", 17);
    lc_buffer_fini(&text);
    lc_stats_free(stats);
}

static void
test_no_requests_are_zeros(void **state)
{
    struct lc_stats *stats = lc_stats_new();
    assert_non_null(stats);
    assert_non_null(lc_stats_entry(stats, LCORE_STR("\"\n"), LCORE_STR("")));
    struct lc_report_options options;
    lc_report_options_init(&options);
    options.percentile_count = 0;
    struct lc_buffer text = {0};
    assert_int_equal(lc__json_rows(&text, stats, 0, 1, &options), 0);
    assert_text(&text, "[\"\",\"\\\"\\n\",0,0,0,0,0,0,0,0,0,0,0,[],[null,null,null,null,null,null]]");
    lc_stats_free(stats);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_in_order_of_use_then_the_aggregate),
        cmocka_unit_test(test_no_requests_are_zeros),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
