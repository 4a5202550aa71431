#include "user_greenlet.h"

#include <structmember.h>

#include "base/clock.h"
#include "carrier.h"
#include "greenlet.h"
#include "object.h"
#include "pool.h"
#include "user.h"

static void
tell_link(struct cload_user_greenlet *self, PyObject *link)
{
    PyObject *result = PyObject_CallOneArg(link, (PyObject *)self);
    if (result == NULL) {
        cload_hub_handle_error(self->loop.hub, (PyObject *)self);
    }
    Py_XDECREF(result);
}

static void
tell_links(struct cload_ready *ready)
{
    struct cload_user_greenlet *self = LCORE_CONTAINER(ready, struct cload_user_greenlet, ready);
    PyObject *links = self->links;
    self->links = NULL;
    if (links != NULL && PyList_CheckExact(links)) {
        for (Py_ssize_t i = 0; i < PyList_GET_SIZE(links); i++) {
            tell_link(self, PyList_GET_ITEM(links, i));
        }
    } else if (links != NULL) {
        tell_link(self, links);
    }
    Py_XDECREF(links);
    cload_hub_release(self->loop.hub);
    cload_user_release(self, 1);
    Py_DECREF(self); /* the reference the engine held since start() */
}

/* Everything that ends with the user, but the links. */
static void
finish_silently(struct cload_user_greenlet *self)
{
    struct cload_hub *hub = self->loop.hub;
    self->is_running = false;
    self->is_dead = true;
    lc_timer_stop(hub->loop, &self->timer);
    lc_list_remove(&self->kill_ready.link);
    cload_loop_fini(&self->loop);
    cload_worker_forget(self);
    self->worker = NULL;
}

void
cload_user_finish(struct cload_user_greenlet *self, bool has_failed)
{
    struct cload_hub *hub = self->loop.hub;
    self->is_running = false;
    self->is_dead = true;
    if (has_failed) {
        PyObject *exception = cload_exception_take();
        Py_XSETREF(self->exception, Py_NewRef(exception));
        cload_exception_restore(exception);
        cload_hub_handle_error(hub, (PyObject *)self);
    }
    finish_silently(self);
    self->ready.fn = tell_links;
    cload_hub_put(hub, &self->ready);
}

static void user_resume(struct cload_ready *ready);

static void
user_wait_is_over(struct lc_timer *timer)
{
    struct cload_user_greenlet *self = LCORE_CONTAINER(timer, struct cload_user_greenlet, timer);
    cload_hub_put(self->loop.hub, &self->ready);
}

void
cload_user_park(struct cload_user_greenlet *self)
{
    struct cload_hub *hub = self->loop.hub;
    self->is_running = false;
    self->ready.fn = user_resume;
    if (hub->is_left) {
        /* A task forked: in the child its user ends here. */
        return;
    }
    if (self->loop.wait_ns == 0 || self->loop.thrown != NULL) {
        cload_hub_put(hub, &self->ready);
    } else if (lc_timer_start(hub->loop, &self->timer, lc_clock_monotonic_ns() + self->loop.wait_ns,
                              user_wait_is_over) < 0) {
        /* No memory for the deadline: it goes on at once rather than never. */
        cload_hub_put(hub, &self->ready);
    } else if (cload_hub_kick(hub) < 0) {
        PyErr_WriteUnraisable((PyObject *)self);
    }
}

static void
user_resume(struct cload_ready *ready)
{
    struct cload_user_greenlet *self = LCORE_CONTAINER(ready, struct cload_user_greenlet, ready);
    struct cload_hub *hub = self->loop.hub;
    cload_pool_reclaim(self);
    struct cload_worker *worker = self->worker;
    if (worker == NULL) {
        worker = cload_pool_get(hub);
        if (worker == NULL) {
            cload_user_finish(self, true);
            return;
        }
        self->worker = worker;
        worker->user = self;
    }
    self->is_running = true;
    worker->is_resumed = true;
    PyObject *result = cload_greenlet_switch(worker->greenlet);
    cload_worker_returned(worker, result);
}

