#include "stream.h"

#include <errno.h>

#include "http/session.h"
#include "http/stream.h"
#include "lent.h"

struct stream_object {
    PyObject_HEAD
    struct cload_lent lent; /* of a struct lc_stream */
    int64_t timeout_ns;     /* 0: none */
};

static void
on_event(struct lc_stream *core, void *arg)
{
    struct stream_object *self = arg;
    (void)core;
    cload__lent_wake(&self->lent);
}

static void
give_back(void *core, bool Py_UNUSED(is_clean))
{
    lc_stream_free(core);
}

static void
mute(void *core)
{
    lc_stream_set_fn(core, NULL, NULL);
}

PyObject *
cload__stream_new(struct cload_session *session, struct lc_stream *core, int64_t read_timeout_ns)
{
    PyTypeObject *type = session->state->stream_type;
    struct stream_object *self = (struct stream_object *)type->tp_alloc(type, 0);
    if (self == NULL) {
        lc_stream_free(core);
        return NULL;
    }
    cload__lent_hold(&self->lent, session, core, give_back, mute);
    int64_t timeout_ns = read_timeout_ns == 0 ? session->core->read_timeout_ns : read_timeout_ns;
    self->timeout_ns = timeout_ns > 0 ? timeout_ns : 0;
    lc_stream_set_fn(core, on_event, self);
    return (PyObject *)self;
}

static PyObject *
failure_of(const struct lc_stream *core)
{
    return Py_BuildValue("(si)", cload__fail_name(core->fail), core->fail_errno);
}

/* read(size) -> bytes | (kind, errno) */
static PyObject *
stream_read(PyObject *object, PyObject *size_object)
{
    struct stream_object *self = (struct stream_object *)object;
    Py_ssize_t size = PyLong_AsSsize_t(size_object);
    if (size <= 0) {
        if (!PyErr_Occurred()) {
            PyErr_SetString(PyExc_ValueError, "the size must be above zero");
        }
        return NULL;
    }
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, size);
    while (bytes != NULL) {
        if (self->lent.core == NULL) {
            _PyBytes_Resize(&bytes, 0);
            break;
        }
        if (cload__lent_check(&self->lent) < 0) {
            Py_CLEAR(bytes);
            break;
        }
        ssize_t got = lc_stream_read(self->lent.core, PyBytes_AS_STRING(bytes), (size_t)size);
        if (got >= 0) {
            _PyBytes_Resize(&bytes, got);
            break;
        }
        if (got != -EAGAIN) {
            Py_SETREF(bytes, failure_of(self->lent.core));
            break;
        }
        int woken = cload__lent_wait(&self->lent, self->timeout_ns);
        if (woken == 0) {
            Py_SETREF(bytes, Py_BuildValue("(si)", cload__fail_name(LCORE_FAIL_READ_TIMEOUT), ETIMEDOUT));
            break;
        }
        if (woken < 0) {
            Py_CLEAR(bytes);
        }
    }
    return bytes;
}

static PyObject *
stream_close(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    cload__lent_let_go(&((struct stream_object *)object)->lent, true);
    Py_RETURN_NONE;
}

static int
stream_traverse(PyObject *object, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(((struct stream_object *)object)->lent.session);
    return 0;
}

static int
stream_clear(PyObject *object)
{
    cload__lent_let_go(&((struct stream_object *)object)->lent, true);
    return 0;
}

static void
stream_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    cload__lent_let_go(&((struct stream_object *)object)->lent, true);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyMethodDef stream_methods[] = {
    {"read", stream_read, METH_O,
     PyDoc_STR(
         "read(size) -> bytes | tuple[str, int]\n\n"
         "What there is of the decoded body, at most `size`; waits only if there is nothing. b'' at the end; a\n"
         "tuple of the kind of failure and errno where the body broke off, or the session's read timeout was over.")},
    {"close", stream_close, METH_NOARGS,
     PyDoc_STR("close()\n\nThe connection is used again if the body was read to its end, else it is closed.")},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot stream_slots[] = {
    {Py_tp_doc, (void *)PyDoc_STR("The body of a response that is taken piece by piece.")},
    {Py_tp_traverse, stream_traverse},
    {Py_tp_clear, stream_clear},
    {Py_tp_dealloc, stream_dealloc},
    {Py_tp_methods, stream_methods},
    {0, NULL},
};

static PyType_Spec stream_spec = {
    .name = "_cload.Stream",
    .basicsize = sizeof(struct stream_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = stream_slots,
};

int
cload__stream_add(PyObject *module)
{
    struct cload_state *state = cload_state_of_module(module);
    state->stream_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &stream_spec, NULL);
    return state->stream_type == NULL ? -1 : PyModule_AddType(module, state->stream_type);
}
