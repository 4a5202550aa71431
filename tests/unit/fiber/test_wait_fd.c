#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "locustcore/fiber.h"

/* A pair of sockets, a fiber at each end. */
struct world {
    struct lc_loop *loop;
    struct lc_fibers *fibers;
    int near, far;
    int result;
};

static struct world world;

static int
set_up(void **state)
{
    int pair[2];
    memset(&world, 0, sizeof(world));
    world.loop = lc_loop_new();
    world.fibers = lc_fibers_new(world.loop, 0);
    if (world.loop == NULL || world.fibers == NULL ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0) {
        return -1;
    }
    world.near = pair[0];
    world.far = pair[1];
    return 0;
}

static int
tear_down(void **state)
{
    close(world.near);
    if (world.far >= 0) {
        close(world.far);
    }
    lc_fibers_free(world.fibers);
    lc_loop_free(world.loop);
    return 0;
}

static int
echo(void *arg)
{
    char byte;
    for (;;) {
        int ready = lc_fiber_wait_fd(world.far, LCORE_FD_READ, -1);
        if (ready < 0 || read(world.far, &byte, 1) != 1) {
            return ready;
        }
        assert_int_equal(write(world.far, &byte, 1), 1);
    }
}

static int
ask(void *arg)
{
    for (char sent = 0; sent < 100; sent++) {
        char got = -1;
        assert_int_equal(lc_fiber_wait_fd(world.near, LCORE_FD_READ | LCORE_FD_WRITE, -1), LCORE_FD_WRITE);
        assert_int_equal(write(world.near, &sent, 1), 1);
        assert_int_equal(lc_fiber_wait_fd(world.near, LCORE_FD_READ, 60 * LCORE_NS_PER_S), LCORE_FD_READ);
        assert_int_equal(read(world.near, &got, 1), 1);
        assert_int_equal(got, sent);
    }
    lc_loop_stop(world.loop);
    return 0;
}

static void
test_conversation(void **state)
{
    struct lc_fiber *server;
    assert_int_equal(lc_fiber_start(world.fibers, echo, NULL, &server), 0);
    assert_int_equal(lc_fiber_start(world.fibers, ask, NULL, NULL), 0);
    lc_loop_run(world.loop);
    lc_fiber_cancel(server);
    assert_int_equal(lc_fiber_join(server, &world.result), 0);
    assert_int_equal(world.result, LCE_CANCELED);
}

static int
wait_in_vain(void *arg)
{
    const int64_t timeout_ns = 20 * LCORE_NS_PER_MS;
    int64_t start_ns = lc_clock_monotonic_ns();
    world.result = lc_fiber_wait_fd(world.near, LCORE_FD_READ, timeout_ns);
    assert_true(lc_clock_monotonic_ns() - start_ns >= timeout_ns);
    /* Nothing is there now, either. */
    assert_int_equal(lc_fiber_wait_fd(world.near, LCORE_FD_READ, 0), 0);
    lc_loop_stop(world.loop);
    return 0;
}

static void
test_timeout(void **state)
{
    world.result = -1;
    assert_int_equal(lc_fiber_start(world.fibers, wait_in_vain, NULL, NULL), 0);
    lc_loop_run(world.loop);
    assert_int_equal(world.result, 0);
}

static int
see_the_end(void *arg)
{
    char byte;
    world.result = lc_fiber_wait_fd(world.near, LCORE_FD_READ, -1);
    assert_int_equal(read(world.near, &byte, 1), 0);
    lc_loop_stop(world.loop);
    return 0;
}

static void
test_hung_up(void **state)
{
    assert_int_equal(lc_fiber_start(world.fibers, see_the_end, NULL, NULL), 0);
    close(world.far);
    world.far = -1;
    lc_loop_run(world.loop);
    assert_int_equal(world.result, LCORE_FD_READ);
}

static int
ask_for_nonsense(void *arg)
{
    assert_int_equal(lc_fiber_wait_fd(-1, LCORE_FD_READ, 0), LCE_INVALID);
    assert_int_equal(lc_fiber_wait_fd(1 << 20, LCORE_FD_READ, 0), LCE_INVALID);
    assert_int_equal(lc_fiber_wait_fd(world.near, 0, 0), LCE_INVALID);
    assert_int_equal(lc_fiber_wait_fd(world.near, 8, 0), LCE_INVALID);
    lc_loop_stop(world.loop);
    return 0;
}

/* The fiber is over before the loop begins, which then must not wait for ever. */
static void
test_misuse_and_a_loop_stopped_before_it_runs(void **state)
{
    assert_int_equal(lc_fiber_wait_fd(world.near, LCORE_FD_READ, 0), LCE_INVALID);
    assert_int_equal(lc_fiber_start(world.fibers, ask_for_nonsense, NULL, NULL), 0);
    assert_int_equal(lc_loop_run(world.loop), 0);
}

static void *
write_from_a_thread(void *arg)
{
    const uint64_t one = 1;
    assert_int_equal(write(*(int *)arg, &one, sizeof(one)), sizeof(one));
    return NULL;
}

static int
wait_for_a_thread(void *arg)
{
    int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, write_from_a_thread, &event), 0);
    world.result = lc_fiber_wait_fd(event, LCORE_FD_READ, -1);
    pthread_join(thread, NULL);
    /* The number may come again at once, for another file. */
    close(event);
    int again = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    assert_int_equal(again, event);
    assert_int_equal(lc_fiber_wait_fd(again, LCORE_FD_READ, -1), LCORE_FD_READ);
    close(again);
    lc_loop_stop(world.loop);
    return 0;
}

static void
test_woken_by_a_thread(void **state)
{
    assert_int_equal(lc_fiber_start(world.fibers, wait_for_a_thread, NULL, NULL), 0);
    lc_loop_run(world.loop);
    assert_int_equal(world.result, LCORE_FD_READ);
}

/* The same where another loop hosts ours. */
static void
test_hosted(void **state)
{
    assert_true(lc_loop_fd(world.loop) >= 0);
    assert_int_equal(lc_fiber_start(world.fibers, wait_for_a_thread, NULL, NULL), 0);
    for (int64_t end_ns = lc_clock_monotonic_ns() + 60 * LCORE_NS_PER_S;
         world.result == 0 && lc_clock_monotonic_ns() < end_ns;) {
        lc_loop_poll(world.loop);
    }
    while (lc_loop_poll(world.loop) > 0) {
    }
    assert_int_equal(world.result, LCORE_FD_READ);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_conversation, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_timeout, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_hung_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_misuse_and_a_loop_stopped_before_it_runs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_woken_by_a_thread, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_hosted, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
