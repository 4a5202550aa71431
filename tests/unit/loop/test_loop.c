#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../support.h"
#include "base/clock.h"
#include "loop/io.h"

struct tick {
    struct lc_timer timer;
    struct lc_loop *loop;
    int *order, *count;
    int id;
    bool is_last, is_repeating;
};

static void
on_tick(struct lc_timer *timer)
{
    struct tick *tick = (struct tick *)timer;
    assert_int_equal(timer->index, 0);
    tick->order[(*tick->count)++] = tick->id;
    if (tick->is_repeating) {
        assert_int_equal(lc_timer_start(tick->loop, timer, 0, on_tick), 0);
    }
    if (tick->is_last) {
        lc_loop_stop(tick->loop);
    }
}

static void
test_timers(void **state)
{
    struct lc_loop *loop = lc_loop_new();
    int order[8] = {0}, count = 0;
    int64_t now_ns = lc_clock_monotonic_ns();
    static const int ms[] = {30, 10, 20, 5};
    struct tick ticks[4];
    assert_int_equal(lc_loop_next_deadline_ns(loop), INT64_MAX);
    for (int i = 0; i < 4; i++) {
        ticks[i] = (struct tick){.loop = loop, .order = order, .count = &count, .id = ms[i], .is_last = ms[i] == 30};
        assert_int_equal(lc_timer_start(loop, &ticks[i].timer, now_ns + ms[i] * LCORE_NS_PER_MS, on_tick), 0);
    }
    assert_int_equal(lc_loop_next_deadline_ns(loop), now_ns + 5 * LCORE_NS_PER_MS);
    lc_timer_stop(loop, &ticks[3].timer);
    lc_timer_stop(loop, &ticks[3].timer);
    /* Starting a started one moves it. */
    assert_int_equal(lc_timer_start(loop, &ticks[1].timer, now_ns + 25 * LCORE_NS_PER_MS, on_tick), 0);
    assert_int_equal(lc_loop_run(loop), 0);
    assert_int_equal(count, 3);
    assert_int_equal(order[0], 20);
    assert_int_equal(order[1], 10);
    assert_int_equal(order[2], 30);
    int64_t late_ns = lc_loop_now_ns(loop) - now_ns - 30 * LCORE_NS_PER_MS;
    assert_true(late_ns >= 0);
    lc_loop_free(loop);
}

/* A timer that starts itself with a past deadline does not keep the round from ending. */
static void
test_repeating_timer(void **state)
{
    struct lc_loop *loop = lc_loop_new();
    int order[64] = {0}, count = 0;
    struct tick tick = {.loop = loop, .order = order, .count = &count, .is_repeating = true};
    assert_int_equal(lc_timer_start(loop, &tick.timer, 0, on_tick), 0);
    assert_true(lc_loop_poll(loop) >= 1);
    assert_true(count >= 1 && count <= 2);
    lc_timer_stop(loop, &tick.timer);
    lc_loop_free(loop);
}

struct pair {
    struct lc_io io;
    struct lc_loop *loop;
    int fds[2];
    int reads;
};

static void
on_pair(struct lc_io *io, int events)
{
    struct pair *pair = io->data;
    char byte;
    assert_int_equal(read(pair->fds[0], &byte, 1), 1);
    pair->reads++;
    lc_loop_stop(pair->loop);
}

static bool
is_readable(int fd, int ms)
{
    struct pollfd watched = {fd, POLLIN, 0};
    return poll(&watched, 1, ms) == 1;
}

/* A watcher started between rounds of a hosted loop is known to the kernel after one wake-up. */
static void
test_hosting(void **state)
{
    struct pair pair = {.loop = lc_loop_new()};
    struct lc_loop *loop = pair.loop;
    int fd = lc_loop_fd(loop);
    assert_true(fd >= 0);
    assert_int_equal(lc_loop_fd(loop), fd);
    assert_false(is_readable(fd, 0));
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair.fds), 0);
    lc_io_init(&pair.io, on_pair, pair.fds[0], EV_READ, &pair);
    lc_io_start(loop, &pair.io);
    assert_true(is_readable(fd, 1000));
    lc_loop_poll(loop);
    assert_false(is_readable(fd, 0));
    assert_int_equal(write(pair.fds[1], "xy", 2), 2);
    assert_true(is_readable(fd, 1000));
    assert_true(lc_loop_poll(loop) >= 1);
    assert_int_equal(pair.reads, 1);
    assert_true(is_readable(fd, 0)); /* level-triggered */
    lc_loop_poll(loop);
    assert_int_equal(pair.reads, 2);
    assert_false(is_readable(fd, 0));
    lc_io_stop(loop, &pair.io);
    close(pair.fds[0]);
    close(pair.fds[1]);
    lc_loop_free(loop);
}

