#include "report/json.h"

#include "support.h"

/* REP-38 to REP-40 */
static void
test_entries_in_order_of_use(void **state)
{
    struct lc_stats *stats = make_stats();
    struct lc_buffer text = {0};
    assert_int_equal(lc__json_entries(&text, stats), 0);
    assert_text(&text, "[\n"
                       "    {\n"
                       "        \"name\": \"/b\",\n"
                       "        \"method\": \"GET\",\n"
                       "        \"last_request_timestamp\": 1000.0,\n"
                       "        \"start_time\": 990.0,\n"
                       "        \"num_requests\": 2,\n"
                       "        \"num_none_requests\": 0,\n"
                       "        \"num_failures\": 1,\n"
                       "        \"total_response_time\": 23.75,\n"
                       "        \"max_response_time\": 20.25,\n"
                       "        \"min_response_time\": 3.5,\n"
                       "        \"total_content_length\": 15,\n"
                       "        \"response_times\": {\n"
                       "            \"4\": 1,\n"
                       "            \"20\": 1\n"
                       "        },\n"
                       "        \"num_reqs_per_sec\": {\n"
                       "            \"1000\": 2\n"
                       "        },\n"
                       "        \"num_fail_per_sec\": {\n"
                       "            \"1000\": 1\n"
                       "        }\n"
                       "    }\n"
                       "]");
    lc_stats_free(stats);
}

static void
test_nothing_is_an_empty_list(void **state)
{
    struct lc_stats *stats = lc_stats_new();
    assert_non_null(stats);
    assert_non_null(lc_stats_entry(stats, LCORE_STR("/unused"), LCORE_STR("GET")));
    struct lc_buffer text = {0};
    assert_int_equal(lc__json_entries(&text, stats), 0);
    assert_text(&text, "[]");
    lc_stats_free(stats);
}

static void
test_failure_alone(void **state)
{
    struct lc_stats *stats = lc_stats_new();
    assert_non_null(stats);
    struct lc_stats_entry *entry = lc_stats_entry(stats, LCORE_STR("\"\n\xff\xc3\xa9"), LCORE_STR(""));
    assert_non_null(entry);
    assert_int_equal(lc_stats_log_failure(stats, entry, LCORE_STR("x"), 1000), 0);
    struct lc_buffer text = {0};
    assert_int_equal(lc__json_entries(&text, stats), 0);
    assert_int_equal(lc_buffer_append(&text, "", 1), 0);
    assert_non_null(strstr(
        text.data,
        "\"name\": \"\\\"\\n\\uFFFD\\u00E9\",\n        \"method\": \"\",\n        \"last_request_timestamp\": null"));
    assert_non_null(strstr(text.data, "\"min_response_time\": null,"));
    assert_non_null(strstr(text.data, "\"response_times\": {},\n        \"num_reqs_per_sec\": {},"));
    lc_buffer_fini(&text);
    lc_stats_free(stats);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entries_in_order_of_use),
        cmocka_unit_test(test_nothing_is_an_empty_list),
        cmocka_unit_test(test_failure_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
