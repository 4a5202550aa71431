#include "pool.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "carrier.h"
#include "greenlet.h"
#include "object.h"

/* A greenlet that ran Python code keeps pages of its own. The pool holds no more of them than were in use at once
 * lately. */
#define POOL_LEAST 64
#define POOL_TRIM_NS LCORE_NS_PER_S

static void pool_watch(struct cload_hub *hub);

void
cload_worker_forget(struct cload_user_greenlet *self)
{
    if (self->last != NULL) {
        self->last->last = NULL;
        self->last = NULL;
    }
}

void
cload_worker_returned(struct cload_worker *worker, PyObject *result)
{
    if (result == NULL) {
        PyErr_WriteUnraisable(worker->greenlet);
    }
    Py_XDECREF(result);
}

/* Has an idle greenlet, which is off the list, return. */
static void
worker_end(struct cload_worker *worker)
{
    worker->is_resumed = true;
    PyObject *result = cload_greenlet_switch(worker->greenlet); /* it sees that it has no user */
    cload_worker_returned(worker, result);
}

/* Whether user code kept the greenlet. Then it is somebody's: who kills it means that user and no other. */
static bool
is_kept(const struct cload_worker *worker)
{
    return Py_REFCNT(worker->greenlet) > 1;
}

/* Gives a worker, which is off the list, back to the user that ran in it last. */
static void
worker_pin(struct cload_worker *worker)
{
    struct cload_user_greenlet *user = worker->last;
    cload_worker_forget(user);
    worker->user = user;
    user->worker = worker;
    user->is_pinned = true;
    worker->hub->busy_count++;
}

bool
cload_pool_is_kept(const struct cload_user_greenlet *user)
{
    return user->worker != NULL || (user->last != NULL && is_kept(user->last));
}

void
cload_pool_reclaim(struct cload_user_greenlet *user)
{
    struct cload_worker *worker = user->last;
    if (worker == NULL) {
        return;
    }
    if (is_kept(worker)) {
        lc_list_remove(&worker->idle_link);
        worker->hub->idle_count--;
        worker_pin(worker);
    } else {
        cload_worker_forget(user);
    }
}

/* The first idle greenlet; NULL: there is none, or it turned out to be somebody's own. */
static struct cload_worker *
pool_take(struct cload_hub *hub)
{
    struct lc_list *idle = lc_list_pop(&hub->idle_workers);
    if (idle == NULL) {
        return NULL;
    }
    hub->idle_count--;
    struct cload_worker *worker = LCORE_CONTAINER(idle, struct cload_worker, idle_link);
    if (is_kept(worker)) {
        if (worker->last != NULL) {
            worker_pin(worker);
        } else {
            worker_end(worker);
        }
        return NULL;
    }
    if (worker->last != NULL) {
        cload_worker_forget(worker->last);
    }
    return worker;
}

static void
pool_trim(struct cload_ready *ready)
{
    struct cload_hub *hub = LCORE_CONTAINER(ready, struct cload_hub, trim_ready);
    size_t wanted = hub->busy_peak > POOL_LEAST ? hub->busy_peak : POOL_LEAST;
    size_t ended_count = 0;
    while (hub->idle_count > 0 && hub->idle_count + hub->busy_count > wanted) {
        struct cload_worker *worker = pool_take(hub);
        if (worker != NULL) {
            ended_count++;
            worker_end(worker);
        }
    }
    if (hub->is_heap_scattered) {
        lc__alloc_trim();
    }
    /* Some of their memory is freed only after this function, so it is trimmed the next time. */
    hub->is_heap_scattered = ended_count > 1000;
    hub->busy_peak = hub->busy_count;
    pool_watch(hub);
}

static void
pool_trim_is_due(struct lc_timer *timer)
{
    struct cload_hub *hub = LCORE_CONTAINER(timer, struct cload_hub, trim_timer);
    cload_hub_put(hub, &hub->trim_ready);
}

/* Has the pool trimmed later on, while there is something to trim. */
static void
pool_watch(struct cload_hub *hub)
{
    if (hub->trim_timer.index == 0 && (hub->idle_count > POOL_LEAST || hub->is_heap_scattered)) {
        hub->trim_ready.fn = pool_trim;
        /* Without memory for the timer the pool just stays as it is. */
        lc_timer_start(hub->loop, &hub->trim_timer, lc_loop_now_ns(hub->loop) + POOL_TRIM_NS, pool_trim_is_due);
    }
}