#define CROWD 200

struct crowd {
    struct lc_loop *loop;
    struct lc_io io[CROWD];
    struct lc_timer timer;
    int fds[2];
    int order[2 * CROWD];
    int count;
    bool is_timer_called;
};

static void
on_crowd(struct lc_io *io, int events)
{
    struct crowd *crowd = io->data;
    assert_int_equal(events, EV_READ);
    crowd->order[crowd->count++] = (int)(io - crowd->io);
}

static void
on_crowd_timer(struct lc_timer *timer)
{
    LCORE_CONTAINER(timer, struct crowd, timer)->is_timer_called = true;
}

/* Of many ready descriptors a poll calls some, each before any is called again, and says that there are more; one that
 * is stopped meanwhile is not called. */
static void
test_bounded_poll(void **state)
{
    static struct crowd crowd;
    struct lc_loop *loop = crowd.loop = lc_loop_new();
    assert_true(lc_loop_fd(loop) >= 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, crowd.fds), 0);
    assert_int_equal(write(crowd.fds[1], "x", 1), 1);
    for (int i = 0; i < CROWD; i++) {
        lc_io_init(&crowd.io[i], on_crowd, dup(crowd.fds[0]), EV_READ, &crowd);
        lc_io_start(loop, &crowd.io[i]);
    }
    assert_int_equal(lc_timer_start(loop, &crowd.timer, 0, on_crowd_timer), 0);
    bool is_seen[CROWD] = {false};
    int stopped = 0;
    while (crowd.count < CROWD - 1) {
        int before = crowd.count;
        assert_true(lc_loop_poll(loop) >= 1);
        assert_in_range(crowd.count - before, 1, 64);
        for (int i = before; i < crowd.count && i < CROWD - 1; i++) {
            assert_false(is_seen[crowd.order[i]]); /* nobody twice before all others */
            is_seen[crowd.order[i]] = true;
        }
        if (before == 0) {
            while (is_seen[stopped]) {
                stopped++;
            }
            lc_io_stop(loop, &crowd.io[stopped]);
        }
        assert_true(lc_loop_next_deadline_ns(loop) == 0 || is_readable(lc_loop_fd(loop), 0));
    }
    assert_false(is_seen[stopped]);
    for (int i = 0; i < CROWD; i++) {
        lc_io_stop(loop, &crowd.io[i]);
        close(crowd.io[i].fd);
    }
    lc_loop_poll(loop);
    assert_true(crowd.is_timer_called);
    close(crowd.fds[0]);
    close(crowd.fds[1]);
    lc_loop_free(loop);
}

/* A foreign loop that is itself epoll can watch the descriptor, as gevent's does. */
static void
test_nested_epoll(void **state)
{
    struct lc_loop *loop = lc_loop_new();
    int outer = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN};
    assert_int_equal(epoll_ctl(outer, EPOLL_CTL_ADD, lc_loop_fd(loop), &event), 0);
    assert_int_equal(epoll_wait(outer, &event, 1, 0), 0);
    lc__loop_kick(loop);
    assert_int_equal(epoll_wait(outer, &event, 1, 1000), 1);
    lc_loop_poll(loop);
    assert_int_equal(epoll_wait(outer, &event, 1, 0), 0);
    close(outer);
    lc_loop_free(loop);
}

struct calls {
    struct lc_loop *loop;
    int count;
};

static void
on_call(void *arg)
{
    struct calls *calls = arg;
    if (++calls->count == 4000) {
        lc_loop_stop(calls->loop);
    }
}

static void *
call_often(void *arg)
{
    struct calls *calls = arg;
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(lc_loop_call(calls->loop, on_call, calls), 0);
    }
    return NULL;
}

static void
test_calls_from_threads(void **state)
{
    struct calls calls = {.loop = lc_loop_new()};
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        pthread_create(&threads[i], NULL, call_often, &calls);
    }
    lc_loop_run(calls.loop);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(calls.count, 4000);
    /* What was not called any more is let go. */
    assert_int_equal(lc_loop_call(calls.loop, on_call, &calls), 0);
    lc_loop_free(calls.loop);
    lc_loop_free(NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timers),       cmocka_unit_test(test_repeating_timer),
        cmocka_unit_test(test_hosting),      cmocka_unit_test(test_bounded_poll),
        cmocka_unit_test(test_nested_epoll), cmocka_unit_test(test_calls_from_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
