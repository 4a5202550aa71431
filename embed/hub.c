#include "hub.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "greenlet.h"

/* Sockets that one look brings at most (READY_BURST in loop.c). */
#define LOOK_COUNT 64
/* Ready things run between two looks: more than one brings, so that what has piled up, as when thousands of users
 * start, drains. If it stayed, each answer would wait behind all of it, and find the caches cold. How long a batch may
 * keep gevent's own loop waiting. */
#define BATCH_COUNT (2 * LOOK_COUNT)
#define BATCH_NS (1 * LCORE_NS_PER_MS)
/* Looking again before the batch ends costs a fifth of a way over gevent's loop, so it is done where one look in eight
 * brought something lately; and in some batches anyway, to know. */
#define MORE_FOUND 8
#define MORE_MOST 64
#define LOOK_ANYWAY 16
#define GEVENT_READ 1
static int
hub_arm_timer(struct cload_hub *hub, bool is_at_once)
{
    int64_t now_ns = lc_clock_monotonic_ns();
    int64_t deadline_ns = is_at_once ? now_ns : lc_loop_next_deadline_ns(hub->loop);
    /* A timer that is armed for an earlier time only costs one spurious look. */
    if (deadline_ns == INT64_MAX || (hub->timer_ns <= deadline_ns && hub->timer_ns > now_ns)) {
        return 0;
    }
    if (hub->timer != NULL) {
        PyObject *closed = PyObject_CallMethodNoArgs(hub->timer, hub->state->str_close);
        Py_CLEAR(hub->timer);
        hub->timer_ns = INT64_MAX;
        if (closed == NULL) {
            return -1;
        }
        Py_DECREF(closed);
    }
    double after_s = deadline_ns > now_ns ? (double)(deadline_ns - now_ns) / 1e9 : 0.0;
    PyObject *after = PyFloat_FromDouble(after_s);
    if (after == NULL) {
        return -1;
    }
    PyObject *arguments[] = {hub->gevent_loop, after, hub->state->zero, Py_False};
    PyObject *timer = PyObject_VectorcallMethod(hub->state->str_timer, arguments, 4, NULL);
    Py_DECREF(after);
    if (timer == NULL) {
        return -1;
    }
    PyObject *started = PyObject_CallMethodOneArg(timer, hub->state->str_start, hub->timer_callback);
    if (started == NULL) {
        Py_DECREF(timer);
        return -1;
    }
    Py_DECREF(started);
    hub->timer = timer;
    hub->timer_ns = deadline_ns;
    return 0;
}

static int
hub_reference(struct cload_hub *hub, bool is_referenced)
{
    if (hub->is_referenced != is_referenced && !hub->is_left) {
        if (PyObject_SetAttr(hub->io, hub->state->str_ref, is_referenced ? Py_True : Py_False) < 0) {
            return -1;
        }
        hub->is_referenced = is_referenced;
    }
    return 0;
}

static int
hub_queue_callback(struct cload_hub *hub)
{
    if (hub->is_callback_queued) {
        return 0;
    }
    bool is_own_thread = hub->thread == PyThread_get_thread_ident();
    struct cload_state *state = hub->state;
    /* Before it is asked for: gevent may run it before it returns here, where another thread or libuv is concerned. */
    hub->is_callback_queued = true;
    PyObject *queued = PyObject_CallMethodOneArg(
        hub->gevent_loop, is_own_thread ? state->str_run_callback : state->str_run_callback_threadsafe, hub->callback);
    if (queued == NULL) {
        hub->is_callback_queued = false;
        return -1;
    }
    Py_DECREF(queued);
    return 0;
}

/* For callers that have nobody to tell an error to, and may be on the way of an exception out of a wait. */
static void
hub_wake(struct cload_hub *hub)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    if (hub_queue_callback(hub) < 0) {
        PyErr_WriteUnraisable(hub->callback);
    }
    PyErr_Restore(type, value, traceback);
}