/* `user` waits, or is NULL. */
static void
pool_put(struct cload_hub *hub, struct cload_worker *worker, struct cload_user_greenlet *user)
{
    worker->user = NULL;
    if (user != NULL) {
        worker->last = user;
        user->last = worker;
    }
    hub->busy_count--;
    hub->idle_count++;
    lc_list_prepend(&hub->idle_workers, &worker->idle_link); /* the last one used is the warmest */
    pool_watch(hub);
}

/* Somebody threw into a greenlet in which no task runs. It is over; the exception is for the user who waits, if any. */
static PyObject *
worker_thrown_into(struct cload_worker *worker)
{
    struct cload_hub *hub = worker->hub;
    struct cload_user_greenlet *user = worker->user;
    PyObject *exception = cload_exception_take();
    if (user != NULL) {
        worker->user = NULL;
        user->worker = NULL;
        user->is_pinned = false;
        hub->busy_count--;
    } else {
        lc_list_remove(&worker->idle_link);
        hub->idle_count--;
        user = worker->last;
        if (user != NULL) {
            cload_worker_forget(user);
        }
    }
    if (user != NULL) {
        cload_carrier_end(worker->greenlet, user);
        Py_XSETREF(user->loop.thrown, exception);
        cload_hub_put(hub, &user->kill_ready);
    } else {
        Py_DECREF(exception);
    }
    cload_hub_put(hub, &worker->reap);
    Py_RETURN_NONE;
}

/* Runs users, one after the other, until it is told to end. */
static PyObject *
worker_main(PyObject *capsule, PyObject *Py_UNUSED(args))
{
    struct cload_worker *worker = PyCapsule_GetPointer(capsule, "cload.worker");
    struct cload_hub *hub = worker->hub;
    for (;;) {
        worker->is_resumed = false;
        struct cload_user_greenlet *user = worker->user;
        enum cload_outcome outcome = cload_loop_run(&user->loop);
        if (outcome == LOOP_WAIT) {
            user->is_pinned = user->is_pinned || cload_greenlet_has_state(worker->greenlet);
            if (!user->is_pinned) {
                user->worker = NULL;
            }
            cload_user_park(user);
        } else {
            bool was_pinned = user->is_pinned;
            cload_user_finish(user, outcome == LOOP_ERROR);
            if (was_pinned || cload_greenlet_has_state(worker->greenlet)) {
                /* What user code left on this greenlet must not reach another user. */
                cload_carrier_end(worker->greenlet, user);
                hub->busy_count--;
                cload_hub_put(hub, &worker->reap);
                Py_RETURN_NONE;
            }
            user = NULL;
        }
        if (user == NULL || !user->is_pinned) {
            pool_put(hub, worker, user);
        }
        PyObject *result;
        for (;;) {
            result = cload_greenlet_switch(hub->greenlet);
            if (result == NULL) {
                return worker_thrown_into(worker);
            }
            if (worker->is_resumed) {
                break;
            }
            /* Somebody else switched into it: it has nothing to do yet. */
            Py_DECREF(result);
        }
        Py_DECREF(result);
        if (worker->user == NULL) {
            cload_hub_put(hub, &worker->reap);
            Py_RETURN_NONE;
        }
    }
}

static PyMethodDef worker_main_def = {"cload_user", worker_main, METH_VARARGS, NULL};

static void
worker_reap(struct cload_ready *ready)
{
    struct cload_worker *worker = LCORE_CONTAINER(ready, struct cload_worker, reap);
    cload_carrier_end(worker->greenlet, NULL);
    Py_DECREF(worker->greenlet);
    lc__free(worker);
}

static struct cload_worker *
worker_new(struct cload_hub *hub)
{
    struct cload_worker *worker = lc__calloc(1, sizeof(*worker));
    if (worker == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    worker->hub = hub;
    worker->reap.fn = worker_reap;
    PyObject *capsule = PyCapsule_New(worker, "cload.worker", NULL);
    PyObject *run = capsule == NULL ? NULL : PyCFunction_New(&worker_main_def, capsule);
    worker->greenlet = run == NULL ? NULL : cload_carrier_new(worker, run, hub->greenlet);
    Py_XDECREF(capsule);
    Py_XDECREF(run);
    if (worker->greenlet == NULL) {
        lc__free(worker);
        return NULL;
    }
    return worker;
}

struct cload_worker *
cload_pool_get(struct cload_hub *hub)
{
    struct cload_worker *worker = NULL;
    while (worker == NULL && hub->idle_count > 0) {
        worker = pool_take(hub);
    }
    if (worker == NULL) {
        worker = worker_new(hub);
    }
    if (worker != NULL) {
        hub->busy_count++;
        if (hub->busy_count > hub->busy_peak) {
            hub->busy_peak = hub->busy_count;
        }
    }
    return worker;
}
