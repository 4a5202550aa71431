/* One round: libev collects ready descriptors into a queue, a bounded number of which is called, then due deadlines
 * are. While the queue is not empty the kernel is not asked for more. The two ways to run (own run, hosted) differ only
 * in who waits.
 *
 * Hosted, the foreign loop sees one descriptor, libev's epoll set. libev tells the kernel about watchers lazily, at the
 * begin of a round, so a watcher started in the middle of one is unknown to the kernel when the round ends. `is_dirty`
 * remembers that: lc_loop_poll() then goes round once more, and between rounds a byte for our own wake-up descriptor
 * makes the set readable. libev's ev_async would not do, it writes only while its own loop sleeps. */
#include "loop/io.h"

#include <assert.h>
#include <errno.h>
#include <ev.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/heap.h"

struct call {
    struct call *next;
    void (*fn)(void *arg);
    void *arg;
};

struct lc_loop {
    struct ev_loop *ev;
    struct lc_heap timers;
    struct lc_list ready; /* descriptors that await their callback */
    struct lc_list deferred;
    struct lc_list due; /* deferred ones of this round */
    int64_t now_ns;
    int64_t asked_ns; /* see lc__loop_asked_ns() */
    int callbacks;
    int ready_count; /* see lc__loop_ready_count() */
    bool is_in_round;
    bool is_dirty; /* in a round: watchers were started; between rounds: the wake-up was written */
    bool is_stopping;
    int backend_fd;
    int wake_fd;
    ev_io wake_io;
    ev_timer timer;
    int64_t armed_ns;      /* deadline the libev timer is set for */
    struct ev_loop *probe; /* the second loop that shows the descriptor of the first */
    ev_embed embed;
    pthread_mutex_t lock; /* of the calls */
    struct call *calls_first;
    struct call **calls_end;
};

static void
wake(struct lc_loop *loop)
{
    uint64_t one = 1;
    ssize_t written;
    do {
        written = write(loop->wake_fd, &one, sizeof(one));
    } while (written < 0 && errno == EINTR);
}

static void
on_wake(struct ev_loop *ev, ev_io *io, int events)
{
    struct lc_loop *loop = io->data;
    loop->now_ns = loop->asked_ns = lc_clock_monotonic_ns();
    uint64_t count;
    if (read(loop->wake_fd, &count, sizeof(count)) < 0 && errno != EAGAIN && errno != EINTR) {
        assert(!"eventfd");
    }
    pthread_mutex_lock(&loop->lock);
    struct call *call = loop->calls_first;
    loop->calls_first = NULL;
    loop->calls_end = &loop->calls_first;
    pthread_mutex_unlock(&loop->lock);
    while (call != NULL) {
        struct call *next = call->next;
        void (*fn)(void *arg) = call->fn;
        void *arg = call->arg;
        lc__free(call);
        loop->callbacks++;
        fn(arg);
        call = next;
    }
}

/* libev is to end its wait when the first deadline is due. */
static void
arm_timer(struct lc_loop *loop)
{
    int64_t deadline_ns = lc_loop_next_deadline_ns(loop);
    if (deadline_ns == loop->armed_ns) {
        return;
    }
    ev_timer_stop(loop->ev, &loop->timer);
    loop->armed_ns = deadline_ns;
    if (deadline_ns != INT64_MAX) {
        int64_t wait_ns = deadline_ns - lc_clock_monotonic_ns();
        ev_now_update(loop->ev);
        ev_timer_set(&loop->timer, wait_ns > 0 ? (ev_tstamp)wait_ns / 1e9 : 0.0, 0.0);
        ev_timer_start(loop->ev, &loop->timer);
    }
}

/* Only there to end the wait; run_timers() does the work. */
static void
on_timer(struct ev_loop *ev, ev_timer *timer, int events)
{
    struct lc_loop *loop = timer->data;
    loop->armed_ns = INT64_MAX;
}

/* Descriptors called in a round. */
#define READY_BURST 64

static void
run_ready(struct lc_loop *loop)
{
    struct lc_list *link;
    int count = 0;
    for (; count < READY_BURST && (link = lc_list_pop(&loop->ready)) != NULL; count++) {
        struct lc_io *io = LCORE_CONTAINER(link, struct lc_io, link);
        io->fn(io, io->events);
    }
    loop->ready_count = count;
    loop->callbacks += count;
}

