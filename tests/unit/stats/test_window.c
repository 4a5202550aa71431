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
    assert_int_equal(lc__window_count(&window), 7);
    for (size_t i = 1; i < lc__window_count(&window); i++) {
        assert_true(lc__window_get(&window, i - 1).unix_s < lc__window_get(&window, i).unix_s);
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
    assert_int_equal(lc__window_count(&one), 3);
    assert_int_equal(lc__window_get(&one, 1).failures, 3);
    assert_int_equal(lc__window_get(&one, 2).requests, 6);
    lc__window_fini(&one);
    lc__window_fini(&two);
}

/* Hours of seconds, some of them missing, some late, against a plain array of counters. */
static void
test_packed_seconds_are_what_was_counted(void **state)
{
    enum { SPAN = 20000, KEPT = 6000 };
    static uint32_t requests[SPAN], failures[SPAN];
    struct lc_window window = {0};
    uint64_t random = 7;
    for (uint32_t now = 0; now < SPAN; now++) {
        uint64_t dice = test_random(&random);
        if (now > 9000 && now < 9500 && dice % 50 != 0) {
            continue;
        }
        /* A clock that is set back, by more than one pack now and then. */
        uint32_t second = dice % 97 == 0 && now > 700 ? now - (uint32_t)(dice >> 8) % 700 : now;
        uint32_t more = now / 4000 == 1 ? 300 : now / 4000 == 2 ? 70000 : now / 4000 == 3 ? 0 : 20;
        lc__window_at(&window, second)->requests += more;
        lc__window_at(&window, second)->failures += dice % 5 == 0;
        requests[second] += more;
        failures[second] += dice % 5 == 0;
    }
    assert_in_range(window.pack_count, 250, SPAN / LCORE_WINDOW_PACK);
    assert_in_range(window.capacity, 1, 1000);
    size_t index = 0;
    uint64_t sums[2] = {0};
    for (uint32_t second = 0; second < SPAN; second++) {
        if (index < lc__window_count(&window) && lc__window_get(&window, index).unix_s == second) {
            assert_int_equal(lc__window_get(&window, index).requests, requests[second]);
            assert_int_equal(lc__window_get(&window, index++).failures, failures[second]);
        } else {
            assert_int_equal(requests[second] + failures[second], 0);
        }
        sums[0] += second >= 3210 && second < 14567 ? requests[second] : 0;
        sums[1] += second >= 3210 && second < 14567 ? failures[second] : 0;
    }
    assert_int_equal(index, lc__window_count(&window));
    uint64_t told[2];
    lc__window_sum(&window, 3210, 14567, &told[0], &told[1]);
    assert_int_equal(told[0], sums[0]);
    assert_int_equal(told[1], sums[1]);
    /* The newest stay. */
    lc__window_trim(&window, KEPT);
    assert_in_range(lc__window_count(&window), KEPT, KEPT + LCORE_WINDOW_PACK);
    assert_int_equal(lc__window_get(&window, lc__window_count(&window) - 1).unix_s, SPAN - 1);
    lc__window_trim(&window, 10);
    assert_in_range(lc__window_count(&window), 10, 10 + LCORE_WINDOW_PACK);
    lc__window_fini(&window);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seconds_ascend_in_whatever_order_they_come),
        cmocka_unit_test(test_sum_is_half_open),
        cmocka_unit_test(test_merge_adds_by_second),
        cmocka_unit_test(test_packed_seconds_are_what_was_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