/* Some of what runs here switches on to others by itself, see switch_away() in greenlet.c. */
static int
hub_run_ready(struct cload_hub *hub, int most)
{
    hub->run_left = most;
    while (hub->run_left > 0 && !lc_list_is_empty(&hub->ready)) {
        struct lc_list *node = lc_list_pop(&hub->ready);
        struct cload_ready *ready = LCORE_CONTAINER(node, struct cload_ready, link);
        hub->run_left--;
        ready->fn(ready);
    }
    return most - hub->run_left;
}

/* Called by gevent's hub, in the hub's greenlet, for the descriptor, the timer and queued callbacks alike. */
static PyObject *
hub_on_wake(PyObject *self, PyObject *Py_UNUSED(args))
{
    struct cload_hub *hub = PyCapsule_GetPointer(self, "cload.hub");
    if (hub == NULL) {
        return NULL;
    }
    hub->is_callback_queued = false;
    hub->is_polling = true;
    int64_t until_ns = 0;
    for (;;) {
        int event_count = hub->is_left ? 0 : lc_loop_poll(hub->loop);
        int run_count = hub_run_ready(hub, BATCH_COUNT);
        bool is_again = until_ns != 0;
        if (event_count == 0 && run_count == 0) {
            hub->found_more -= is_again && hub->found_more > 0;
            break;
        }
        int64_t now_ns = lc_clock_monotonic_ns();
        if (is_again) {
            hub->found_more = hub->found_more > MORE_MOST ? MORE_MOST : hub->found_more + MORE_FOUND;
            if (now_ns >= until_ns) {
                break;
            }
        } else {
            until_ns = now_ns + BATCH_NS;
            bool is_all = event_count < LOOK_COUNT && lc_list_is_empty(&hub->ready);
            if (is_all && hub->found_more == 0 && hub->batch_count++ % LOOK_ANYWAY != 0) {
                break;
            }
        }
    }
    hub->is_polling = false;
    /* What else there is shows: sockets and new watchers by the descriptor, the core's queue by its deadline. */
    bool is_more = !lc_list_is_empty(&hub->ready);
    if (hub->is_left) {
        return is_more && hub_queue_callback(hub) < 0 ? NULL : Py_NewRef(Py_None);
    }
    /* By a timer and not by run_callback(): gevent runs callbacks 50 at a time before it looks at anything else. */
    if (hub_arm_timer(hub, is_more) < 0 || hub_reference(hub, hub->waiting_count > 0) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyMethodDef hub_on_wake_def = {"cload_wake", hub_on_wake, METH_VARARGS, NULL};

/* The timer fires once, by gevent's clock, which may be a little ahead of ours: it is gone, whatever the time. */
static PyObject *
hub_on_timer(PyObject *self, PyObject *args)
{
    struct cload_hub *hub = PyCapsule_GetPointer(self, "cload.hub");
    if (hub == NULL) {
        return NULL;
    }
    hub->timer_ns = INT64_MAX;
    return hub_on_wake(self, args);
}

static PyMethodDef hub_on_timer_def = {"cload_timer", hub_on_timer, METH_VARARGS, NULL};

/* In a forked child. It shares the parent's epoll set and connections, so all of them are left alone: the child gets a
 * hub of its own on the next use, sessions move there (call.c), and the parent's users go on in the parent only. */
static PyObject *
hub_leave(PyObject *capsule, PyObject *Py_UNUSED(ignored))
{
    struct cload_state *state = PyCapsule_GetPointer(capsule, "cload.state");
    struct cload_hub *hub = state == NULL ? NULL : state->hub;
    if (hub == NULL) {
        return state == NULL ? NULL : Py_NewRef(Py_None);
    }
    state->hub = NULL;
    hub->is_left = true;
    while (lc_list_pop(&hub->ready) != NULL) {
    }
    PyObject *const watchers[] = {hub->io, hub->timer};
    for (size_t i = 0; i < 2; i++) {
        PyObject *closed = watchers[i] == NULL ? Py_NewRef(Py_None) : PyObject_CallMethod(watchers[i], "close", NULL);
        if (closed == NULL) {
            return NULL;
        }
        Py_DECREF(closed);
    }
    Py_RETURN_NONE;
}

static PyMethodDef hub_leave_def = {"cload_after_fork", hub_leave, METH_NOARGS, NULL};

/* Has every child that Python code forks leave the parent's hub. Once for a process and all its children. */
static int
hub_watch_forks(struct cload_state *state)
{
    if (state->is_watching_forks) {
        return 0;
    }
    PyObject *capsule = PyCapsule_New(state, "cload.state", NULL);
    PyObject *function = capsule == NULL ? NULL : PyCFunction_New(&hub_leave_def, capsule);
    PyObject *os = function == NULL ? NULL : PyImport_ImportModule("os");
    PyObject *method = os == NULL ? NULL : PyObject_GetAttrString(os, "register_at_fork");
    PyObject *none = PyTuple_New(0);
    PyObject *kwargs = method == NULL ? NULL : Py_BuildValue("{sO}", "after_in_child", function);
    PyObject *result = kwargs == NULL || none == NULL ? NULL : PyObject_Call(method, none, kwargs);
    state->is_watching_forks = result != NULL;
    Py_XDECREF(result);
    Py_XDECREF(kwargs);
    Py_XDECREF(none);
    Py_XDECREF(method);
    Py_XDECREF(os);
    Py_XDECREF(function);
    Py_XDECREF(capsule);
    return state->is_watching_forks ? 0 : -1;
}

/* Of a hub that nobody has used. One that was used stays until the process ends: what the interpreter never collected
 * may point to it. */
static void
hub_free(PyObject *capsule)
{
    struct cload_hub *hub = PyCapsule_GetPointer(capsule, "cload.hub");
    Py_XDECREF(hub->greenlet);
    Py_XDECREF(hub->gevent_loop);
    Py_XDECREF(hub->io);
    if (hub->http != NULL) {
        lc_http_free(hub->http);
    }
    if (hub->loop != NULL) {
        lc_loop_free(hub->loop);
    }
    lc__free(hub);
}

/* The watcher refers to the callback, so that they would never be collected. A pending exception stays. */
static void
hub_discard(struct cload_hub *hub)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyObject *closed = hub->io == NULL ? Py_NewRef(Py_None) : PyObject_CallMethodNoArgs(hub->io, hub->state->str_close);
    if (closed == NULL) {
        PyErr_WriteUnraisable(hub->io);
    }
    Py_XDECREF(closed);
    PyObject *timer_callback = hub->timer_callback;
    Py_DECREF(hub->callback); /* they own the hub, which goes with the last one */
    Py_XDECREF(timer_callback);
    PyErr_Restore(type, value, traceback);
}

static struct cload_hub *
hub_make(struct cload_state *state)
{
    if (cload__greenlet_import() < 0 || hub_watch_forks(state) < 0) {
        return NULL;
    }
    struct cload_hub *hub = lc__calloc(1, sizeof(*hub));
    if (hub == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    hub->state = state;
    hub->thread = PyThread_get_thread_ident();
    hub->timer_ns = INT64_MAX;
    lc_list_init(&hub->ready);
    lc_list_init(&hub->idle_workers);
    lc__slab_init(&hub->waiters, sizeof(struct cload_waiter));
    PyObject *capsule = PyCapsule_New(hub, "cload.hub", hub_free);
    if (capsule == NULL) {
        lc__free(hub);
        return NULL;
    }
    hub->callback = PyCFunction_New(&hub_on_wake_def, capsule);
    Py_DECREF(capsule); /* the callbacks own it, and with it the hub */
    if (hub->callback == NULL) {
        return NULL;
    }
    hub->timer_callback = PyCFunction_New(&hub_on_timer_def, capsule);
    PyObject *gevent = hub->timer_callback == NULL ? NULL : PyImport_ImportModule("gevent");
    hub->greenlet = gevent == NULL ? NULL : PyObject_CallMethod(gevent, "get_hub", NULL);
    Py_XDECREF(gevent);
    if (hub->greenlet == NULL || (hub->gevent_loop = PyObject_GetAttrString(hub->greenlet, "loop")) == NULL) {
        goto fail;
    }
    struct lc_error error = {0};
    hub->loop = lc_loop_new();
    if (hub->loop == NULL) {
        PyErr_SetString(PyExc_OSError, "the event loop could not be made (out of memory or open files)");
        goto fail;
    }
    hub->http = lc_http_new(hub->loop, &error);
    if (hub->http == NULL) {
        cload_raise(error.code, &error);
        goto fail;
    }
    int fd = lc_loop_fd(hub->loop);
    if (fd < 0) {
        cload_raise(fd, NULL);
        goto fail;
    }
    hub->io = PyObject_CallMethod(hub->gevent_loop, "io", "iiO", fd, GEVENT_READ, Py_False);
    PyObject *started = hub->io == NULL ? NULL : PyObject_CallMethod(hub->io, "start", "O", hub->callback);
    if (started == NULL) {
        goto fail;
    }
    Py_DECREF(started);
    return hub;
fail:
    hub_discard(hub);
    return NULL;
}

struct cload_hub *
cload_hub_any(struct cload_state *state)
{
    if (state->hub == NULL) {
        struct cload_hub *hub = hub_make(state);
        if (state->hub == NULL) {
            state->hub = hub;
        } else if (hub != NULL) {
            hub_discard(hub); /* making it ran Python code, and another thread was first meanwhile */
        } else {
            PyErr_Clear(); /* what another thread made will do */
        }
    }
    return state->hub;
}

struct cload_hub *
cload_hub_get(struct cload_state *state)
{
    struct cload_hub *hub = cload_hub_any(state);
    return hub != NULL && hub->thread == PyThread_get_thread_ident() ? hub : NULL;
}

int
cload_hub_retain(struct cload_hub *hub)
{
    hub->waiting_count++;
    return hub->is_referenced ? 0 : hub_reference(hub, true);
}

void
cload_hub_release(struct cload_hub *hub)
{
    /* The watcher is let go at the end of the batch, so that a lone user does not toggle it at every request. */
    hub->waiting_count--;
    if (hub->waiting_count == 0 && !hub->is_polling) {
        hub_wake(hub);
    }
}

void
cload_hub_put(struct cload_hub *hub, struct cload_ready *ready)
{
    if (lc_list_is_linked(&ready->link)) {
        return;
    }
    lc_list_append(&hub->ready, &ready->link);
    if (!hub->is_polling) {
        hub_wake(hub);
    }
}

int
cload_hub_kick(struct cload_hub *hub)
{
    return hub->is_polling || hub->is_left ? 0 : hub_queue_callback(hub);
}

void
cload_hub_handle_error(struct cload_hub *hub, PyObject *context)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback != NULL) {
        PyException_SetTraceback(value, traceback);
    }
    PyObject *result = PyObject_CallMethod(hub->greenlet, "handle_error", "OOOO", context, type, value,
                                           traceback == NULL ? Py_None : traceback);
    if (result == NULL) {
        PyErr_WriteUnraisable(context);
    }
    Py_XDECREF(result);
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
}

/* Names that Python code needs to see how the loop fares. */
static PyObject *
waiting_count(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    struct cload_state *state = cload_state_of_module(module);
    return PyLong_FromSize_t(state->hub == NULL ? 0 : state->hub->waiting_count);
}

static PyMethodDef hub_methods[] = {
    {"waiting_count", waiting_count, METH_NOARGS,
     PyDoc_STR("waiting_count() -> int\n\nHow many greenlets and users wait for the core's loop.")},
    {NULL, NULL, 0, NULL},
};

int
cload__hub_add(PyObject *module)
{
    return PyModule_AddFunctions(module, hub_methods);
}