/* In the hub: makes `thrown` reach the user wherever it is. */
static void
user_deliver(struct cload_ready *ready)
{
    struct cload_user_greenlet *self = LCORE_CONTAINER(ready, struct cload_user_greenlet, kill_ready);
    if (self->is_dead || self->loop.thrown == NULL) {
        return;
    }
    if (!self->is_running) {
        if (!cload_pool_is_kept(self) && cload_loop_has_quiet_end(&self->loop)) {
            lc_list_remove(&self->ready.link);
            finish_silently(self);
            tell_links(&self->ready);
            return;
        }
        /* Waiting or not yet begun: it is raised where the wait is. */
        lc_timer_stop(self->loop.hub->loop, &self->timer);
        cload_hub_put(self->loop.hub, &self->ready);
        return;
    }
    PyObject *exception = self->loop.thrown;
    self->loop.thrown = NULL;
    struct cload_worker *worker = self->worker;
    bool is_class = PyExceptionClass_Check(exception);
    PyObject *result = cload_greenlet_throw(worker->greenlet, is_class ? exception : (PyObject *)Py_TYPE(exception),
                                            is_class ? NULL : exception);
    cload_worker_returned(worker, result);
    Py_DECREF(exception);
}

PyObject *
cload_user_greenlet_new(struct cload_state *state, PyObject *user)
{
    struct cload_hub *hub = cload_hub_get(state);
    if (hub == NULL) {
        if (!PyErr_Occurred()) {
            PyErr_SetString(PyExc_RuntimeError, "users run on the thread that the first one was made on");
        }
        return NULL;
    }
    PyTypeObject *type = state->user_greenlet_type;
    struct cload_user_greenlet *self = (struct cload_user_greenlet *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->user = Py_NewRef(user);
    cload_loop_init(&self->loop, state, (struct cload_user *)user);
    self->loop.hub = hub;
    self->loop.is_pooled = self->loop.is_user_level = true;
    self->ready.fn = user_resume;
    self->kill_ready.fn = user_deliver;
    return (PyObject *)self;
}

static PyObject *
greenlet_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"user", NULL};
    struct cload_state *state = cload_state_find(type);
    PyObject *user;
    if (state == NULL || !PyArg_ParseTupleAndKeywords(args, kwargs, "O!", names, state->user_type, &user)) {
        return NULL;
    }
    return cload_user_greenlet_new(state, user);
}

int
cload_user_greenlet_start(PyObject *greenlet)
{
    struct cload_user_greenlet *self = (struct cload_user_greenlet *)greenlet;
    if (self->is_started || self->is_dead) {
        return 0;
    }
    if (cload_hub_retain(self->loop.hub) < 0) {
        return -1;
    }
    self->is_started = true;
    Py_INCREF(self);
    cload_hub_put(self->loop.hub, &self->ready);
    return 0;
}

static PyObject *
greenlet_start(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    return cload_user_greenlet_start(object) < 0 ? NULL : Py_NewRef(Py_None);
}

static PyObject *
join(PyObject *object, PyObject *timeout)
{
    struct cload_user_greenlet *self = (struct cload_user_greenlet *)object;
    if (self->is_dead || !self->is_started) {
        Py_RETURN_NONE;
    }
    PyObject *gevent = PyImport_ImportModule("gevent");
    PyObject *result = gevent == NULL ? NULL : PyObject_CallMethod(gevent, "wait", "[O]O", object, timeout);
    Py_XDECREF(gevent);
    if (result == NULL) {
        return NULL;
    }
    Py_DECREF(result);
    Py_RETURN_NONE;
}

/* join(timeout=None) */
static PyObject *
greenlet_join(PyObject *object, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"timeout", NULL};
    PyObject *timeout = Py_None;
    return PyArg_ParseTupleAndKeywords(args, kwargs, "|O:join", names, &timeout) ? join(object, timeout) : NULL;
}

/* -1 with an exception. `exception`: a class or an instance. */
static int
throw_at(struct cload_user_greenlet *self, PyObject *exception)
{
    if (!self->is_started) {
        if (cload_hub_retain(self->loop.hub) < 0) {
            return -1;
        }
        self->is_started = true;
        Py_INCREF(self);
        cload_user_finish(self, false);
        return 0;
    }
    self->loop.is_killed |= PyErr_GivenExceptionMatches(exception, cload_greenlet_exit_type());
    Py_XSETREF(self->loop.thrown, Py_NewRef(exception));
    cload_hub_put(self->loop.hub, &self->kill_ready);
    return 0;
}

int
cload_user_kill(struct cload_user_greenlet *self)
{
    return self->is_dead ? 0 : throw_at(self, cload_greenlet_exit_type());
}

