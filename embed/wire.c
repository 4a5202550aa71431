#include "wire.h"

#include <errno.h>

#include <structmember.h>

#include "base/clock.h"
#include "base/str.h"
#include "hub.h"
#include "response.h"

#include "http/wire.h"

struct wire_object {
    PyObject_HEAD
    struct cload_session *session; /* keeps the core's session; NULL: closed */
    struct cload_hub *hub;
    struct lc_wire *wire;
    struct cload_waiter *waiter; /* of whoever waits for it */
};

/* The waiter's value where it was the wire that woke it, not the timer. */
static char is_woken;

static void
on_event(struct lc_wire *wire, void *arg)
{
    struct wire_object *self = arg;
    (void)wire;
    if (self->waiter != NULL) {
        self->waiter->value = &is_woken;
        cload_waiter_wake(self->waiter);
    }
}

static void
on_timeout(struct lc_timer *timer)
{
    cload_waiter_wake(LCORE_CONTAINER(timer, struct cload_waiter, timer));
}

/* Waits for the wire. 1: it may go on; 0: `timeout_ns` (0: none) is over; -1 with an exception. */
static int
wait_for(struct wire_object *self, int64_t timeout_ns)
{
    if (self->waiter != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "another greenlet is already waiting for this connection");
        return -1;
    }
    struct cload_hub *hub = self->hub;
    struct cload_waiter *waiter = cload_waiter_new(hub);
    if (waiter == NULL) {
        return -1;
    }
    int result = -1;
    if (timeout_ns > 0 &&
        lc_timer_start(hub->loop, &waiter->timer, lc_clock_monotonic_ns() + timeout_ns, on_timeout) < 0) {
        PyErr_NoMemory();
    } else {
        self->waiter = waiter;
        int err = cload_waiter_wait(waiter);
        self->waiter = NULL;
        lc_timer_stop(hub->loop, &waiter->timer);
        result = err < 0 ? -1 : waiter->value == &is_woken ? 1 : 0;
    }
    cload_waiter_free(waiter);
    return result;
}

struct closing {
    struct lc_wire *wire;
    struct cload_session *session;
};

static void
finish_closing(struct lc_wire *wire, struct cload_session *session, bool is_clean)
{
    lc_wire_close(wire, is_clean);
    if (--session->flight_count == 0) {
        cload__session_free_retired(session);
    }
    Py_DECREF(session);
}

static void
close_on_hub(void *arg)
{
    struct closing *closing = arg;
    finish_closing(closing->wire, closing->session, false);
    PyMem_Free(closing);
}

/* Anybody may drop the last reference; the loop's thread alone may touch the connection. */
static void
let_go(struct wire_object *self, bool is_clean)
{
    struct cload_session *session = self->session;
    struct lc_wire *wire = self->wire;
    self->session = NULL;
    self->wire = NULL;
    if (wire == NULL) {
        return;
    }
    if (self->waiter != NULL) {
        self->waiter->value = &is_woken;
        cload_waiter_wake(self->waiter);
    }
    if (self->hub->is_left) {
        /* The parent's, in a forked child. */
        Py_DECREF(session);
        return;
    }
    if (PyThread_get_thread_ident() == self->hub->thread) {
        finish_closing(wire, session, is_clean);
        return;
    }
    /* Without memory for it the connection stays until the process ends. */
    struct closing *closing = PyMem_Malloc(sizeof(*closing));
    if (closing != NULL) {
        *closing = (struct closing){wire, session};
        if (lc_loop_call(self->hub->loop, close_on_hub, closing) < 0) {
            PyMem_Free(closing);
        }
    }
}

static int
read_timeout(PyObject *value, int64_t *out)
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

static PyObject *
failure_of(const struct lc_wire *wire)
{
    static const char *const names[] = {
#define CLOAD_FAIL_NAME(name, text) #name,
        LCORE_FAIL_LIST(CLOAD_FAIL_NAME)
#undef CLOAD_FAIL_NAME
    };
    return Py_BuildValue("(siN)", names[wire->fail], wire->fail_errno,
                         cload__response_text(lc_str_from(wire->fail_text)));
}

