#include "stats/entry.h"

#include <math.h>

#include "../support.h"

static const struct lc_stats_config config = {.recent_s = LCORE_STATS_RECENT_S};

static struct lc_stats_entry *
make_entry(double unix_s)
{
    struct lc_stats_entry *entry = lc__stats_entry_new(LCORE_STR("/a"), LCORE_STR("GET"), true, unix_s);
    assert_non_null(entry);
    return entry;
}

static void
log_at(struct lc_stats_entry *entry, double ms, double unix_s)
{
    struct lc_sample sample = {0};
    assert_int_equal(lc__sample_set_time(&sample, unix_s), 0);
    assert_int_equal(lc__sample_set_ms(&sample, ms, &config), 0);
    assert_int_equal(lc__stats_entry_prepare(entry, &sample, &config), 0);
    lc__stats_entry_count(entry, &sample);
}

/* REP-4, REP-8 */
static void
test_numbers(void **state)
{
    struct lc_stats_entry *entry = make_entry(1000.5);
    struct lc_stats_numbers numbers;
    lc_stats_entry_numbers(entry, &numbers);
    assert_true(isnan(numbers.min_ms) && isnan(numbers.max_ms));
    log_at(entry, 10.25, 1001);
    log_at(entry, NAN, 1002);
    log_at(entry, 2.5, 1003.75);
    lc_stats_entry_numbers(entry, &numbers);
    assert_int_equal(numbers.request_count, 3);
    assert_int_equal(numbers.none_count, 1);
    assert_true(numbers.total_ms == 12.75 && numbers.min_ms == 2.5 && numbers.max_ms == 10.25);
    assert_true(numbers.start_unix_s == 1000.5 && numbers.last_request_unix_s == 1003.75);
    assert_memory_equal(numbers.name.data, "/a", 2);
    assert_memory_equal(numbers.method.data, "GET", 3);
    lc__stats_entry_unref(entry);
}

/* REP-12: one request of 147.6 has that median, though its bucket is 150. */
static void
test_median_is_clamped(void **state)
{
    struct lc_stats_entry *entry = make_entry(1000);
    assert_true(lc_stats_entry_locust_median_ms(entry) == 0);
    log_at(entry, 147.6, 1001);
    assert_true(lc_stats_entry_locust_median_ms(entry) == 147.6);
    assert_true(lc_stats_entry_locust_percentile_ms(entry, 1) == 150);
    lc__stats_entry_reset(entry, 1002);
    log_at(entry, 144.4, 1003);
    assert_true(lc_stats_entry_locust_median_ms(entry) == 144.4);
    lc__stats_entry_unref(entry);
}

/* REP-13: ours is the exact maximum. */
static void
test_true_percentiles_stay_within_the_extremes(void **state)
{
    struct lc_stats_entry *entry = make_entry(1000);
    assert_true(lc_stats_entry_percentile_ms(entry, 0.5) == 0);
    log_at(entry, 5000.123, 1001);
    assert_true(lc_stats_entry_percentile_ms(entry, 0.5) == 5000.123);
    log_at(entry, 7000.7, 1001);
    assert_true(lc_stats_entry_percentile_ms(entry, 1) == 7000.7);
    assert_true(fabs(lc_stats_entry_percentile_ms(entry, 0.5) - 5000.123) < 5);
    lc__stats_entry_unref(entry);
}

/* REP-15 */
static void
test_current_rates(void **state)
{
    struct lc_stats_entry *entry = make_entry(1000);
    double requests, failures;
    lc_stats_entry_current_rates(entry, entry, &requests, &failures);
    assert_true(requests == 0 && failures == 0);
    log_at(entry, 1, 1000.5);
    log_at(entry, 1, 1002.5);
    lc_stats_entry_current_rates(entry, entry, &requests, &failures);
    assert_true(requests == 0);
    log_at(entry, 1, 1003.5);
    lc_stats_entry_current_rates(entry, entry, &requests, &failures);
    assert_true(requests == 1.0); /* second 1000 only */
    for (int s = 1004; s <= 1030; s++) {
        for (int i = 0; i < s - 1000; i++) {
            log_at(entry, 1, s);
        }
        assert_int_equal(lc__stats_entry_count_failure(entry, (uint32_t)s), 0);
    }
    lc_stats_entry_current_rates(entry, entry, &requests, &failures);
    assert_true(requests == (18 + 19 + 20 + 21 + 22 + 23 + 24 + 25 + 26 + 27) / 10.0);
    assert_true(failures == 1.0);
    lc__stats_entry_unref(entry);
}