/* kill(exception=GreenletExit, block=True, timeout=None) */
static PyObject *
greenlet_kill(PyObject *object, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"exception", "block", "timeout", NULL};
    struct cload_user_greenlet *self = (struct cload_user_greenlet *)object;
    PyObject *exception = cload_greenlet_exit_type(), *timeout = Py_None;
    int is_blocking = 1;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OpO:kill", names, &exception, &is_blocking, &timeout)) {
        return NULL;
    }
    if (self->is_dead) {
        Py_RETURN_NONE;
    }
    bool is_plain = exception == cload_greenlet_exit_type();
    PyObject *thrown =
        PyExceptionClass_Check(exception) && !is_plain ? PyObject_CallNoArgs(exception) : Py_NewRef(exception);
    if (thrown == NULL) {
        return NULL;
    }
    if (!is_plain && !PyExceptionInstance_Check(thrown)) {
        Py_DECREF(thrown);
        PyErr_SetString(PyExc_TypeError, "an exception is needed to kill with");
        return NULL;
    }
    int err = throw_at(self, thrown);
    Py_DECREF(thrown);
    if (err < 0) {
        return NULL;
    }
    if (is_blocking) {
        return join(object, timeout);
    }
    Py_RETURN_NONE;
}

/* throw(exception=GreenletExit): what gevent.killall() calls. */
static PyObject *
greenlet_throw(PyObject *object, PyObject *args)
{
    PyObject *type = cload_greenlet_exit_type(), *value = Py_None, *traceback = Py_None;
    if (!PyArg_ParseTuple(args, "|OOO", &type, &value, &traceback)) {
        return NULL;
    }
    PyObject *positional = PyTuple_Pack(2, PyExceptionInstance_Check(value) ? value : type, Py_False);
    PyObject *result = positional == NULL ? NULL : greenlet_kill(object, positional, NULL);
    Py_XDECREF(positional);
    return result;
}

/* get(block=True, timeout=None): waits for the end; a user has no value. */
static PyObject *
greenlet_get(PyObject *object, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"block", "timeout", NULL};
    struct cload_user_greenlet *self = (struct cload_user_greenlet *)object;
    int is_blocking = 1;
    PyObject *timeout = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|pO:get", names, &is_blocking, &timeout)) {
        return NULL;
    }
    PyObject *joined = is_blocking ? join(object, timeout) : Py_NewRef(Py_None);
    if (joined == NULL) {
        return NULL;
    }
    Py_DECREF(joined);
    if (self->exception != NULL) {
        cload_exception_restore(Py_NewRef(self->exception));
        return NULL;
    }
    if (!self->is_dead) {
        PyObject *gevent = PyImport_ImportModule("gevent");
        PyObject *type = gevent == NULL ? NULL : PyObject_GetAttrString(gevent, "Timeout");
        if (type != NULL) {
            PyErr_SetNone(type);
        }
        Py_XDECREF(type);
        Py_XDECREF(gevent);
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
greenlet_ready(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    return PyBool_FromLong(((struct cload_user_greenlet *)object)->is_dead);
}

static PyObject *
greenlet_successful(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    struct cload_user_greenlet *self = (struct cload_user_greenlet *)object;
    return PyBool_FromLong(self->is_dead && self->exception == NULL);
}

static int
greenlet_bool(PyObject *object)
{
    struct cload_user_greenlet *self = (struct cload_user_greenlet *)object;
    return self->is_started && !self->is_dead;
}

static PyObject *
greenlet_getattro(PyObject *object, PyObject *name)
{
    struct cload_worker *worker = ((struct cload_user_greenlet *)object)->worker;
    PyObject *value = PyObject_GenericGetAttr(object, name);
    if (value != NULL || worker == NULL || !PyErr_ExceptionMatches(PyExc_AttributeError)) {
        return value;
    }
    PyErr_Clear();
    return cload_carrier_attribute(worker->greenlet, name);
}

static PyObject *
greenlet_repr(PyObject *object)
{
    return cload_carrier_text(object, ((struct cload_user_greenlet *)object)->user);
}

static int
greenlet_traverse(PyObject *object, visitproc visit, void *arg)
{
    struct cload_user_greenlet *self = (struct cload_user_greenlet *)object;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->user);
    Py_VISIT(self->exception);
    Py_VISIT(self->links);
    Py_VISIT(self->dict);
    Py_VISIT(self->loop.thrown);
    for (uint32_t i = 0; i < self->loop.count; i++) {
        Py_VISIT(self->loop.frames[i].taskset);
    }
    return 0;
}

static int
greenlet_clear(PyObject *object)
{
    struct cload_user_greenlet *self = (struct cload_user_greenlet *)object;
    cload_loop_fini(&self->loop);
    Py_CLEAR(self->user);
    Py_CLEAR(self->exception);
    Py_CLEAR(self->links);
    Py_CLEAR(self->dict);
    return 0;
}