PyObject *
cload__session_open_wire(PyObject *object, PyObject *args)
{
    struct cload_session *session = (struct cload_session *)object;
    struct lc_request request = {0};
    PyObject *tls, *timeout;
    if (!PyArg_ParseTuple(args, "s#OzO", &request.url.data, &request.url.len, &tls, &request.proxy, &timeout) ||
        read_timeout(timeout, &request.connect_timeout_ns) < 0) {
        return NULL;
    }
    if (tls != Py_None && (request.tls = PyCapsule_GetPointer(tls, "cload.tls")) == NULL) {
        return NULL;
    }
    request.connect_timeout_ns = request.connect_timeout_ns == 0 ? -1 : request.connect_timeout_ns;
    struct cload_hub *hub = session->core == NULL ? NULL : cload_hub_get(session->state);
    if (hub == NULL) {
        return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
    }
    if (hub != session->hub && cload__session_rehome(session) < 0) {
        return NULL;
    }
    PyTypeObject *type = session->state->wire_type;
    struct wire_object *self = (struct wire_object *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    struct lc_error error = {0};
    int err = lc_wire_open(session->core, &request, on_event, self, &self->wire, &error);
    if (err < 0) {
        Py_DECREF(self);
        return cload_raise(err, &error);
    }
    self->session = (struct cload_session *)Py_NewRef(object);
    self->hub = hub;
    session->flight_count++;
    if (wait_for(self, 0) < 0) {
        Py_DECREF(self);
        return NULL;
    }
    if (self->wire->fail == LCORE_FAIL_NONE) {
        return (PyObject *)self;
    }
    PyObject *failure = failure_of(self->wire);
    Py_DECREF(self);
    return failure;
}

/* 0: it can be used; -1 with an exception. */
static int
check(const struct wire_object *self)
{
    if (self->wire == NULL || self->hub->is_left) {
        errno = EBADF;
        PyErr_SetFromErrno(PyExc_OSError);
        return -1;
    }
    if (PyThread_get_thread_ident() != self->hub->thread) {
        PyErr_SetString(PyExc_RuntimeError, "this connection belongs to the thread the users run in");
        return -1;
    }
    return 0;
}

/* After -EAGAIN: 0, or -1 with an exception. */
static int
wait_to_go_on(struct wire_object *self, int64_t timeout_ns)
{
    int err = wait_for(self, timeout_ns);
    if (err == 0) {
        PyErr_SetString(PyExc_TimeoutError, "timed out");
    } else if (err > 0 && self->wire == NULL) {
        return check(self);
    }
    return err > 0 ? 0 : -1;
}

/* recv_into(buffer, timeout) -> int */
static PyObject *
wire_recv_into(PyObject *object, PyObject *args)
{
    struct wire_object *self = (struct wire_object *)object;
    Py_buffer buffer;
    PyObject *timeout;
    int64_t timeout_ns;
    if (!PyArg_ParseTuple(args, "w*O", &buffer, &timeout)) {
        return NULL;
    }
    ssize_t got = -1;
    if (check(self) == 0 && read_timeout(timeout, &timeout_ns) == 0) {
        while ((got = lc_wire_read(self->wire, buffer.buf, (size_t)buffer.len)) == -EAGAIN) {
            if (wait_to_go_on(self, timeout_ns) < 0) {
                break;
            }
        }
    }
    PyBuffer_Release(&buffer);
    if (PyErr_Occurred()) {
        return NULL;
    }
    if (got < 0) {
        errno = (int)-got;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    return PyLong_FromSsize_t(got);
}

/* sendall(data, timeout) */
static PyObject *
wire_sendall(PyObject *object, PyObject *args)
{
    struct wire_object *self = (struct wire_object *)object;
    Py_buffer data;
    PyObject *timeout;
    int64_t timeout_ns;
    if (!PyArg_ParseTuple(args, "y*O", &data, &timeout)) {
        return NULL;
    }
    ssize_t sent = -1;
    if (check(self) == 0 && read_timeout(timeout, &timeout_ns) == 0) {
        Py_ssize_t done = 0;
        sent = 0;
        while (done < data.len) {
            sent = lc_wire_write(self->wire, (const char *)data.buf + done, (size_t)(data.len - done));
            if (sent > 0) {
                done += sent;
            } else if (sent != -EAGAIN || wait_to_go_on(self, timeout_ns) < 0) {
                break;
            }
        }
    }
    PyBuffer_Release(&data);
    if (PyErr_Occurred()) {
        return NULL;
    }
    if (sent < 0) {
        errno = (int)-sent;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    Py_RETURN_NONE;
}

/* close(is_clean) */
static PyObject *
wire_close(PyObject *object, PyObject *is_clean)
{
    int truth = PyObject_IsTrue(is_clean);
    if (truth < 0) {
        return NULL;
    }
    let_go((struct wire_object *)object, truth);
    Py_RETURN_NONE;
}

static PyObject *
wire_get_end_ns(PyObject *object, void *Py_UNUSED(closure))
{
    struct wire_object *self = (struct wire_object *)object;
    return PyLong_FromLongLong(self->wire == NULL ? 0 : (long long)self->wire->timings.end_ns);
}

static PyObject *
wire_get_is_reused(PyObject *object, void *Py_UNUSED(closure))
{
    struct wire_object *self = (struct wire_object *)object;
    return PyBool_FromLong(self->wire != NULL && self->wire->is_reused);
}

static int
wire_traverse(PyObject *object, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(((struct wire_object *)object)->session);
    return 0;
}

static int
wire_clear(PyObject *object)
{
    let_go((struct wire_object *)object, false);
    return 0;
}

static void
wire_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    let_go((struct wire_object *)object, false);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyMethodDef wire_methods[] = {
    {"recv_into", wire_recv_into, METH_VARARGS,
     PyDoc_STR(
         "recv_into(buffer, timeout) -> int\n\nBytes received, 0 at the end. The timeout is in seconds, or None.")},
    {"sendall", wire_sendall, METH_VARARGS, PyDoc_STR("sendall(data, timeout)")},
    {"close", wire_close, METH_O,
     PyDoc_STR("close(is_clean)\n\nGives the connection back; it is used again if a whole response was read from it.")},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef wire_getset[] = {
    {"end_ns", wire_get_end_ns, NULL,
     PyDoc_STR("When the last bytes arrived, on the monotonic clock, by the kernel's time stamp; 0: none did."), NULL},
    {"is_reused", wire_get_is_reused, NULL, PyDoc_STR("Whether it had served before."), NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot wire_slots[] = {
    {Py_tp_doc, (void *)PyDoc_STR("A connection of a session, lent to code that speaks HTTP itself.")},
    {Py_tp_traverse, wire_traverse},
    {Py_tp_clear, wire_clear},
    {Py_tp_dealloc, wire_dealloc},
    {Py_tp_methods, wire_methods},
    {Py_tp_getset, wire_getset},
    {0, NULL},
};

static PyType_Spec wire_spec = {
    .name = "_cload.Wire",
    .basicsize = sizeof(struct wire_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = wire_slots,
};

int
cload__wire_add(PyObject *module)
{
    struct cload_state *state = cload_state_of_module(module);
    state->wire_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &wire_spec, NULL);
    return state->wire_type == NULL ? -1 : PyModule_AddType(module, state->wire_type);
}
