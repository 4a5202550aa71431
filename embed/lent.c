#include "lent.h"

#include <errno.h>

#include "base/clock.h"
#include "greenlet.h"

/* The waiter's value where it was the core that woke it, not the timer. */
static char is_woken;

struct closing {
    struct cload_session *session;
    void *core;
    void (*give_back)(void *core, bool is_clean);
};

void
cload__lent_hold(struct cload_lent *lent, struct cload_session *session, void *core,
                 void (*give_back)(void *core, bool is_clean), void (*mute)(void *core))
{
    session->flight_count++;
    *lent = (struct cload_lent){
        .session = (struct cload_session *)Py_NewRef((PyObject *)session),
        .hub = session->hub,
        .core = core,
        .give_back = give_back,
        .mute = mute,
    };
}

static void
finish(const struct closing *closing, bool is_clean)
{
    struct cload_session *session = closing->session;
    closing->give_back(closing->core, is_clean);
    if (--session->flight_count == 0) {
        cload__session_free_retired(session);
    }
    Py_DECREF(session);
}

static void
finish_on_hub(void *arg)
{
    finish(arg, false);
    PyMem_Free(arg);
}

void
cload__lent_let_go(struct cload_lent *lent, bool is_clean)
{
    struct closing closing = {lent->session, lent->core, lent->give_back};
    lent->session = NULL;
    lent->core = NULL;
    if (closing.core == NULL) {
        return;
    }
    cload__lent_wake(lent);
    if (lent->hub->is_left) {
        /* In a forked child: the connection is the parent's, and stays open. */
        Py_DECREF(closing.session);
        return;
    }
    if (PyThread_get_thread_ident() == lent->hub->thread) {
        finish(&closing, is_clean);
        return;
    }
    /* What the loop has heard of it but not told yet would be told to an object that is gone. Without memory for the
     * rest the connection stays until the process ends. */
    lent->mute(closing.core);
    struct closing *later = PyMem_Malloc(sizeof(*later));
    if (later != NULL) {
        *later = closing;
        if (lc_loop_call(lent->hub->loop, finish_on_hub, later) < 0) {
            PyMem_Free(later);
        }
    }
}

void
cload__lent_wake(struct cload_lent *lent)
{
    if (lent->waiter != NULL) {
        lent->waiter->value = &is_woken;
        cload_waiter_wake(lent->waiter);
    }
}

static void
on_timeout(struct lc_timer *timer)
{
    cload_waiter_wake(LCORE_CONTAINER(timer, struct cload_waiter, timer));
}

int
cload__lent_wait(struct cload_lent *lent, int64_t timeout_ns)
{
    if (lent->waiter != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "another greenlet is already waiting for this connection");
        return -1;
    }
    struct cload_hub *hub = lent->hub;
    struct cload_waiter *waiter = cload_waiter_new(hub);
    if (waiter == NULL) {
        return -1;
    }
    int result = -1;
    if (timeout_ns > 0 &&
        lc_timer_start(hub->loop, &waiter->timer, lc_clock_monotonic_ns() + timeout_ns, on_timeout) < 0) {
        PyErr_NoMemory();
    } else {
        lent->waiter = waiter;
        int err = cload_waiter_wait(waiter);
        lent->waiter = NULL;
        lc_timer_stop(hub->loop, &waiter->timer);
        result = err < 0 ? -1 : waiter->value == &is_woken ? 1 : 0;
    }
    cload_waiter_free(waiter);
    return result;
}

int
cload__lent_check(const struct cload_lent *lent)
{
    if (lent->core == NULL || lent->hub->is_left) {
        errno = EBADF;
        PyErr_SetFromErrno(PyExc_OSError);
        return -1;
    }
    if (PyThread_get_thread_ident() != lent->hub->thread) {
        PyErr_SetString(PyExc_RuntimeError, "this connection belongs to the thread the users run in");
        return -1;
    }
    return 0;
}

int
cload__read_timeout(PyObject *value, int64_t *out)
{
    *out = 0;
    if (value == Py_None) {
        return 0;
    }
    double seconds = PyFloat_AsDouble(value);
    if (seconds == -1 && PyErr_Occurred()) {
        return -1;
    }
    *out = seconds > 9e9 ? 0 : seconds <= 0 ? 1 : (int64_t)(seconds * 1e9);
    return 0;
}

const char *
cload__fail_name(enum lc_fail fail)
{
    static const char *const names[] = {
#define CLOAD_FAIL_NAME(name, text) #name,
        LCORE_FAIL_LIST(CLOAD_FAIL_NAME)
#undef CLOAD_FAIL_NAME
    };
    return names[fail];
}