static void
run_deferred(struct lc_loop *loop)
{
    struct lc_list *link;
    while ((link = lc_list_pop(&loop->deferred)) != NULL) {
        lc_list_append(&loop->due, link);
    }
    while ((link = lc_list_pop(&loop->due)) != NULL) {
        struct lc_deferred *deferred = LCORE_CONTAINER(link, struct lc_deferred, link);
        loop->callbacks++;
        deferred->fn(deferred);
    }
}

static void
run_timers(struct lc_loop *loop)
{
    /* The count bounds the round: a timer that starts itself anew with a past deadline waits for the next one. */
    size_t most = loop->timers.count;
    while (most-- > 0) {
        struct lc_timer *first = lc_heap_first(&loop->timers);
        if (first == NULL || first->deadline_ns > loop->now_ns) {
            break;
        }
        lc_heap_remove(&loop->timers, first);
        loop->callbacks++;
        first->fn(first);
    }
}

struct lc_loop *
lc_loop_new(void)
{
    struct lc_loop *loop = lc__calloc(1, sizeof(*loop));
    if (loop == NULL) {
        return NULL;
    }
    lc_list_init(&loop->ready);
    lc_list_init(&loop->deferred);
    lc_list_init(&loop->due);
    loop->calls_end = &loop->calls_first;
    loop->backend_fd = -1;
    loop->now_ns = lc_clock_monotonic_ns();
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->wake_fd < 0) {
        goto fail_wake;
    }
    unsigned backends = ev_recommended_backends() & ev_embeddable_backends();
    loop->ev = ev_loop_new(EVFLAG_NOENV | EVFLAG_NOSIGMASK | (backends == 0 ? EVFLAG_AUTO : backends));
    if (loop->ev == NULL) {
        goto fail_ev;
    }
    ev_set_userdata(loop->ev, loop);
    if (pthread_mutex_init(&loop->lock, NULL) != 0) {
        goto fail_lock;
    }
    ev_io_init(&loop->wake_io, on_wake, loop->wake_fd, EV_READ);
    loop->wake_io.data = loop;
    ev_io_start(loop->ev, &loop->wake_io);
    ev_timer_init(&loop->timer, on_timer, 0.0, 0.0);
    loop->timer.data = loop;
    loop->armed_ns = INT64_MAX;
    /* A round with nothing to do puts the wake-up into the kernel's set; from here on is_dirty tells the truth. */
    ev_run(loop->ev, EVRUN_NOWAIT);
    return loop;
fail_lock:
    ev_loop_destroy(loop->ev);
fail_ev:
    close(loop->wake_fd);
fail_wake:
    lc__free(loop);
    return NULL;
}

void
lc_loop_free(struct lc_loop *loop)
{
    if (loop == NULL) {
        return;
    }
    assert(!loop->is_in_round);
    lc_heap_fini(&loop->timers);
    if (loop->probe != NULL) {
        ev_embed_stop(loop->probe, &loop->embed);
        ev_loop_destroy(loop->probe);
    }
    ev_timer_stop(loop->ev, &loop->timer);
    ev_io_stop(loop->ev, &loop->wake_io);
    ev_loop_destroy(loop->ev);
    close(loop->wake_fd);
    pthread_mutex_destroy(&loop->lock);
    while (loop->calls_first != NULL) {
        struct call *call = loop->calls_first;
        loop->calls_first = call->next;
        lc__free(call);
    }
    lc__free(loop);
}

/* Asks the kernel only when everything that it told before has been handled. */
static void
run_round(struct lc_loop *loop, int flags)
{
    if (lc_list_is_empty(&loop->ready)) {
        if (flags == EVRUN_ONCE) {
            arm_timer(loop);
        }
        loop->is_dirty = false;
        ev_run(loop->ev, flags);
        loop->asked_ns = lc_clock_monotonic_ns();
        loop->now_ns = loop->asked_ns;
    } else {
        loop->now_ns = lc_clock_monotonic_ns();
    }
    run_ready(loop);
    run_deferred(loop);
    /* An answer that is here already is not late. */
    if (lc_list_is_empty(&loop->ready)) {
        run_timers(loop);
    }
}

int
lc_loop_run(struct lc_loop *loop)
{
    assert(!loop->is_in_round);
    loop->is_in_round = true;
    while (!loop->is_stopping) {
        run_round(loop, EVRUN_ONCE);
    }
    loop->is_in_round = false;
    loop->is_stopping = false;
    ev_timer_stop(loop->ev, &loop->timer);
    loop->armed_ns = INT64_MAX;
    return 0;
}

