#include <fcntl.h>

#include "base/clock.h"
#include "base/list.h"
#include "fiber/fiber.h"
#include "loop/io.h"

struct wait {
    struct lc_fiber *fiber;
    struct lc_io io;
    struct lc_timer timer;
    unsigned events;
};

static void
on_ready(struct lc_io *io, int ready)
{
    struct wait *wait = io->data;
    unsigned came = ((ready & EV_READ) != 0 ? LCORE_FD_READ : 0u) | ((ready & EV_WRITE) != 0 ? LCORE_FD_WRITE : 0u);
    lc__fiber_wake(wait->fiber, (int)(came & wait->events));
}

static void
on_timeout(struct lc_timer *timer)
{
    lc__fiber_wake(LCORE_CONTAINER(timer, struct wait, timer)->fiber, 0);
}

int
lc_fiber_wait_fd(int fd, unsigned events, int64_t timeout_ns)
{
    int err = lc__fiber_check();
    if (err < 0) {
        return err;
    }
    if (events == 0 || (events & ~(unsigned)(LCORE_FD_READ | LCORE_FD_WRITE)) != 0 || fcntl(fd, F_GETFD) < 0) {
        return LCE_INVALID;
    }
    struct lc_loop *loop = lc__fiber_loop();
    struct wait wait = {.fiber = lc_fiber_self(), .events = events};
    if (timeout_ns >= 0) {
        int64_t now_ns = lc_clock_monotonic_ns();
        int64_t deadline_ns = timeout_ns > INT64_MAX - now_ns ? INT64_MAX : now_ns + timeout_ns;
        err = lc_timer_start(loop, &wait.timer, deadline_ns, on_timeout);
        if (err < 0) {
            return err;
        }
    }
    lc_io_init(&wait.io, on_ready, fd,
               ((events & LCORE_FD_READ) != 0 ? EV_READ : 0) | ((events & LCORE_FD_WRITE) != 0 ? EV_WRITE : 0), &wait);
    lc_io_start(loop, &wait.io);
    int value = lc__fiber_park();
    lc_io_stop(loop, &wait.io);
    /* The descriptor is the caller's to close, at any time from now on. */
    lc__loop_forget(loop, fd);
    lc_timer_stop(loop, &wait.timer);
    return value;
}
