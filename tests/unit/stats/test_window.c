#include "stats/window.h"

#include "../support.h"

static void
test_seconds_ascend_in_whatever_order_they_come(void **state)
{
    static const uint32_t order[] = {100, 101, 105, 103, 99, 105, 104, 1, 103};
    struct lc_window window = {0};
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        struct lc_second *second = lc__window_at(&window, order[i]);
        assert_non_null(second);
        assert_int_equal(second->unix_s, order[i]);
        second->requests++;
    }
    assert_int_equal(window.count, 7);
    for (size_t i = 1; i < window.count; i++) {
        assert_true(window.seconds[i - 1].unix_s < window.seconds[i].unix_s);
    }
    lc__window_fini(&window);
}

static void
test_sum_is_half_open(void **state)
{
    struct lc_window window = {0};
    for (uint32_t s = 0; s < 100; s++) {
        struct lc_second *second = lc__window_at(&window, 1000 + s);
        assert_non_null(second);
        second->requests = s;
        second->failures = 1;
    }
    uint64_t requests, failures;
    lc__window_sum(&window, 1010, 1013, &requests, &failures);
    assert_int_equal(requests, 10 + 11 + 12);
    assert_int_equal(failures, 3);
    lc__window_sum(&window, -5, 5, &requests, &failures);
    assert_int_equal(requests, 0);
    lc__window_fini(&window);
}

static void
test_merge_adds_by_second(void **state)
{
    struct lc_window one = {0};
    struct lc_window two = {0};
    lc__window_at(&one, 5)->requests = 1;
    lc__window_at(&one, 7)->requests = 2;
    lc__window_at(&two, 6)->failures = 3;
    lc__window_at(&two, 7)->requests = 4;
    assert_int_equal(lc__window_merge(&one, &two), 0);
    assert_int_equal(one.count, 3);
    assert_int_equal(one.seconds[1].failures, 3);
    assert_int_equal(one.seconds[2].requests, 6);
    lc__window_fini(&one);
    lc__window_fini(&two);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seconds_ascend_in_whatever_order_they_come),
        cmocka_unit_test(test_sum_is_half_open),
        cmocka_unit_test(test_merge_adds_by_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
