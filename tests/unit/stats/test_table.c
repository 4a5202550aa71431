#include "stats/table.h"

#include <stdio.h>

#include "../support.h"

/* REP-1, REP-2, REP-3 */
static void
test_requests_and_failures_count_in_entry_and_total(void **state)
{
    struct lc_stats *stats = lc_stats_new();
    assert_non_null(stats);
    struct lc_stats_entry *entry = lc_stats_entry(stats, LCORE_STR("/a"), LCORE_STR("GET"));
    assert_ptr_equal(entry, lc_stats_entry(stats, LCORE_STR("/a"), LCORE_STR("GET")));
    assert_ptr_not_equal(entry, lc_stats_entry(stats, LCORE_STR("/a"), LCORE_STR("POST")));
    assert_int_equal(lc_stats_count(stats), 2);
    assert_int_equal(lc_stats_log_request(stats, entry, 147600000, 12, 1000.5), 0);
    assert_int_equal(lc_stats_log_request(stats, entry, -1, 3, 1000.6), 0);
    assert_int_equal(lc_stats_log_failure(stats, lc_stats_at(stats, 1), LCORE_STR("boom"), 1001), 0);
    struct lc_stats_numbers numbers;
    lc_stats_entry_numbers(entry, &numbers);
    assert_int_equal(numbers.request_count, 2);
    assert_int_equal(numbers.none_count, 1);
    assert_int_equal(numbers.content_bytes, 15);
    assert_true(numbers.total_ms == 147.6);
    lc_stats_entry_numbers(lc_stats_total(stats), &numbers);
    assert_int_equal(numbers.request_count, 2);
    assert_int_equal(numbers.failure_count, 1);
    assert_memory_equal(numbers.name.data, "Aggregated", 10);
    assert_int_equal(numbers.method.len, 0);
    struct lc_stats_failure failure;
    assert_int_equal(lc_stats_failure_count(stats), 1);
    lc_stats_failure_at(stats, 0, &failure);
    assert_memory_equal(failure.method.data, "POST", 4);
    assert_memory_equal(failure.text.data, "boom", 4);
    assert_true(failure.first_seen_unix_s == 1001 && !failure.is_remote);
    lc_stats_free(stats);
}

/* REP-17, REP-23 */
static void
test_reset_keeps_rows_and_clear_does_not(void **state)
{
    struct lc_stats *stats = lc_stats_new();
    assert_non_null(stats);
    struct lc_stats_entry *entry = lc_stats_entry(stats, LCORE_STR("/a"), LCORE_STR("GET"));
    assert_int_equal(lc_stats_log_request(stats, entry, 1000000, 0, 1000), 0);
    assert_int_equal(lc_stats_log_failure(stats, entry, LCORE_STR("x"), 1000), 0);
    uint64_t generation = lc_stats_generation(stats);
    lc_stats_reset(stats, 2000);
    struct lc_stats_numbers numbers;
    lc_stats_entry_numbers(entry, &numbers);
    assert_true(numbers.request_count == 0 && numbers.failure_count == 0 && numbers.start_unix_s == 2000);
    assert_int_equal(lc_stats_failure_count(stats), 0);
    assert_int_equal(lc_stats_count(stats), 1);
    assert_int_equal(lc_stats_generation(stats), generation);
    lc_stats_clear(stats, 3000);
    assert_int_equal(lc_stats_count(stats), 0);
    assert_true(lc_stats_generation(stats) > generation);
    lc_stats_entry_numbers(lc_stats_total(stats), &numbers);
    assert_true(numbers.start_unix_s == 3000);
    lc_stats_free(stats);
}

static void
test_a_cleared_entry_that_is_held_keeps_its_numbers(void **state)
{
    struct lc_stats *stats = lc_stats_new();
    assert_non_null(stats);
    struct lc_stats_entry *held = lc__stats_entry_ref(lc_stats_entry(stats, LCORE_STR("/a"), LCORE_STR("GET")));
    assert_int_equal(lc_stats_log_request(stats, held, 1000000, 0, 1000), 0);
    assert_int_equal(lc_stats_log_failure(stats, held, LCORE_STR("x"), 1000), 0);
    lc_stats_clear(stats, 2000);
    assert_ptr_not_equal(held, lc_stats_entry(stats, LCORE_STR("/a"), LCORE_STR("GET")));
    assert_int_equal(held->request_count, 1);
    assert_int_equal(lc_stats_log_failure(stats, held, LCORE_STR("x"), 1000), 0);
    lc_stats_free(stats);
    assert_int_equal(held->failure_count, 2);
    lc__stats_entry_unref(held);
}

