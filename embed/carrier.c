#include "carrier.h"

#include "greenlet.h"
#include "object.h"

/* The key in the dictionary of an ended greenlet under which its user is. */
#define OWNER "_cload_user"

/* The pointer to the worker lies behind greenlet's own data in the object. */
static struct cload_worker **
carrier_worker(PyObject *carrier)
{
    return (struct cload_worker **)((char *)carrier + Py_TYPE(carrier)->tp_base->tp_basicsize);
}

/* Code that asks for the greenlet may tell users apart by it: from now on the user that runs in it stays in it. */
static void
carrier_pin(PyObject *carrier)
{
    struct cload_worker *worker = *carrier_worker(carrier);
    if (worker != NULL && worker->user != NULL) {
        worker->user->is_pinned = true;
    }
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

PyObject *
cload_carrier_class(PyObject *Py_UNUSED(object), void *Py_UNUSED(closure))
{
    PyObject *gevent = PyImport_ImportModule("gevent");
    PyObject *type = gevent == NULL ? NULL : cload_attribute(gevent, "Greenlet");
    Py_XDECREF(gevent);
    return type;
}

PyObject *
cload_carrier_text(PyObject *greenlet, PyObject *user)
{
    return PyUnicode_FromFormat("<Greenlet at %p: run(%R)>", greenlet, user);
}

PyObject *
cload_carrier_attribute(PyObject *carrier, PyObject *name)
{
    return Py_TYPE(carrier)->tp_base->tp_getattro(carrier, name);
}

static PyObject *
carrier_repr(PyObject *carrier)
{
    PyObject *user = carrier_user(carrier);
    PyObject *text = user == NULL ? Py_TYPE(carrier)->tp_base->tp_repr(carrier)
                                  : cload_carrier_text(carrier, ((struct cload_user_greenlet *)user)->user);
    Py_XDECREF(user);
    return text;
}

static Py_hash_t
carrier_hash(PyObject *carrier)
{
    PyObject *user = carrier_user(carrier);
    if (user == NULL) {
        return Py_HashPointer(carrier);
    }
    carrier_pin(carrier);
    Py_hash_t hash = PyObject_Hash(user);
    Py_DECREF(user);
    return hash;
}

static PyObject *
carrier_richcompare(PyObject *carrier, PyObject *other, int op)
{
    if (op != Py_EQ && op != Py_NE) {
        Py_RETURN_NOTIMPLEMENTED;
    }
    PyObject *user = carrier_user(carrier);
    bool is_same = carrier == other || (user != NULL && user == other);
    Py_XDECREF(user);
    return PyBool_FromLong(is_same == (op == Py_EQ));
}

static PyObject *
carrier_getattro(PyObject *carrier, PyObject *name)
{
    PyObject *value = cload_carrier_attribute(carrier, name);
    if (value != NULL || !PyErr_ExceptionMatches(PyExc_AttributeError)) {
        return value;
    }
    if (PyUnicode_CompareWithASCIIString(name, "rawlink") == 0) {
        /* Callers that find no rawlink() use a weak reference to learn of the end. That is right here: they know this
         * greenlet by its id, and a link of the user's would be called with another object. */
        return NULL;
    }
    PyObject *missing = cload_exception_take();
    PyObject *user = carrier_user(carrier);
    if (user != NULL) {
        value = PyObject_GetAttr(user, name);
        Py_DECREF(user);
        if (value != NULL) {
            carrier_pin(carrier);
        }
    }
    if (value == NULL && (user == NULL || PyErr_ExceptionMatches(PyExc_AttributeError))) {
        PyErr_Clear();
        cload_exception_restore(missing);
        return NULL;
    }
    Py_DECREF(missing);
    return value;
}

static PyGetSetDef carrier_getset[] = {
    {"__class__", cload_carrier_class, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot carrier_slots[] = {
    {Py_tp_doc, (void *)PyDoc_STR("A greenlet that runs users.")},
    {Py_tp_getattro, carrier_getattro},
    {Py_tp_getset, carrier_getset},
    {Py_tp_hash, carrier_hash},
    {Py_tp_repr, carrier_repr},
    {Py_tp_richcompare, carrier_richcompare},
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

PyObject *
cload_carrier_of(PyObject *user)
{
    PyObject *current = cload_greenlet_current();
    struct cload_state *state = current == NULL ? NULL : cload_state_find(Py_TYPE(user));
    if (state != NULL && state->carrier_type != NULL && Py_TYPE(current) == state->carrier_type) {
        struct cload_worker *worker = *carrier_worker(current);
        if (worker != NULL && (PyObject *)worker->user == user) {
            carrier_pin(current);
            return current;
        }
    }
    Py_XDECREF(current);
    return NULL;
}

/* The current greenlet, pinned unless the code that asks is the standard library's, for its locks. */
static PyObject *
current_greenlet(PyObject *module, bool is_lock)
{
    struct cload_state *state = cload_state_of_module(module);
    PyObject *current = cload_greenlet_current();
    if (current != NULL && !is_lock && state->carrier_type != NULL && Py_TYPE(current) == state->carrier_type) {
        carrier_pin(current);
    }
    return current;
}

static PyObject *
get_current(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    return current_greenlet(module, false);
}

static PyObject *
get_ident(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    if (count > 1) {
        PyErr_SetString(PyExc_TypeError, "get_ident() takes one argument: a greenlet");
        return NULL;
    }
    if (count == 1 && args[0] != Py_None) {
        return PyLong_FromVoidPtr(args[0]);
    }
    PyObject *globals = PyEval_GetGlobals();
    PyObject *name = globals == NULL ? NULL : PyDict_GetItemString(globals, "__name__");
    bool is_lock = name != NULL && PyUnicode_Check(name) && PyUnicode_CompareWithASCIIString(name, "threading") == 0;
    PyObject *current = current_greenlet(module, is_lock);
    if (current == NULL) {
        PyErr_Clear(); /* the interpreter ends: there are no greenlets any more */
        return PyLong_FromVoidPtr(Py_None);
    }
    PyObject *ident = PyLong_FromVoidPtr(current);
    Py_DECREF(current);
    return ident;
}

static PyMethodDef carrier_functions[] = {
    {"getcurrent", get_current, METH_NOARGS,
     PyDoc_STR("getcurrent()\n\nThe current greenlet; a user that runs in it has it for good.")},
    {"get_ident", (PyCFunction)(void (*)(void))get_ident, METH_FASTCALL,
     PyDoc_STR(
         "get_ident(greenlet=None)\n\nThe number of a greenlet, or of the current one, which its user has for good "
         "unless it is threading that asks.")},
    {NULL, NULL, 0, NULL},
};

int
cload__carrier_add_functions(PyObject *module)
{
    return PyModule_AddFunctions(module, carrier_functions);
}
