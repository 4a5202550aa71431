/* What other parts of the library see of the loop beyond its public header. */
#ifndef LCORE_LOOP_LOOP_H
#define LCORE_LOOP_LOOP_H

#include "base/list.h"
#include "locustcore/loop.h"

struct ev_loop;

/* Something to do in the next round. The memory is the caller's; zero-initialise. */
struct lc_deferred {
    struct lc_list link;
    void (*fn)(struct lc_deferred *deferred);
};

/* The libev loop underneath; borrowed. */
struct ev_loop *lc__loop_ev(struct lc_loop *loop);
/* The queue of struct lc_io whose descriptors are ready. */
struct lc_list *lc__loop_ready(struct lc_loop *loop);
/* When the kernel was asked last which descriptors are ready. What it said is queued or done with. */
int64_t lc__loop_asked_ns(const struct lc_loop *loop);
/* How many descriptors were ready and had their callback in this round. 0: the kernel was asked, and had nothing. */
int lc__loop_ready_count(const struct lc_loop *loop);
/* Calls fn in the next round, after descriptors and before deadlines; needs no memory. Fine on one that is deferred
 * already. lc_list_remove(&deferred->link) takes it back, at any time. */
void lc__loop_defer(struct lc_loop *loop, struct lc_deferred *deferred, void (*fn)(struct lc_deferred *deferred));
/* Makes sure that a round follows soon, also when a foreign loop hosts this one and waits for lc_loop_fd(). One
 * system call at most between two rounds, none from inside a round. On the loop's thread only. */
void lc__loop_kick(struct lc_loop *loop);

/* For a stopped watcher whose descriptor somebody else closes at a time of their own (ZeroMQ's thread). libev leaves it
 * in the kernel's set until it is closed or ready; should it be both at once, libev builds a new set, and a foreign
 * loop would go on to watch the old one. */
void lc__loop_forget(struct lc_loop *loop, int fd);

#endif
