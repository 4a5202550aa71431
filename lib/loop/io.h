/* Watching a descriptor. What the kernel reports goes into a queue, and a round calls only so many callbacks of it, in
 * the order of their arrival: with ten thousand connections ready, a foreign loop still gets its turns.
 *
 * libev hands changes to the kernel only when a round begins, so whoever starts a watcher between two rounds of a
 * hosted loop must cause a round: lc_io_start() does. */
#ifndef LCORE_LOOP_IO_H
#define LCORE_LOOP_IO_H

#include <ev.h>

#include "loop/loop.h"

/* The caller's memory; zero-initialise, or lc_io_init(). */
struct lc_io {
    ev_io ev;
    struct lc_list link; /* in the loop's queue */
    void (*fn)(struct lc_io *io, int events);
    void *data;
    int fd;
    int events; /* that are queued */
};

/* Level-triggered. events: EV_READ, EV_WRITE or both. Not on one that is started. */
void lc_io_init(struct lc_io *io, void (*fn)(struct lc_io *io, int events), int fd, int events, void *data);
/* Fine on one that is started. */
void lc_io_start(struct lc_loop *loop, struct lc_io *io);
/* Fine on one that is stopped. Must come before the descriptor is closed. No callback comes afterwards. */
void lc_io_stop(struct lc_loop *loop, struct lc_io *io);

#endif
