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

/* Where the copy of a parked greenlet's stack is: a guess, only good for asking for it early. NULL: unknown. */
struct cload_stack {
    const void *memory;
    size_t size;
};

/* Who wants to know where the next piece of memory is that may be a stack's: set by who parks a greenlet, served and
 * cleared by the executable's allocator, in the same thread. */
extern _Thread_local struct cload_stack *cload_stack_place;

/* A greenlet that waits for one thing. On the heap, never on the C stack: greenlet moves a parked greenlet's stack
 * away, so nothing that somebody else writes to may lie there. From a free list of the hub. */
struct cload_waiter {
    struct cload_ready ready;
    struct cload_stack stack; /* where the greenlet's is meanwhile */
    const void *session;      /* what it will look at next, or NULL */
    struct lc_timer timer;    /* for those who wait for a time */
    struct cload_hub *hub;
    PyObject *greenlet;
    void *value; /* what it was woken with */
    bool is_done;
};
struct cload_waiter *cload_waiter_new(struct cload_hub *hub); /* NULL with an exception: out of memory */
void cload_waiter_free(struct cload_waiter *waiter);
/* Parks the current greenlet until cload_waiter_wake(). -1 with an exception when something was thrown into it. */
LCORE_YIELDS int cload_waiter_wait(struct cload_waiter *waiter);
void cload_waiter_wake(struct cload_waiter *waiter);
/* Sleeps in the current greenlet; 0: lets others run. -1 with an exception. */
LCORE_YIELDS int cload_hub_sleep(struct cload_hub *hub, int64_t ns);

/* greenlet's C API, for the files that have none of their own. All return new references or NULL with an exception. */
PyObject *cload_greenlet_current(void);
LCORE_YIELDS PyObject *cload_greenlet_switch(PyObject *greenlet);
LCORE_YIELDS PyObject *cload_greenlet_throw(PyObject *greenlet, PyObject *type, PyObject *value);
PyObject *cload_greenlet_exit_type(void); /* borrowed */
/* Whether user code left something on the greenlet that a later task could look for. */
bool cload_greenlet_has_state(PyObject *greenlet);
/* Gives the pending exception to gevent's hub (which prints it, or ends the process for SystemExit and the like). */
void cload_hub_handle_error(struct cload_hub *hub, PyObject *context);

#endif
