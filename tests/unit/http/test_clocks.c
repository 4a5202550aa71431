/* Kernel time stamps on the monotonic clock, by clocks that the test drives: the core is lost at each moment. */
#include <stdlib.h>
#include <time.h>

#include "../support.h"
#include "base/clock.h"
#include "http/http.h"

enum { STEP_NS = 40, LOST_NS = 50000000, ROUND_NS = 2000000000 };

static int64_t now_ns = 1000000000;
static int64_t realtime_ahead_ns = INT64_C(1700000000000000000);
static int looks_until_lost = -1;

/* The one of the C library gives way to it in this program. */
int
clock_gettime(clockid_t clock, struct timespec *out)
{
    now_ns += looks_until_lost-- == 0 ? LOST_NS : STEP_NS;
    int64_t ns = clock == CLOCK_REALTIME ? now_ns + realtime_ahead_ns : now_ns;
    *out = (struct timespec){.tv_sec = ns / LCORE_NS_PER_S, .tv_nsec = ns % LCORE_NS_PER_S};
    return 0;
}

static int64_t
error_ns(struct lc_http *http)
{
    int64_t stamp_ns = now_ns;
    return llabs(lc__http_monotonic_ns(http, stamp_ns + realtime_ahead_ns) - stamp_ns);
}

static void
test_a_core_lost_between_two_looks_moves_no_stamp(void **state)
{
    struct lc_error error = {0};
    for (int lost_at = -1; lost_at < 6; lost_at++) {
        looks_until_lost = -1;
        struct lc_loop *loop = lc_loop_new();
        assert_non_null(loop);
        struct lc_http *http = lc_http_new(loop, &error);
        assert_non_null(http);
        looks_until_lost = lost_at;
        assert_true(error_ns(http) <= 2 * STEP_NS);
        lc_http_free(http);
        lc_loop_free(loop);
    }
}

static void
test_a_clock_that_was_set_is_looked_at_again_after_a_second(void **state)
{
    struct lc_error error = {0};
    struct lc_loop *loop = lc_loop_new();
    struct lc_http *http = lc_http_new(loop, &error);
    assert_non_null(http);
    assert_true(error_ns(http) <= 2 * STEP_NS);
    realtime_ahead_ns += 3600 * LCORE_NS_PER_S;
    now_ns += ROUND_NS;
    lc_loop_poll(loop);
    assert_true(error_ns(http) <= 2 * STEP_NS);
    lc_http_free(http);
    lc_loop_free(loop);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_core_lost_between_two_looks_moves_no_stamp),
        cmocka_unit_test(test_a_clock_that_was_set_is_looked_at_again_after_a_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
