#include "carrier.h"

#include "object.h"

/* Under this name an ended greenlet has its user in its dictionary. */
#define OWNER "_cload_user"

/* Behind what greenlet itself keeps in the object. */
static struct cload_worker **
carrier_worker(PyObject *carrier)
{
    return (struct cload_worker **)((char *)carrier + Py_TYPE(carrier)->tp_base->tp_basicsize);
}

/* The user to ask; NULL without an exception: there is none. New reference. */
static PyObject *
carrier_user(PyObject *carrier)
{
    struct cload_worker *worker = *carrier_worker(carrier);
    if (worker == NULL) {
        PyObject *name = PyUnicode_InternFromString(OWNER);
        PyObject *owner = name == NULL ? NULL : PyObject_GenericGetAttr(carrier, name);
        Py_XDECREF(name);
        if (owner == NULL) {
            PyErr_Clear();
        }
        return owner;
    }
    return Py_XNewRef((PyObject *)(worker->user != NULL ? worker->user : worker->last));
}

static PyObject *
carrier_getattro(PyObject *carrier, PyObject *name)
{
    PyObject *value = Py_TYPE(carrier)->tp_base->tp_getattro(carrier, name);
    if (value != NULL || !PyErr_ExceptionMatches(PyExc_AttributeError)) {
        return value;
    }
    PyObject *missing = cload_exception_take();
    PyObject *user = carrier_user(carrier);
    if (user != NULL) {
        value = PyObject_GetAttr(user, name);
        Py_DECREF(user);
    }
    if (value == NULL && (user == NULL || PyErr_ExceptionMatches(PyExc_AttributeError))) {
        PyErr_Clear();
        cload_exception_restore(missing);
        return NULL;
    }
    Py_DECREF(missing);
    return value;
}

static PyType_Slot carrier_slots[] = {
    {Py_tp_doc, (void *)PyDoc_STR("A greenlet that runs users.")},
    {Py_tp_getattro, carrier_getattro},
    {0, NULL},
};

static PyTypeObject *
carrier_type(struct cload_state *state)
{
    if (state->carrier_type == NULL) {
        PyObject *module = PyImport_ImportModule("greenlet");
        PyObject *base = module == NULL ? NULL : PyObject_GetAttrString(module, "greenlet");
        Py_XDECREF(module);
        if (base == NULL) {
            return NULL;
        }
        /* Deallocation and garbage collection are greenlet's: there is nothing more to give back. */
        PyType_Spec spec = {
            .name = "_cload.Carrier",
            .basicsize = (int)(((PyTypeObject *)base)->tp_basicsize + (Py_ssize_t)sizeof(struct cload_worker *)),
            .flags = Py_TPFLAGS_DEFAULT,
            .slots = carrier_slots,
        };
        state->carrier_type = (PyTypeObject *)PyType_FromSpecWithBases(&spec, base);
        Py_DECREF(base);
    }
    return state->carrier_type;
}

PyObject *
cload_carrier_new(struct cload_worker *worker, PyObject *run, PyObject *parent)
{
    PyTypeObject *type = carrier_type(worker->hub->state);
    PyObject *carrier = type == NULL ? NULL : PyObject_CallFunctionObjArgs((PyObject *)type, run, parent, NULL);
    if (carrier != NULL) {
        *carrier_worker(carrier) = worker;
    }
    return carrier;
}

void
cload_carrier_end(PyObject *carrier, struct cload_user_greenlet *user)
{
    *carrier_worker(carrier) = NULL;
    if (user != NULL && PyObject_SetAttrString(carrier, OWNER, (PyObject *)user) < 0) {
        PyErr_WriteUnraisable(carrier);
    }
}
