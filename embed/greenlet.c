#include "greenlet.h"

#include <greenlet/greenlet.h>

#include "base/clock.h"
#include "base/warm.h"
#include "hub.h"
#include "session.h"

/* Bytes of what greenlet keeps of a greenlet beside the object. */
#define GREENLET_SIZE 256

_Thread_local struct cload_stack *cload_stack_place;

/* ---- greenlet's C API ---- */

int
cload__greenlet_import(void)
{
    if (_PyGreenlet_API == NULL) {
        PyGreenlet_Import();
    }
    return _PyGreenlet_API == NULL ? -1 : 0;
}

PyObject *
cload_greenlet_current(void)
{
    return cload__greenlet_import() < 0 ? NULL : (PyObject *)PyGreenlet_GetCurrent();
}

PyObject *
cload_greenlet_switch(PyObject *greenlet)
{
    return PyGreenlet_Switch((PyGreenlet *)greenlet, NULL, NULL);
}

PyObject *
cload_greenlet_throw(PyObject *greenlet, PyObject *type, PyObject *value)
{
    return PyGreenlet_Throw((PyGreenlet *)greenlet, type, value, NULL);
}

PyObject *
cload_greenlet_exit_type(void)
{
    return PyExc_GreenletExit;
}

bool
cload_greenlet_has_state(PyObject *greenlet)
{
    PyGreenlet *self = (PyGreenlet *)greenlet;
    if (self->dict != NULL && PyDict_GET_SIZE(self->dict) > 0) {
        return true;
    }
    PyObject *context = PyThreadState_Get()->context;
    if (context != NULL) {
        Py_ssize_t count = PyObject_Length(context);
        if (count < 0) {
            PyErr_Clear();
        }
        if (count != 0) {
            return true;
        }
    }
    /* gevent.local and threading's stand-ins hang a weak reference with a callback on the greenlet. */
    for (PyWeakReference *ref = (PyWeakReference *)self->weakreflist; ref != NULL; ref = ref->wr_next) {
        if (ref->wr_callback != NULL) {
            return true;
        }
    }
    return false;
}

/* ---- waiters ---- */

