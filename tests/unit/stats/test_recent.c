#include "stats/recent.h"

#include "../support.h"

/* REP-18 */
static void
test_nearest_moment_is_found_earlier_before_later(void **state)
{
    struct lc_buckets buckets = {0};
    struct lc_recent recent = {0};
    assert_null(lc__recent_find(&recent, 100));
    assert_int_equal(lc__recent_take(&recent, 20, 103, &buckets, 3), 0);
    assert_int_equal(lc__recent_find(&recent, 100)->unix_s, 103);
    assert_int_equal(lc__recent_take(&recent, 20, 97, &buckets, 1), 0);
    assert_int_equal(lc__recent_find(&recent, 100)->unix_s, 97);
    assert_int_equal(lc__recent_take(&recent, 20, 102, &buckets, 2), 0);
    assert_int_equal(lc__recent_find(&recent, 100)->unix_s, 102);
    assert_int_equal(lc__recent_find(&recent, 111)->unix_s, 103);
    assert_null(lc__recent_find(&recent, 112));
    assert_null(lc__recent_find(&recent, 88));
    lc__recent_fini(&recent);
}

static void
test_only_the_newest_stay(void **state)
{
    struct lc_buckets buckets = {0};
    struct lc_recent recent = {0};
    for (int64_t s = 0; s < 100; s++) {
        ++*lc__buckets_find(&buckets, (uint32_t)s);
        assert_int_equal(lc__recent_take(&recent, 20, s, &buckets, (uint64_t)s + 1), 0);
    }
    assert_int_equal(recent.count, 20);
    assert_int_equal(recent.moments[0].unix_s, 80);
    assert_int_equal(recent.moments[19].count, 100);
    assert_int_equal(recent.moments[19].timed_count, 100);
    assert_int_equal(lc__recent_take(&recent, 3, 100, &buckets, 0), 0);
    assert_int_equal(recent.count, 3);
    lc__recent_fini(&recent);
    lc__buckets_fini(&buckets);
}

static void
test_same_second_is_replaced(void **state)
{
    struct lc_buckets buckets = {0};
    struct lc_recent recent = {0};
    assert_int_equal(lc__recent_take(&recent, 20, 5, &buckets, 1), 0);
    assert_int_equal(lc__recent_take(&recent, 20, 5, &buckets, 2), 0);
    assert_int_equal(recent.count, 1);
    assert_int_equal(lc__recent_find(&recent, 5)->timed_count, 2);
    lc__recent_fini(&recent);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nearest_moment_is_found_earlier_before_later),
        cmocka_unit_test(test_only_the_newest_stay),
        cmocka_unit_test(test_same_second_is_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