static void
test_adopt_and_remove(void **state)
{
    struct lc_stats *stats = lc_stats_new();
    assert_non_null(stats);
    for (int i = 0; i < 100; i++) {
        char name[16];
        int len = snprintf(name, sizeof(name), "/%d", i);
        assert_non_null(lc_stats_entry(stats, (struct lc_str){name, (size_t)len}, LCORE_STR("GET")));
    }
    struct lc_stats_entry *own = lc__stats_entry_new(LCORE_STR("/7"), LCORE_STR("GET"), false, 5);
    assert_non_null(own);
    assert_int_equal(lc__stats_adopt(stats, own), 0);
    assert_int_equal(lc__stats_adopt(stats, own), 0);
    assert_int_equal(lc_stats_count(stats), 100);
    assert_ptr_equal(lc__stats_find(stats, LCORE_STR("/7"), LCORE_STR("GET")), own);
    assert_int_equal(lc__stats_remove(stats, own), 0);
    assert_null(lc__stats_find(stats, LCORE_STR("/7"), LCORE_STR("GET")));
    assert_int_equal(lc_stats_count(stats), 99);
    lc__stats_entry_unref(own);
    lc_stats_free(stats);
}

/* DST-35, DST-36 */
static void
test_merge(void **state)
{
    struct lc_stats *master = lc_stats_new();
    struct lc_stats *worker = lc_stats_new();
    assert_non_null(master);
    assert_non_null(worker);
    struct lc_stats_entry *entry = lc_stats_entry(worker, LCORE_STR("/a"), LCORE_STR("GET"));
    for (int i = 0; i < 10; i++) {
        assert_int_equal(lc_stats_log_request(worker, entry, (i + 1) * 1000000, 1, 1000 + i), 0);
    }
    assert_int_equal(lc_stats_log_failure(worker, entry, LCORE_STR("x"), 1000), 0);
    assert_int_equal(lc_stats_merge(master, worker), 0);
    assert_int_equal(lc_stats_merge(master, worker), 0);
    entry = lc__stats_find(master, LCORE_STR("/a"), LCORE_STR("GET"));
    assert_non_null(entry);
    assert_int_equal(entry->request_count, 20);
    assert_int_equal(lc_stats_total(master)->failure_count, 2);
    assert_true(lc_stats_entry_locust_percentile_ms(entry, 0.5) == 6);
    struct lc_stats_failure failure;
    lc_stats_failure_at(master, 0, &failure);
    assert_true(failure.occurrences == 2 && failure.is_remote);
    lc_stats_free(master);
    lc_stats_free(worker);
}

static int
whole_seconds(double ms, double *bucket_ms, void *arg)
{
    *bucket_ms = (uint32_t)(ms / 1000) * 1000 + 1;
    return ms > 5000 ? LCE_INVALID : 0;
}

/* REP-7 */
static void
test_rounding_rule_of_the_user(void **state)
{
    const struct lc_stats_config config = {.bucket_fn = whole_seconds, .recent_s = 10};
    struct lc_stats *stats = lc__stats_new(&config, true);
    assert_non_null(stats);
    struct lc_stats_entry *entry = lc_stats_entry(stats, LCORE_STR("/a"), LCORE_STR("GET"));
    assert_int_equal(lc_stats_log_request(stats, entry, 2500000000, 0, 1000), 0);
    assert_int_equal(lc_stats_log_request(stats, entry, 6000000000, 0, 1000), LCE_INVALID);
    assert_int_equal(entry->request_count, 1);
    size_t position = 0;
    double bucket;
    uint64_t count;
    assert_true(lc_stats_entry_next_bucket(entry, &position, &bucket, &count));
    assert_true(bucket == 2001 && count == 1);
    assert_false(lc_stats_entry_next_bucket(entry, &position, &bucket, &count));
    lc_stats_free(stats);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests_and_failures_count_in_entry_and_total),
        cmocka_unit_test(test_reset_keeps_rows_and_clear_does_not),
        cmocka_unit_test(test_a_cleared_entry_that_is_held_keeps_its_numbers),
        cmocka_unit_test(test_adopt_and_remove),
        cmocka_unit_test(test_merge),
        cmocka_unit_test(test_rounding_rule_of_the_user),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
