/* Greenlets: how they are parked until something comes, and switched into. No other file includes greenlet's C API. */
#ifndef CLOAD_GREENLET_H
#define CLOAD_GREENLET_H

#include "hub.h"

/* Finds greenlet's C API, which the hub does before anything below is called; cload_greenlet_current() needs no hub. -1
 * with an exception. */
int cload__greenlet_import(void);

/* New references, or NULL with an exception. */
PyObject *cload_greenlet_current(void);
LCORE_YIELDS PyObject *cload_greenlet_switch(PyObject *greenlet);
LCORE_YIELDS PyObject *cload_greenlet_throw(PyObject *greenlet, PyObject *type, PyObject *value);
PyObject *cload_greenlet_exit_type(void); /* borrowed */
/* Whether user code left something on the greenlet that a later task could look for. */
bool cload_greenlet_has_state(PyObject *greenlet);
/* Sleeps in the current greenlet; 0: lets others run. -1 with an exception. */
LCORE_YIELDS int cload_greenlet_sleep(struct cload_hub *hub, int64_t ns);

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

#endif