struct cload_waiter *
cload_waiter_new(struct cload_hub *hub)
{
    struct cload_waiter *waiter = lc__slab_alloc(&hub->waiters);
    if (waiter == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    *waiter = (struct cload_waiter){.hub = hub};
    return waiter;
}

void
cload_waiter_free(struct cload_waiter *waiter)
{
    lc_list_remove(&waiter->ready.link);
    if (cload_stack_place == &waiter->stack) {
        cload_stack_place = NULL;
    }
    lc__slab_free(&waiter->hub->waiters, waiter);
}

static void waiter_resume(struct cload_ready *ready);

/* What the greenlets that will be switched into next need: with thousands of users none of it is in a cache, and a
 * stack alone is 35 lines. */
static void
warm_next(const struct cload_hub *hub)
{
    const struct lc_list *first = hub->ready.next;
    if (first == &hub->ready || hub->busy_count < LCORE_WARM_MANY) {
        return;
    }
    struct cload_ready *ready = LCORE_CONTAINER(first, struct cload_ready, link);
    if (ready->fn == waiter_resume) {
        struct cload_waiter *next = LCORE_CONTAINER(ready, struct cload_waiter, ready);
        lc__warm(next->stack.memory, next->stack.size);
        lc__warm(((PyGreenlet *)next->greenlet)->pimpl, GREENLET_SIZE);
        lc__warm(next->session, sizeof(struct cload_session));
    }
    if (first->next == &hub->ready) {
        return;
    }
    ready = LCORE_CONTAINER(first->next, struct cload_ready, link);
    if (ready->fn == waiter_resume) {
        struct cload_waiter *next = LCORE_CONTAINER(ready, struct cload_waiter, ready);
        lc__warm(next->greenlet, sizeof(PyGreenlet));
    }
}

static void
waiter_resume(struct cload_ready *ready)
{
    struct cload_waiter *waiter = LCORE_CONTAINER(ready, struct cload_waiter, ready);
    PyObject *greenlet = Py_NewRef(waiter->greenlet);
    warm_next(waiter->hub);
    PyObject *result = PyGreenlet_Switch((PyGreenlet *)greenlet, NULL, NULL);
    if (result == NULL) {
        /* The greenlet ended with an exception, which came up to the hub as its parent. */
        PyErr_WriteUnraisable(greenlet);
    }
    Py_XDECREF(result);
    Py_DECREF(greenlet);
}

/* From a greenlet that is to be parked. Within a batch the next greenlet that waits for its turn is switched into right
 * away, which saves the way over the hub's greenlet: half of all switches. The waiter holds it until it runs, and
 * greenlet itself does not touch a greenlet again that it has switched into; a reference of ours would look as if
 * somebody had kept it (see pool.c). New reference. */
static PyObject *
switch_away(struct cload_hub *hub)
{
    struct lc_list *first = hub->ready.next;
    if (hub->is_polling && hub->run_left > 0 && first != &hub->ready) {
        struct cload_ready *ready = LCORE_CONTAINER(first, struct cload_ready, link);
        if (ready->fn == waiter_resume) {
            hub->run_left--;
            lc_list_remove(first);
            warm_next(hub);
            struct cload_waiter *next = LCORE_CONTAINER(ready, struct cload_waiter, ready);
            return PyGreenlet_Switch((PyGreenlet *)next->greenlet, NULL, NULL);
        }
    }
    return PyGreenlet_Switch((PyGreenlet *)hub->greenlet, NULL, NULL);
}

int
cload_waiter_wait(struct cload_waiter *waiter)
{
    struct cload_hub *hub = waiter->hub;
    if (waiter->is_done) {
        return 0;
    }
    waiter->greenlet = (PyObject *)PyGreenlet_GetCurrent();
    if (waiter->greenlet == NULL) {
        return -1;
    }
    int err = -1;
    if (waiter->greenlet == hub->greenlet) {
        PyErr_SetString(PyExc_RuntimeError, "a blocking call cannot be made from the event loop's own callback");
        goto out;
    }
    if (cload_hub_retain(hub) < 0 || cload_hub_kick(hub) < 0) {
        goto out_release;
    }
    hub->switch_count++;
    do {
        cload_stack_place = &waiter->stack;
        PyObject *result = switch_away(hub);
        if (result == NULL) {
            goto out_release;
        }
        Py_DECREF(result);
        /* Somebody else may switch into this greenlet; only our own wake-up counts. Out of a hub that has ended (a
         * signal handler raised in the midst of it) each switch comes back at once, and no wake-up ever will. */
        PyGreenlet *greenlet = (PyGreenlet *)hub->greenlet;
        if (!waiter->is_done && PyGreenlet_STARTED(greenlet) && !PyGreenlet_ACTIVE(greenlet)) {
            PyErr_SetString(PyExc_RuntimeError, "gevent's hub was ended by an exception: nothing can be waited for");
            goto out_release;
        }
    } while (!waiter->is_done);
    err = 0;
out_release:
    lc_list_remove(&waiter->ready.link);
    cload_hub_release(hub);
out:
    Py_CLEAR(waiter->greenlet);
    return err;
}

void
cload_waiter_wake(struct cload_waiter *waiter)
{
    waiter->is_done = true;
    if (waiter->greenlet != NULL) {
        waiter->ready.fn = waiter_resume;
        cload_hub_put(waiter->hub, &waiter->ready);
    }
}

static void
sleep_is_over(struct lc_timer *timer)
{
    cload_waiter_wake(LCORE_CONTAINER(timer, struct cload_waiter, timer));
}

int
cload_greenlet_sleep(struct cload_hub *hub, int64_t ns)
{
    struct cload_waiter *waiter = cload_waiter_new(hub);
    if (waiter == NULL) {
        return -1;
    }
    int err = -1;
    if (lc_timer_start(hub->loop, &waiter->timer, ns == 0 ? 0 : lc_clock_monotonic_ns() + ns, sleep_is_over) < 0) {
        PyErr_NoMemory();
    } else {
        err = cload_waiter_wait(waiter);
        lc_timer_stop(hub->loop, &waiter->timer);
    }
    cload_waiter_free(waiter);
    return err;
}