static void
greenlet_dealloc(PyObject *object)
{
    struct cload_user_greenlet *self = (struct cload_user_greenlet *)object;
    lc_timer_stop(self->loop.hub->loop, &self->timer);
    lc_list_remove(&self->ready.link);
    lc_list_remove(&self->kill_ready.link);
    cload_worker_forget(self);
    cload_object_dealloc(object, greenlet_clear);
}

static PyMethodDef greenlet_methods[] = {
    {"start", greenlet_start, METH_NOARGS, PyDoc_STR("start($self, /)\n--\n\nLets the user run, soon.")},
    {"kill", (PyCFunction)(void (*)(void))greenlet_kill, METH_VARARGS | METH_KEYWORDS,
     PyDoc_STR("kill($self, /, exception=..., block=True, timeout=None)\n--\n\nRaises `exception` in the user.")},
    {"throw", greenlet_throw, METH_VARARGS,
     PyDoc_STR("throw(exception=GreenletExit)\n\nRaises `exception` in the user, soon.")},
    {"get", (PyCFunction)(void (*)(void))greenlet_get, METH_VARARGS | METH_KEYWORDS,
     PyDoc_STR("get($self, /, block=True, timeout=None)\n--\n\nWaits until the user is over; raises what ended it.")},
    {"join", (PyCFunction)(void (*)(void))greenlet_join, METH_VARARGS | METH_KEYWORDS,
     PyDoc_STR("join($self, /, timeout=None)\n--\n\nWaits until the user is over, at most `timeout` seconds.")},
    {"rawlink", cload__user_rawlink, METH_O,
     PyDoc_STR("rawlink($self, callback, /)\n--\n\nCalls callback(self) when the user is over.")},
    {"link", cload__user_link, METH_O,
     PyDoc_STR("link($self, callback, /)\n--\n\nRuns callback(self) in a greenlet when the user is over.")},
    {"link_value", cload__user_link_value, METH_O,
     PyDoc_STR("link_value($self, callback, /)\n--\n\nAs link(), if the user ended in order.")},
    {"link_exception", cload__user_link_exception, METH_O,
     PyDoc_STR("link_exception($self, callback, /)\n--\n\nAs link(), if an exception ended the user.")},
    {"has_links", cload__user_has_links, METH_NOARGS,
     PyDoc_STR("has_links($self, /)\n--\n\nWhether somebody is told.")},
    {"unlink_all", cload__user_unlink_all, METH_NOARGS, PyDoc_STR("unlink_all($self, /)\n--\n\nNobody is told.")},
    {"unlink", cload__user_unlink, METH_O, PyDoc_STR("unlink($self, callback, /)\n--\n\nTakes a link back.")},
    {"ready", greenlet_ready, METH_NOARGS, PyDoc_STR("ready($self, /)\n--\n\nWhether the user is over.")},
    {"successful", greenlet_successful, METH_NOARGS,
     PyDoc_STR("successful($self, /)\n--\n\nWhether it ended in order.")},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef greenlet_members[] = {
    {"user", T_OBJECT, offsetof(struct cload_user_greenlet, user), READONLY, NULL},
    {"exception", T_OBJECT, offsetof(struct cload_user_greenlet, exception), READONLY, NULL},
    {"dead", T_BOOL, offsetof(struct cload_user_greenlet, is_dead), READONLY, NULL},
    {"started", T_BOOL, offsetof(struct cload_user_greenlet, is_started), READONLY, NULL},
    {"__dictoffset__", T_PYSSIZET, offsetof(struct cload_user_greenlet, dict), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(struct cload_user_greenlet, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot greenlet_slots[] = {
    {Py_tp_doc, (void *)PyDoc_STR("UserGreenlet(user)\n\nA user as gevent's groups see it. It only has a stack while a "
                                  "task runs.")},
    {Py_tp_new, greenlet_new},
    {Py_nb_bool, greenlet_bool},
    {Py_tp_getattro, greenlet_getattro},
    {Py_tp_repr, greenlet_repr},
    {Py_tp_traverse, greenlet_traverse},
    {Py_tp_clear, greenlet_clear},
    {Py_tp_dealloc, greenlet_dealloc},
    {Py_tp_methods, greenlet_methods},
    {Py_tp_getset, cload__user_greenlet_getset},
    {Py_tp_members, greenlet_members},
    {0, NULL},
};

static PyType_Spec greenlet_spec = {
    .name = "_cload.UserGreenlet",
    .basicsize = sizeof(struct cload_user_greenlet),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = greenlet_slots,
};

int
cload__user_greenlet_add_types(PyObject *module)
{
    struct cload_state *state = cload_state_of_module(module);
    return cload_type_add(module, &greenlet_spec, &state->user_greenlet_type);
}