/* REP-16 */
static void
test_total_rates(void **state)
{
    struct lc_stats_entry *entry = make_entry(1000);
    double requests, failures;
    lc_stats_entry_total_rates(entry, entry, &requests, &failures);
    assert_true(requests == 0 && failures == 0);
    log_at(entry, 1, 1004);
    assert_int_equal(lc__stats_entry_count_failure(entry, 1004), 0);
    log_at(entry, 1, 1008);
    lc_stats_entry_total_rates(entry, entry, &requests, &failures);
    assert_true(requests == 0.25 && failures == 0.125);
    lc__stats_entry_unref(entry);
}

static bool
recent_percentile(const struct lc_stats_entry *entry, int64_t now_unix_s, double fraction, double *ms)
{
    return lc__stats_entry_recent_percentiles_ms(entry, now_unix_s, LCORE_STATS_RECENT_S, &fraction, 1, ms);
}

/* REP-18 */
static void
test_recent_percentiles(void **state)
{
    struct lc_stats_entry *entry = make_entry(1000);
    double ms;
    assert_false(recent_percentile(entry, 1001, 0.5, &ms));
    for (int s = 1000; s < 1020; s++) {
        log_at(entry, s < 1010 ? 5 : 50, s);
    }
    assert_true(recent_percentile(entry, 1002, 0, &ms));
    assert_int_equal(ms, 5);
    assert_true(recent_percentile(entry, 1019, 0, &ms));
    assert_int_equal(ms, 50);
    assert_true(recent_percentile(entry, 1018, 0, &ms));
    assert_int_equal(ms, 5);
    lc__stats_entry_unref(entry);
}

/* DST-35 */
static void
test_extend(void **state)
{
    struct lc_stats_entry *one = make_entry(1000);
    struct lc_stats_entry *two = make_entry(990);
    log_at(one, 5, 1001);
    log_at(two, 2, 1001);
    log_at(two, 9, 1005);
    log_at(two, NAN, 1006);
    assert_int_equal(lc__stats_entry_extend(one, two, &config), 0);
    struct lc_stats_numbers numbers;
    lc_stats_entry_numbers(one, &numbers);
    assert_int_equal(numbers.request_count, 4);
    assert_int_equal(numbers.none_count, 1);
    assert_true(numbers.total_ms == 16 && numbers.min_ms == 2 && numbers.max_ms == 9);
    assert_true(numbers.start_unix_s == 990 && numbers.last_request_unix_s == 1006);
    size_t position = 0;
    int64_t second;
    uint64_t requests, failures;
    assert_true(lc_stats_entry_next_second(one, &position, &second, &requests, &failures));
    assert_true(second == 1001 && requests == 2 && failures == 0);
    assert_true(fabs(lc_stats_entry_percentile_ms(one, 0.5) - 5) < 0.005);
    lc__stats_entry_unref(one);
    lc__stats_entry_unref(two);
}

static void
test_histogram_from_buckets(void **state)
{
    struct lc_stats_entry *entry = make_entry(1000);
    *lc__buckets_find(&entry->buckets, 20) = 3;
    *lc__buckets_find(&entry->buckets, 59000) = 1;
    assert_int_equal(lc__stats_entry_fill_histogram(entry), 0);
    assert_true(lc__histogram_percentile_us(&entry->histogram, 0.75) > 19990);
    assert_true(lc__histogram_percentile_us(&entry->histogram, 0.75) < 20010);
    assert_true(fabs(lc__histogram_percentile_us(&entry->histogram, 1) - 59e6) < 59e3);
    lc__stats_entry_unref(entry);
}

static void
test_bad_times_are_refused(void **state)
{
    struct lc_sample sample = {0};
    assert_int_equal(lc__sample_set_time(&sample, -1), LCE_INVALID);
    assert_int_equal(lc__sample_set_time(&sample, NAN), LCE_INVALID);
    assert_int_equal(lc__sample_set_time(&sample, 1e300), LCE_INVALID);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_median_is_clamped),
        cmocka_unit_test(test_true_percentiles_stay_within_the_extremes),
        cmocka_unit_test(test_current_rates),
        cmocka_unit_test(test_total_rates),
        cmocka_unit_test(test_recent_percentiles),
        cmocka_unit_test(test_extend),
        cmocka_unit_test(test_histogram_from_buckets),
        cmocka_unit_test(test_bad_times_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
