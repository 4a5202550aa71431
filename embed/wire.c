#include "wire.h"

#include <errno.h>

#include <structmember.h>

#include "base/str.h"
#include "hub.h"
#include "lent.h"
#include "response.h"

#include "http/wire.h"

struct wire_object {
    PyObject_HEAD
    struct cload_lent lent; /* of a struct lc_wire */
};

static void
on_event(struct lc_wire *wire, void *arg)
{
    struct wire_object *self = arg;
    (void)wire;
    cload__lent_wake(&self->lent);
}

static void
give_back(void *core, bool is_clean)
{
    lc_wire_close(core, is_clean);
}

static void
ignore_event(struct lc_wire *Py_UNUSED(wire), void *Py_UNUSED(arg))
{
}

static void
mute(void *core)
{
    ((struct lc_wire *)core)->fn = ignore_event;
}

static struct lc_wire *
wire_of(const struct wire_object *self)
{
    return self->lent.core;
}

static PyObject *
failure_of(const struct lc_wire *wire)
{
    return Py_BuildValue("(siN)", cload__fail_name(wire->fail), wire->fail_errno,
                         cload__response_text(lc_str_from(wire->fail_text)));
}

PyObject *
cload__session_open_wire(PyObject *object, PyObject *args)
{
    struct cload_session *session = (struct cload_session *)object;
    struct lc_request request = {0};
    PyObject *tls, *timeout;
    if (!PyArg_ParseTuple(args, "s#OzO", &request.url.data, &request.url.len, &tls, &request.proxy, &timeout) ||
        cload__read_timeout(timeout, &request.connect_timeout_ns) < 0) {
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
    struct lc_wire *wire;
    int err = lc_wire_open(session->core, &request, on_event, self, &wire, &error);
    if (err < 0) {
        Py_DECREF(self);
        return cload_raise(err, &error);
    }
    cload__lent_hold(&self->lent, session, wire, give_back, mute);
    if (!lc_wire_is_open(wire) && cload__lent_wait(&self->lent, 0) < 0) {
        Py_DECREF(self);
        return NULL;
    }
    if (wire->fail == LCORE_FAIL_NONE) {
        return (PyObject *)self;
    }
    PyObject *failure = failure_of(wire);
    Py_DECREF(self);
    return failure;
}

/* After -EAGAIN: 0, or -1 with an exception. */
static int
wait_to_go_on(struct wire_object *self, int64_t timeout_ns)
{
    int err = cload__lent_wait(&self->lent, timeout_ns);
    if (err == 0) {
        PyErr_SetString(PyExc_TimeoutError, "timed out");
    }
    return err > 0 ? cload__lent_check(&self->lent) : -1;
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
    if (cload__lent_check(&self->lent) == 0 && cload__read_timeout(timeout, &timeout_ns) == 0) {
        while ((got = lc_wire_read(wire_of(self), buffer.buf, (size_t)buffer.len)) == -EAGAIN) {
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
    if (cload__lent_check(&self->lent) == 0 && cload__read_timeout(timeout, &timeout_ns) == 0) {
        Py_ssize_t done = 0;
        sent = 0;
        while (done < data.len) {
            sent = lc_wire_write(wire_of(self), (const char *)data.buf + done, (size_t)(data.len - done));
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
    cload__lent_let_go(&((struct wire_object *)object)->lent, truth);
    Py_RETURN_NONE;
}

static PyObject *
wire_get_timings(PyObject *object, void *Py_UNUSED(closure))
{
    struct wire_object *self = (struct wire_object *)object;
    if (wire_of(self) == NULL) {
        Py_RETURN_NONE;
    }
    const struct lc_timings *at = &wire_of(self)->timings;
    return Py_BuildValue("(LLLLLLLLL)", (long long)at->hop_ns, (long long)at->begin_ns, (long long)at->dns_ns,
                         (long long)at->connected_ns, (long long)at->tls_ns, (long long)at->sent_ns,
                         (long long)at->first_byte_ns, (long long)at->end_ns, (long long)lc_timings_time_ns(at));
}

static PyObject *
wire_get_is_reused(PyObject *object, void *Py_UNUSED(closure))
{
    struct wire_object *self = (struct wire_object *)object;
    return PyBool_FromLong(wire_of(self) != NULL && wire_of(self)->is_reused);
}

static PyObject *
wire_get_http_version(PyObject *object, void *Py_UNUSED(closure))
{
    struct wire_object *self = (struct wire_object *)object;
    return PyLong_FromLong(wire_of(self) != NULL && wire_of(self)->h2 != NULL ? 20 : 11);
}

static int
wire_traverse(PyObject *object, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(((struct wire_object *)object)->lent.session);
    return 0;
}

static int
wire_clear(PyObject *object)
{
    cload__lent_let_go(&((struct wire_object *)object)->lent, false);
    return 0;
}

static void
wire_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    cload__lent_let_go(&((struct wire_object *)object)->lent, false);
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
    {"timings", wire_get_timings, NULL,
     PyDoc_STR(
         "tuple of int: when it was asked for, the network was used first, the name was known, it was connected,\n"
         "TLS was ready, the first byte was sent, the first and the last were received; nanoseconds of the\n"
         "monotonic clock, 0 for what did not happen. And the response time. None once it is closed."),
     NULL},
    {"http_version", wire_get_http_version, NULL,
     PyDoc_STR("What is spoken on the connection, as http.client numbers it: 11, 20. Whoever has it speaks HTTP/1.1."),
     NULL},
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
