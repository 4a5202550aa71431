/* Watching a descriptor. libev hands changes to the kernel only when a round begins, so whoever starts a watcher
 * between two rounds of a hosted loop must cause a round: lc_io_start() does. */
#ifndef LCORE_LOOP_IO_H
#define LCORE_LOOP_IO_H

#include <ev.h>

#include "loop/loop.h"

/* Level-triggered. events: EV_READ, EV_WRITE or both. */
static inline void
lc_io_init(ev_io *io, void (*fn)(struct ev_loop *ev, ev_io *io, int events), int fd, int events, void *data)
{
    ev_io_init(io, fn, fd, events);
    io->data = data;
}

/* Fine on one that is started. */
static inline void
lc_io_start(struct lc_loop *loop, ev_io *io)
{
    if (!ev_is_active(io)) {
        ev_io_start(lc__loop_ev(loop), io);
        lc__loop_kick(loop);
    }
}

/* Fine on one that is stopped. Must come before the descriptor is closed. */
static inline void
lc_io_stop(struct lc_loop *loop, ev_io *io)
{
    ev_io_stop(lc__loop_ev(loop), io);
}

#endif
