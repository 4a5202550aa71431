#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "run/picker.h"

static int
nothing(struct lc_user *user)
{
    return 0;
}

/* API-50 */
static void
test_by_weight(void **state)
{
    const struct lc_task tasks[] = {{.run = nothing, .weight = 3}, {.run = nothing}, {.run = nothing, .weight = 6}};
    const struct lc_task_set set = {LCORE_TASKS(tasks)};
    struct lc_random random;
    struct lc_picker picker = {0};
    int seen[3] = {0};
    lc_random_init(&random, 3);
    assert_int_equal(lc_picker_check(&set, NULL), 0);
    lc_picker_enter(&picker, &set, 0);
    for (int i = 0; i < 10000; i++) {
        seen[lc_picker_next(&picker, &random) - tasks]++;
    }
    assert_in_range(seen[0], 2800, 3200);
    assert_in_range(seen[1], 900, 1100);
    assert_in_range(seen[2], 5800, 6200);
}

/* API-65 */
static void
test_sequential(void **state)
{
    const struct lc_task tasks[] = {{.run = nothing}, {.run = nothing, .weight = 2}, {.run = nothing}};
    const struct lc_task_set set = {LCORE_TASKS(tasks), .is_sequential = true};
    struct lc_random random;
    struct lc_picker picker = {0};
    lc_random_init(&random, 3);
    const int order[] = {0, 1, 1, 2, 0, 1};
    for (int round = 0; round < 2; round++) {
        lc_picker_enter(&picker, &set, 0);
        for (int i = 0; i < 6; i++) {
            assert_int_equal(lc_picker_next(&picker, &random) - tasks, order[i]);
        }
        lc_picker_leave(&picker);
    }
}

/* API-54 */
static void
test_innermost_wait(void **state)
{
    const struct lc_task tasks[] = {{.run = nothing}};
    const struct lc_task_set outer = {LCORE_TASKS(tasks), .wait = LCORE_WAIT_CONSTANT(1)};
    const struct lc_task_set plain = {LCORE_TASKS(tasks)};
    const struct lc_task_set own = {LCORE_TASKS(tasks), .wait = LCORE_WAIT_CONSTANT(2)};
    struct lc_random random;
    struct lc_picker picker = {0};
    lc_random_init(&random, 3);
    lc_picker_enter(&picker, &plain, 0);
    assert_int_equal(lc_picker_wait_ns(&picker, &random, 0), 0);
    lc_picker_leave(&picker);
    lc_picker_enter(&picker, &outer, 0);
    lc_picker_enter(&picker, &plain, 0);
    assert_int_equal(lc_picker_wait_ns(&picker, &random, 0), 1000000000);
    lc_picker_enter(&picker, &own, 0);
    assert_int_equal(lc_picker_wait_ns(&picker, &random, 0), 2000000000);
}

static void
test_bad_sets(void **state)
{
    struct lc_error error;
    const struct lc_task_set empty = {0};
    assert_int_equal(lc_picker_check(&empty, &error), LCE_INVALID);
    const struct lc_task none[] = {{.name = "neither"}};
    const struct lc_task_set nothing_in_it = {LCORE_TASKS(none)};
    assert_int_equal(lc_picker_check(&nothing_in_it, &error), LCE_INVALID);
    const struct lc_task heavy[] = {{.run = nothing, .weight = UINT32_MAX}, {.run = nothing}};
    const struct lc_task_set too_heavy = {LCORE_TASKS(heavy)};
    assert_int_equal(lc_picker_check(&too_heavy, &error), LCE_INVALID);
    struct lc_task circle[1] = {{0}};
    const struct lc_task_set round = {LCORE_TASKS(circle)};
    circle[0].set = &round;
    assert_int_equal(lc_picker_check(&round, &error), LCE_LIMIT);
    const struct lc_task one[] = {{.run = nothing}};
    const struct lc_task_set bad_wait = {LCORE_TASKS(one), .wait = LCORE_WAIT_POISSON(0)};
    assert_int_equal(lc_picker_check(&bad_wait, &error), LCE_INVALID);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_weight),
        cmocka_unit_test(test_sequential),
        cmocka_unit_test(test_innermost_wait),
        cmocka_unit_test(test_bad_sets),
    };
    return cmocka_run_group_tests_name("picker", tests, NULL, NULL);
}
