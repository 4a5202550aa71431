#include "stats/buckets.h"

#include <math.h>

#include "../support.h"
#include "locustcore/stats.h"

/* REP-5, REP-6 */
static void
test_rounding_half_to_even_by_magnitude(void **state)
{
    static const struct {
        double ms;
        uint32_t bucket;
    } cases[] = {
        {0, 0},
        {0.5, 0},
        {1.5, 2},
        {2.5, 2},
        {99.4999, 99},
        {99.5, 100},
        {100, 100},
        {105, 100},
        {115, 120},
        {125, 120},
        {147, 150},
        {147.6, 150},
        {995, 1000},
        {994.999, 990},
        {1000, 1000},
        {1050, 1000},
        {1150, 1200},
        {1150.0000001, 1200},
        {1250, 1200},
        {1250.001, 1300},
        {3432, 3400},
        {9949.9, 9900},
        {9950, 10000},
        {10000, 10000},
        {10500, 10000},
        {10500.1, 11000},
        {11500, 12000},
        {58760, 59000},
        {3600000, 3600000},
        {105.00000000000001, 110},
        {114.99999999999999, 110},
        {2.5000000000000004, 3},
        {-3, 0},
        {1e300, 4294967000u},
        {INFINITY, 4294967000u},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(lc_stats_locust_bucket_ms(cases[i].ms), cases[i].bucket);
    }
}

static void
count(struct lc_buckets *buckets, double ms, uint64_t by)
{
    uint64_t *counter = lc__buckets_find(buckets, ms);
    assert_non_null(counter);
    *counter += by;
}

static void
test_walk_is_ascending_over_near_and_far(void **state)
{
    static const uint32_t order[] = {0, 7, 100, 103, 110, 1000, 1100, 9900, 10000, 11000, 12345, 3600000};
    const size_t n = sizeof(order) / sizeof(order[0]);
    struct lc_buckets buckets = {0};
    for (size_t i = 0; i < n; i++) {
        count(&buckets, order[(i * 5 + 3) % n], i + 1);
    }
    struct lc_buckets_walk walk = {0};
    struct lc_bucket bucket;
    for (size_t i = 0; i < n; i++) {
        assert_true(lc__buckets_next(&buckets, &walk, &bucket));
        assert_int_equal(bucket.ms, order[i]);
        assert_true(bucket.count > 0);
    }
    assert_false(lc__buckets_next(&buckets, &walk, &bucket));
    lc__buckets_fini(&buckets);
}

static uint32_t
percentile(const struct lc_buckets *buckets, const struct lc_bucket *before, size_t before_count, int64_t total,
           double fraction)
{
    double ms;
    lc__buckets_percentiles_ms(buckets, before, before_count, total, &fraction, 1, &ms);
    return ms;
}

/* REP-9, REP-10 */
static void
test_percentiles_of_ten_values(void **state)
{
    static const struct {
        double fraction;
        uint32_t ms;
    } cases[] = {{0, 1}, {0.1, 2}, {0.25, 3}, {0.5, 6}, {0.66, 7}, {0.75, 8}, {0.9, 10}, {0.95, 10}, {1, 10}};
    struct lc_buckets buckets = {0};
    assert_int_equal(percentile(&buckets, NULL, 0, 0, 0.5), 0);
    for (uint32_t ms = 1; ms <= 10; ms++) {
        count(&buckets, ms, 1);
    }
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(percentile(&buckets, NULL, 0, 10, cases[i].fraction), cases[i].ms);
    }
    lc__buckets_fini(&buckets);
}

/* REP-11 */
static void
test_percentiles_of_unequal_buckets(void **state)
{
    struct lc_buckets buckets = {0};
    count(&buckets, 5, 3);
    count(&buckets, 10, 1);
    assert_int_equal(percentile(&buckets, NULL, 0, 4, 0.5), 5);
    assert_int_equal(percentile(&buckets, NULL, 0, 4, 0.75), 10);
    assert_int_equal(percentile(&buckets, NULL, 0, 4, 0.9), 10);
    lc__buckets_fini(&buckets);
}

/* REP-18: what was there before is taken off. */
static void
test_percentile_since(void **state)
{
    struct lc_buckets buckets = {0};
    count(&buckets, 5, 100);
    count(&buckets, 20000, 4);
    const struct lc_bucket before[] = {{5, 100}, {20000, 1}};
    assert_int_equal(percentile(&buckets, before, 2, 3, 0), 20000);
    const struct lc_bucket all[] = {{5, 100}, {20000, 4}};
    assert_int_equal(percentile(&buckets, all, 2, 0, 0.5), 0);
    lc__buckets_fini(&buckets);
}

static void
test_merge_adds(void **state)
{
    struct lc_buckets one = {0};
    struct lc_buckets two = {0};
    count(&one, 5, 1);
    count(&one, 11000, 2);
    count(&two, 5, 3);
    count(&two, 12000, 4);
    assert_int_equal(lc__buckets_merge(&one, &two), 0);
    assert_int_equal(*lc__buckets_find(&one, 5), 4);
    assert_int_equal(*lc__buckets_find(&one, 11000), 2);
    assert_int_equal(*lc__buckets_find(&one, 12000), 4);
    lc__buckets_fini(&one);
    lc__buckets_fini(&two);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rounding_half_to_even_by_magnitude),
        cmocka_unit_test(test_walk_is_ascending_over_near_and_far),
        cmocka_unit_test(test_percentiles_of_ten_values),
        cmocka_unit_test(test_percentiles_of_unequal_buckets),
        cmocka_unit_test(test_percentile_since),
        cmocka_unit_test(test_merge_adds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
