/* The event loop: sockets through libev, deadlines in a heap of our own, wake-ups from other threads.
 *
 * Two ways to run it. A C program calls lc_loop_run(). A program that has a loop already (gevent's hub) watches
 * lc_loop_fd() for reading, sets a timer for lc_loop_next_deadline_ns(), and calls lc_loop_poll() on either. */
#ifndef LOCUSTCORE_LOOP_H
#define LOCUSTCORE_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include "locustcore/error.h"
#include "locustcore/timer.h"

#ifdef __cplusplus
extern "C" {
#endif

struct lc_loop;

/* NULL when memory or descriptors ran out. */
LCORE_API struct lc_loop *lc_loop_new(void);
/* Every timer and session on the loop must be gone. */
LCORE_API void lc_loop_free(struct lc_loop *loop);

/* Runs until lc_loop_stop(), also if there is nothing to do. Returns 0. May be called again afterwards. */
LCORE_API int lc_loop_run(struct lc_loop *loop);
/* Ends lc_loop_run() after the current round; callable from callbacks and fibers. Where the loop does not run, the next
 * lc_loop_run() returns at once: a fiber may be over before the loop was begun. */
LCORE_API void lc_loop_stop(struct lc_loop *loop);

/* Handles some of what is ready now (sockets and due deadlines) without waiting; returns the number of callbacks made.
 * Bounded: 64 sockets; call it again until it returns 0, or as lc_loop_next_deadline_ns() says. */
LCORE_API int lc_loop_poll(struct lc_loop *loop);
/* A descriptor that is readable when a socket of the loop is ready; owned by the loop. Negative: LCE_*. */
LCORE_API int lc_loop_fd(struct lc_loop *loop);
/* CLOCK_MONOTONIC nanoseconds of the earliest deadline, INT64_MAX when there is none. */
LCORE_API int64_t lc_loop_next_deadline_ns(const struct lc_loop *loop);
/* CLOCK_MONOTONIC in nanoseconds, taken when the current round began. */
LCORE_API int64_t lc_loop_now_ns(const struct lc_loop *loop);
/* Calls fn(arg) on the loop's thread in its next round. The only call that is safe from other threads. */
LCORE_API int lc_loop_call(struct lc_loop *loop, void (*fn)(void *arg), void *arg);

/* Starts a timer, or moves one that is started. LCE_NOMEM when the heap cannot grow. The timer is stopped when fn is
 * called; fn may start it again or free it. */
LCORE_API int lc_timer_start(struct lc_loop *loop, struct lc_timer *timer, int64_t deadline_ns,
                             void (*fn)(struct lc_timer *timer));
/* Fine on a timer that is not started. */
LCORE_API void lc_timer_stop(struct lc_loop *loop, struct lc_timer *timer);

/* SIGINT and SIGTERM as events of a loop. They are blocked in the calling thread until lc_signals_free(), and threads
 * that are started meanwhile inherit that. So make it before there are other threads: a signal that a thread does not
 * block ends the process. (lc_http starts threads when it looks names up.) fn is called on the loop, once for each
 * signal that came. NULL: LCE_SYSTEM or LCE_NOMEM in error. */
struct lc_signals;
LCORE_API struct lc_signals *lc_signals_new(struct lc_loop *loop, void (*fn)(int signal, void *arg), void *arg,
                                            struct lc_error *error);
/* Restores the thread's signals. A signal that came too late for fn is dropped. NULL is fine. */
LCORE_API void lc_signals_free(struct lc_signals *signals);

#ifdef __cplusplus
}
#endif
#endif
