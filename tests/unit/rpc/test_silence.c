/* Whose fault it is that workers are not heard of. */
#include "../support.h"

#include "rpc/silence.h"

static void
every_second_counts(void **state)
{
    struct lc_silence silence = {0};
    for (int second = 0; second < 100; second++) {
        assert_true(lc__silence_counts(&silence, false, false));
    }
}

static int
count(bool is_behind, bool are_many)
{
    struct lc_silence silence = {0};
    int counted = 0;
    for (int second = 0; second < 60; second++) {
        counted += lc__silence_counts(&silence, is_behind, are_many);
    }
    return counted;
}

static void
a_master_that_is_behind_counts_slowly(void **state)
{
    assert_int_equal(count(true, false), 15);
    assert_int_equal(count(false, true), 4);
    assert_int_equal(count(true, true), 4);
    struct lc_silence silence = {0};
    assert_false(lc__silence_counts(&silence, true, false));
    assert_true(lc__silence_counts(&silence, false, false));
    assert_false(lc__silence_counts(&silence, true, false));
}

static void
many_are_more_than_ten_and_a_quarter(void **state)
{
    assert_true(lc__silence_limit(1) == 10);
    assert_true(lc__silence_limit(40) == 10);
    assert_true(lc__silence_limit(1000) == 250);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_second_counts),
        cmocka_unit_test(a_master_that_is_behind_counts_slowly),
        cmocka_unit_test(many_are_more_than_ten_and_a_quarter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
