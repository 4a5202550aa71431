#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "base/clock.h"
#include "run/wait.h"

#define MS LCORE_NS_PER_MS

static int64_t
wait_once(struct lc_wait_rule rule, struct lc_random *random)
{
    struct lc_wait_state state;
    lc_wait_init(&state, 0);
    assert_int_equal(lc_wait_check(&rule, NULL), 0);
    return lc_wait_next_ns(&rule, &state, random, 0);
}

/* API-72 */
static void
test_between(void **state)
{
    struct lc_random random;
    lc_random_init(&random, 1);
    double sum = 0;
    for (int i = 0; i < 10000; i++) {
        int64_t ns = wait_once((struct lc_wait_rule)LCORE_WAIT_BETWEEN(0.001, 0.003), &random);
        assert_in_range(ns, MS, 3 * MS);
        sum += (double)ns;
        ns = wait_once((struct lc_wait_rule)LCORE_WAIT_BETWEEN(5, 1), &random);
        assert_in_range(ns, 1000 * MS, 5000 * MS);
    }
    assert_true(fabs(sum / 10000 - 2 * MS) < 0.05 * MS);
}

/* API-73 */
static void
test_constant(void **state)
{
    struct lc_random random;
    lc_random_init(&random, 1);
    assert_int_equal(wait_once((struct lc_wait_rule)LCORE_WAIT_CONSTANT(1.5), &random), 1500 * MS);
    assert_int_equal(wait_once((struct lc_wait_rule)LCORE_WAIT_CONSTANT(-1), &random), 0);
    assert_int_equal(wait_once((struct lc_wait_rule){0}, &random), 0);
    assert_true(wait_once((struct lc_wait_rule)LCORE_WAIT_CONSTANT(1e300), &random) > INT64_MAX / 4);
}

/* API-74, API-75 */
static void
test_pacing(void **state)
{
    struct lc_random random;
    lc_random_init(&random, 1);
    const struct lc_wait_rule rules[] = {LCORE_WAIT_PACING(1), LCORE_WAIT_THROUGHPUT(1)};
    for (int i = 0; i < 2; i++) {
        struct lc_wait_state pace;
        lc_wait_init(&pace, 5000 * MS);
        /* Made at 5.0; the first task ends at 5.3, so the next begins at 6.0. */
        assert_int_equal(lc_wait_next_ns(&rules[i], &pace, &random, 5300 * MS), 700 * MS);
        assert_int_equal(lc_wait_next_ns(&rules[i], &pace, &random, 6900 * MS), 100 * MS);
        /* A task of 2.5 s is late; what follows counts from its end. */
        assert_int_equal(lc_wait_next_ns(&rules[i], &pace, &random, 9500 * MS), 0);
        assert_int_equal(lc_wait_next_ns(&rules[i], &pace, &random, 9600 * MS), 900 * MS);
    }
}

/* API-76 */
static void
test_poisson(void **state)
{
    struct lc_random random;
    lc_random_init(&random, 1);
    double sum = 0;
    int above_mean = 0;
    for (int i = 0; i < 20000; i++) {
        int64_t ns = wait_once((struct lc_wait_rule)LCORE_WAIT_POISSON(100), &random);
        assert_true(ns >= 0);
        sum += (double)ns;
        above_mean += ns > 10 * MS;
    }
    assert_true(fabs(sum / 20000 - 10 * MS) < 0.5 * MS);
    assert_true(fabs(above_mean / 20000.0 - exp(-1)) < 0.02);
}

static void
test_bad_rules(void **state)
{
    const struct lc_wait_rule bad[] = {LCORE_WAIT_THROUGHPUT(0),      LCORE_WAIT_THROUGHPUT(-1),
                                       LCORE_WAIT_POISSON(0),         LCORE_WAIT_POISSON(NAN),
                                       LCORE_WAIT_CONSTANT(INFINITY), LCORE_WAIT_BETWEEN(0, NAN),
                                       {(enum lc_wait_kind)99, 1, 1}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct lc_error error;
        assert_int_equal(lc_wait_check(&bad[i], &error), LCE_INVALID);
        assert_int_equal(error.code, LCE_INVALID);
    }
}

static void
test_random(void **state)
{
    struct lc_random a, b;
    lc_random_init(&a, 0);
    lc_random_init(&b, 0);
    uint32_t seen[7] = {0};
    for (int i = 0; i < 70000; i++) {
        double unit = lc_random_unit(&a);
        assert_true(unit >= 0 && unit < 1);
        assert_true(unit == lc_random_unit(&b));
        seen[lc_random_below(&a, 7)]++;
        lc_random_below(&b, 7);
    }
    for (int i = 0; i < 7; i++) {
        assert_in_range(seen[i], 9500, 10500);
    }
    assert_int_equal(lc_random_below(&a, 1), 0);
    /* The first numbers of the reference code for the state 1, 2, 3, 4. */
    a = (struct lc_random){{1, 2, 3, 4}};
    assert_true(lc_random_next(&a) == 41943041);
    assert_true(lc_random_next(&a) == 58720359);
    assert_true(lc_random_next(&a) == 3588806011781223);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_between), cmocka_unit_test(test_constant),  cmocka_unit_test(test_pacing),
        cmocka_unit_test(test_poisson), cmocka_unit_test(test_bad_rules), cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests_name("wait", tests, NULL, NULL);
}