void
lc_loop_stop(struct lc_loop *loop)
{
    loop->is_stopping = true;
}

int
lc_loop_poll(struct lc_loop *loop)
{
    assert(!loop->is_in_round);
    loop->is_in_round = true;
    loop->callbacks = 0;
    run_round(loop, EVRUN_NOWAIT);
    if (loop->is_dirty && lc_list_is_empty(&loop->ready)) {
        run_round(loop, EVRUN_NOWAIT);
    }
    loop->is_in_round = false;
    /* With something in the queue the deadline is now, which does as well. */
    if (loop->is_dirty && lc_list_is_empty(&loop->ready)) {
        wake(loop);
    }
    return loop->callbacks;
}

int
lc_loop_fd(struct lc_loop *loop)
{
    if (loop->backend_fd >= 0) {
        return loop->backend_fd;
    }
    if ((ev_backend(loop->ev) & ev_embeddable_backends()) == 0) {
        return LCE_UNSUPPORTED;
    }
    loop->probe = ev_loop_new(EVFLAG_NOENV | EVFLAG_NOSIGMASK);
    if (loop->probe == NULL) {
        return LCE_SYSTEM;
    }
    ev_embed_init(&loop->embed, NULL, loop->ev);
    ev_embed_start(loop->probe, &loop->embed);
    loop->backend_fd = loop->embed.io.fd;
    return loop->backend_fd;
}

int64_t
lc_loop_next_deadline_ns(const struct lc_loop *loop)
{
    if (!lc_list_is_empty(&loop->ready) || !lc_list_is_empty(&loop->deferred)) {
        return 0;
    }
    const struct lc_timer *first = lc_heap_first(&loop->timers);
    return first == NULL ? INT64_MAX : first->deadline_ns;
}

int64_t
lc_loop_now_ns(const struct lc_loop *loop)
{
    return loop->now_ns;
}

int
lc_loop_call(struct lc_loop *loop, void (*fn)(void *arg), void *arg)
{
    struct call *call = lc__alloc(sizeof(*call));
    if (call == NULL) {
        return LCE_NOMEM;
    }
    *call = (struct call){NULL, fn, arg};
    pthread_mutex_lock(&loop->lock);
    bool is_first = loop->calls_first == NULL;
    *loop->calls_end = call;
    loop->calls_end = &call->next;
    pthread_mutex_unlock(&loop->lock);
    if (is_first) {
        wake(loop);
    }
    return 0;
}

struct lc_list *
lc__loop_ready(struct lc_loop *loop)
{
    return &loop->ready;
}

int64_t
lc__loop_asked_ns(const struct lc_loop *loop)
{
    return loop->asked_ns;
}

int
lc__loop_ready_count(const struct lc_loop *loop)
{
    return loop->ready_count;
}

struct ev_loop *
lc__loop_ev(struct lc_loop *loop)
{
    return loop->ev;
}

void
lc__loop_defer(struct lc_loop *loop, struct lc_deferred *deferred, void (*fn)(struct lc_deferred *deferred))
{
    deferred->fn = fn;
    if (!lc_list_is_linked(&deferred->link)) {
        lc_list_append(&loop->deferred, &deferred->link);
        lc__loop_kick(loop);
    }
}

void
lc__loop_kick(struct lc_loop *loop)
{
    if (loop->is_dirty) {
        return;
    }
    loop->is_dirty = true;
    if (!loop->is_in_round) {
        wake(loop);
    }
}

void
lc__loop_forget(struct lc_loop *loop, int fd)
{
    if (loop->backend_fd >= 0 && ev_backend(loop->ev) == EVBACKEND_EPOLL) {
        struct epoll_event unused = {0};
        /* Fails where the kernel never heard of the descriptor, which is as well. */
        (void)epoll_ctl(loop->backend_fd, EPOLL_CTL_DEL, fd, &unused);
    }
}

int
lc_timer_start(struct lc_loop *loop, struct lc_timer *timer, int64_t deadline_ns, void (*fn)(struct lc_timer *timer))
{
    timer->fn = fn;
    return lc_heap_put(&loop->timers, timer, deadline_ns);
}

void
lc_timer_stop(struct lc_loop *loop, struct lc_timer *timer)
{
    lc_heap_remove(&loop->timers, timer);
}
