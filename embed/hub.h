/* The bridge between the core's loop and gevent's hub.
 *
 * The hub watches one descriptor and one timer of ours. When either fires, a bounded batch of events is taken and
 * what became ready is run right there, in the hub's greenlet: a waiting greenlet is switched into, a user whose wait
 * is over is given to a pooled greenlet. Core callbacks never call Python; they put something on the ready list. */
#ifndef CLOAD_HUB_H
#define CLOAD_HUB_H

#include "state.h"

#include "base/list.h"
#include "base/slab.h"

/* Something the hub's greenlet shall run. Intrusive; zero-initialise `link`. */
struct cload_ready {
    struct lc_list link;
    void (*fn)(struct cload_ready *ready);
};

struct cload_hub {
    struct cload_state *state;
    struct lc_loop *loop;
    struct lc_http *http;
    struct cload_rpc *rpc; /* NULL until the first channel; see rpc.h */
    struct lc_list ready;
    PyObject *greenlet;                  /* gevent's hub */
    PyObject *gevent_loop;               /* hub.loop */
    PyObject *io;                        /* watcher of lc_loop_fd() */
    PyObject *timer;                     /* watcher of the next deadline, or NULL */
    PyObject *callback, *timer_callback; /* the functions the watchers call */
    int64_t timer_ns;                    /* when `timer` fires; INT64_MAX: it is not armed */
    unsigned long thread;
    size_t waiting_count;    /* what keeps the process alive: waiters and users */
    bool is_referenced;      /* the io watcher keeps gevent's loop alive */
    bool is_callback_queued; /* run_callback() was asked for */
    bool is_polling;         /* a batch is under way */
    int found_more;          /* how much looking again at the end of a batch brought lately */
    unsigned batch_count;    /* that brought little */
    int run_left;            /* what a batch may still run before it looks at the sockets again */
    bool is_left;            /* the parent's, seen from a forked child: its descriptors are not to be touched */
    uint64_t switch_count;   /* grows when a greenlet is parked */
    struct lc_list idle_workers;
    size_t idle_count, busy_count, busy_peak; /* pooled greenlets; the most at once since the last trim */
    bool is_heap_scattered;                   /* the last trim ended many */
    struct lc_timer trim_timer;
    struct cload_ready trim_ready;
    struct lc_slab waiters;
};

/* The hub of this thread, made on first use. NULL without an exception when it belongs to another thread; NULL with an
 * exception when it could not be made. */
struct cload_hub *cload_hub_get(struct cload_state *state);
/* The same, whatever the thread: for those who wait for nothing. NULL with an exception. */
struct cload_hub *cload_hub_any(struct cload_state *state);

/* Says that something waits (or no longer does) for the loop, so that gevent's loop stays alive. */
int cload_hub_retain(struct cload_hub *hub);
void cload_hub_release(struct cload_hub *hub);

/* Puts `ready` on the list; wakes the hub when it is not in a batch. */
void cload_hub_put(struct cload_hub *hub, struct cload_ready *ready);
/* Deadlines or descriptors were added: outside a batch the loop has to look at them before the hub sleeps. */
int cload_hub_kick(struct cload_hub *hub);

/* Gives the pending exception to gevent's hub (which prints it, or ends the process for SystemExit and the like). */
void cload_hub_handle_error(struct cload_hub *hub, PyObject *context);

#endif
