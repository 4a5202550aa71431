#include "../support.h"

#include "rpc/taken.h"

static void
numbers_in_a_row_are_taken_once(void **state)
{
    struct lc_taken taken = {0};
    for (uint64_t number = 1; number <= 5; number++) {
        assert_true(lc__taken_note(&taken, number));
        assert_false(lc__taken_note(&taken, number));
        assert_int_equal(taken.last, number);
    }
}

static void
what_was_lost_on_the_way_may_still_come(void **state)
{
    struct lc_taken taken = {0};
    assert_true(lc__taken_note(&taken, 7));
    assert_true(lc__taken_note(&taken, 9));
    assert_true(lc__taken_note(&taken, 11));
    assert_int_equal(taken.last, 7);
    assert_false(lc__taken_note(&taken, 9));
    assert_true(lc__taken_note(&taken, 8));
    assert_int_equal(taken.last, 9);
    assert_true(lc__taken_note(&taken, 10));
    assert_int_equal(taken.last, 11);
    assert_false(lc__taken_note(&taken, 3));
}

/* Any order, each number up to three times: counted once, as long as they are not too far apart. */
static void
any_order_counts_once(void **state)
{
    uint64_t seed = 88172645463325252u;
    struct lc_taken taken = {0};
    assert_true(lc__taken_note(&taken, 1));
    int fresh = 1;
    for (uint64_t base = 2; base < 2000; base += 20) {
        uint64_t numbers[60];
        for (int i = 0; i < 60; i++) {
            numbers[i] = base + (uint64_t)i % 20;
        }
        for (int i = 59; i > 0; i--) {
            int other = (int)(test_random(&seed) % (uint64_t)(i + 1));
            uint64_t swapped = numbers[i];
            numbers[i] = numbers[other];
            numbers[other] = swapped;
        }
        for (int i = 0; i < 60; i++) {
            fresh += lc__taken_note(&taken, numbers[i]);
        }
        assert_int_equal(taken.last, base + 19);
    }
    assert_int_equal(fresh, 2001);
}

static void
a_gap_does_not_hold_up_forever(void **state)
{
    struct lc_taken taken = {0};
    assert_true(lc__taken_note(&taken, 1));
    for (uint64_t number = 3; number < 100; number++) {
        assert_true(lc__taken_note(&taken, number));
    }
    assert_int_equal(taken.last, 99);
    assert_false(lc__taken_note(&taken, 2));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_in_a_row_are_taken_once),
        cmocka_unit_test(what_was_lost_on_the_way_may_still_come),
        cmocka_unit_test(any_order_counts_once),
        cmocka_unit_test(a_gap_does_not_hold_up_forever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
