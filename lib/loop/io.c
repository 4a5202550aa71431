#include "loop/io.h"

static void
on_ready(struct ev_loop *ev, ev_io *watcher, int events)
{
    struct lc_io *io = LCORE_CONTAINER(watcher, struct lc_io, ev);
    if (lc_list_is_linked(&io->link)) {
        io->events |= events;
        return;
    }
    io->events = events;
    /* libev calls the last one that became ready first. */
    lc_list_prepend(lc__loop_ready(ev_userdata(ev)), &io->link);
}

void
lc_io_init(struct lc_io *io, void (*fn)(struct lc_io *io, int events), int fd, int events, void *data)
{
    *io = (struct lc_io){.fn = fn, .data = data, .fd = fd};
    ev_io_init(&io->ev, on_ready, fd, events);
}

void
lc_io_start(struct lc_loop *loop, struct lc_io *io)
{
    if (!ev_is_active(&io->ev)) {
        ev_io_start(lc__loop_ev(loop), &io->ev);
        lc__loop_kick(loop);
    }
}

void
lc_io_stop(struct lc_loop *loop, struct lc_io *io)
{
    ev_io_stop(lc__loop_ev(loop), &io->ev);
    lc_list_remove(&io->link);
}
