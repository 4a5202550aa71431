#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "locustcore/fiber.h"
#include "base/clock.h"
#include "fiber/fiber.h"

struct world {
    struct lc_loop *loop;
    struct lc_fibers *fibers;
    char trace[128];
    int running;
};

static struct world world;

static void
note(const char *text)
{
    strncat(world.trace, text, sizeof(world.trace) - strlen(world.trace) - 1);
}

static int
set_up(void **state)
{
    memset(&world, 0, sizeof(world));
    world.loop = lc_loop_new();
    world.fibers = lc_fibers_new(world.loop, 0);
    return world.loop == NULL || world.fibers == NULL ? -1 : 0;
}

static int
tear_down(void **state)
{
    lc_fibers_free(world.fibers);
    lc_loop_free(world.loop);
    return 0;
}

static void
one_less(void)
{
    if (--world.running == 0) {
        lc_loop_stop(world.loop);
    }
}

static int
return_seven(void *arg)
{
    note(lc_fiber_self() != NULL ? "in " : "out ");
    return 7;
}

static void
test_ends_at_once(void **state)
{
    assert_null(lc_fiber_self());
    assert_int_equal(lc_fiber_start(world.fibers, return_seven, NULL, NULL), 0);
    struct lc_fiber *fiber;
    assert_int_equal(lc_fiber_start(world.fibers, return_seven, NULL, &fiber), 0);
    int result = 0;
    assert_int_equal(lc_fiber_join(fiber, &result), 0);
    assert_int_equal(result, 7);
    assert_string_equal(world.trace, "in in ");
}

static int
sleeper(void *arg)
{
    int ms = (int)(intptr_t)arg;
    int64_t begin_ns = lc_clock_monotonic_ns();
    int err = lc_fiber_sleep(ms * LCORE_NS_PER_MS);
    if (err == 0) {
        assert_true(lc_clock_monotonic_ns() - begin_ns >= ms * LCORE_NS_PER_MS);
    }
    char text[16];
    snprintf(text, sizeof(text), "%d%s ", ms, err == 0 ? "" : err == LCE_CANCELED ? "c" : "?");
    note(text);
    one_less();
    return err;
}

static void
test_sleep(void **state)
{
    world.running = 3;
    for (int ms = 20; ms >= 0; ms -= 10) {
        assert_int_equal(lc_fiber_start(world.fibers, sleeper, (void *)(intptr_t)ms, NULL), 0);
    }
    assert_string_equal(world.trace, "");
    assert_int_equal(lc_loop_run(world.loop), 0);
    assert_string_equal(world.trace, "0 10 20 ");
}

static int
waits_again(void *arg)
{
    int first = lc_fiber_sleep(INT64_MAX);
    assert_true(lc_fiber_is_canceled());
    int second = lc_fiber_sleep(1);
    assert_int_equal(first, LCE_CANCELED);
    assert_int_equal(second, LCE_CANCELED);
    lc__fiber_uncancel();
    int third = lc_fiber_sleep(1);
    one_less();
    return third;
}

static void
test_cancel(void **state)
{
    struct lc_fiber *a, *b;
    world.running = 2; /* the loop is to go on after the first one's end */
    assert_int_equal(lc_fiber_start(world.fibers, sleeper, (void *)(intptr_t)1000000, &a), 0);
    lc_fiber_cancel(a);
    lc_fiber_cancel(a);
    assert_string_equal(world.trace, "1000000c ");
    int result;
    assert_int_equal(lc_fiber_join(a, &result), 0);
    assert_int_equal(result, LCE_CANCELED);
    world.running = 1;
    assert_int_equal(lc_fiber_start(world.fibers, waits_again, NULL, &b), 0);
    lc_fiber_cancel(b);
    assert_int_equal(lc_fiber_join(b, &result), LCE_INVALID); /* still asleep, and nobody here could wait */
    assert_int_equal(lc_loop_run(world.loop), 0);
    assert_int_equal(lc_fiber_join(b, &result), 0);
    assert_int_equal(result, 0);
}

static int
joiner(void *arg)
{
    struct lc_fiber **other = arg;
    int result = 0;
    assert_int_equal(lc_fiber_join(lc_fiber_self(), NULL), LCE_INVALID);
    int err = lc_fiber_join(*other, &result);
    note(err == 0 ? "joined " : "not joined ");
    one_less();
    return err;
}

static void
test_join(void **state)
{
    struct lc_fiber *other, *impatient;
    world.running = 2;
    assert_int_equal(lc_fiber_start(world.fibers, sleeper, (void *)(intptr_t)5, &other), 0);
    assert_int_equal(lc_fiber_start(world.fibers, joiner, &other, &impatient), 0);
    assert_int_equal(lc_fiber_join(other, NULL), LCE_INVALID);
    lc_fiber_cancel(impatient);
    assert_int_equal(lc_fiber_join(impatient, NULL), 0);
    world.running = 2;
    assert_int_equal(lc_fiber_start(world.fibers, joiner, &other, NULL), 0);
    assert_int_equal(lc_loop_run(world.loop), 0);
    assert_string_equal(world.trace, "not joined 5 joined ");
}

static int
starts_another(void *arg)
{
    struct lc_fiber *self = lc_fiber_self();
    struct lc_fiber *child;
    assert_int_equal(lc_fiber_start(world.fibers, sleeper, (void *)(intptr_t)0, &child), 0);
    assert_ptr_equal(lc_fiber_self(), self);
    assert_int_equal(lc_fiber_join(child, NULL), 0);
    /* Cancels a fiber from within another, then itself. */
    assert_int_equal(lc_fiber_start(world.fibers, sleeper, (void *)(intptr_t)99, &child), 0);
    lc_fiber_cancel(child);
    assert_int_equal(lc_fiber_join(child, NULL), 0);
    lc_fiber_cancel(self);
    assert_int_equal(lc_fiber_sleep(0), LCE_CANCELED);
    one_less();
    return 0;
}

static void
test_nested(void **state)
{
    world.running = 3;
    assert_int_equal(lc_fiber_start(world.fibers, starts_another, NULL, NULL), 0);
    assert_int_equal(lc_loop_run(world.loop), 0);
    assert_string_equal(world.trace, "0 99c ");
}

static void
test_outside_of_a_fiber(void **state)
{
    assert_int_equal(lc_fiber_sleep(0), LCE_INVALID);
    assert_false(lc_fiber_is_canceled());
    const struct lc_request request = {0};
    struct lc_response *response;
    struct lc_error error;
    assert_int_equal(lc_session_call(NULL, &request, &response, &error), LCE_INVALID);
    lc_fibers_free(NULL);
}

static int
many(void *arg)
{
    for (int i = 0; i < 10; i++) {
        assert_int_equal(lc_fiber_sleep(0), 0);
    }
    one_less();
    return 0;
}

static void
test_many(void **state)
{
    world.running = 1000;
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(lc_fiber_start(world.fibers, many, NULL, NULL), 0);
    }
    assert_int_equal(lc_loop_run(world.loop), 0);
    assert_int_equal(world.running, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_ends_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sleep, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cancel, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_join, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nested, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_outside_of_a_fiber, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("fiber", tests, NULL, NULL);
}
