#include "carrier.h"
#include "object.h"
#include "pool.h"
#include "user_greenlet.h"

static PyObject *
greenlet_get_carrier(PyObject *object, void *Py_UNUSED(closure))
{
    struct cload_worker *worker = ((struct cload_user_greenlet *)object)->worker;
    return Py_NewRef(worker == NULL ? Py_None : worker->greenlet);
}

static PyObject *
greenlet_get_args(PyObject *object, void *Py_UNUSED(closure))
{
    return PyTuple_Pack(1, ((struct cload_user_greenlet *)object)->user);
}

static PyObject *
greenlet_get_loop(PyObject *object, void *Py_UNUSED(closure))
{
    return Py_NewRef(((struct cload_user_greenlet *)object)->loop.hub->gevent_loop);
}

/* A small number that no other greenlet has as long as this one lives; gevent counts them. */
static PyObject *
greenlet_get_ident(PyObject *object, void *Py_UNUSED(closure))
{
    PyObject *hub = ((struct cload_user_greenlet *)object)->loop.hub->greenlet;
    PyObject *registry = cload_attribute(hub, "ident_registry");
    PyObject *ident = registry == NULL ? NULL : PyObject_CallMethod(registry, "get_ident", "O", object);
    Py_XDECREF(registry);
    return ident;
}

/* An attribute from the dictionary, where scripts leave their own and the ones of gevent's that they set. New
 * reference. */
static PyObject *
own_attribute(PyObject *object, const char *name)
{
    PyObject *dict = ((struct cload_user_greenlet *)object)->dict;
    return dict == NULL ? NULL : Py_XNewRef(PyDict_GetItemString(dict, name));
}

static int
set_own_attribute(PyObject *object, const char *name, PyObject *value)
{
    PyObject *dict = PyObject_GenericGetDict(object, NULL);
    int err = dict == NULL ? -1 : PyDict_SetItemString(dict, name, value);
    Py_XDECREF(dict);
    return err;
}

/* Without one of its own it has the one that is made from its number, which cannot be taken away. */
static int
greenlet_set_name(PyObject *object, PyObject *value, void *Py_UNUSED(closure))
{
    if (value != NULL) {
        return set_own_attribute(object, "name", value);
    }
    PyObject *dict = ((struct cload_user_greenlet *)object)->dict;
    if (dict == NULL || PyDict_DelItemString(dict, "name") < 0) {
        PyErr_SetString(PyExc_AttributeError, "this greenlet was given no name");
        return -1;
    }
    return 0;
}

static PyObject *
greenlet_get_locals(PyObject *object, void *Py_UNUSED(closure))
{
    PyObject *locals = own_attribute(object, "spawn_tree_locals");
    if (locals == NULL) {
        locals = PyDict_New();
        if (locals != NULL && set_own_attribute(object, "spawn_tree_locals", locals) < 0) {
            Py_CLEAR(locals);
        }
    }
    return locals;
}

static int
greenlet_set_locals(PyObject *object, PyObject *value, void *Py_UNUSED(closure))
{
    if (value != NULL && value != Py_None && !PyDict_Check(value)) {
        PyErr_Format(PyExc_TypeError, "spawn_tree_locals is a dict, not %s", Py_TYPE(value)->tp_name);
        return -1;
    }
    return set_own_attribute(object, "spawn_tree_locals", value == NULL ? Py_None : value);
}

static PyObject *
greenlet_get_parent(PyObject *object, void *Py_UNUSED(closure))
{
    return Py_NewRef(((struct cload_user_greenlet *)object)->loop.hub->greenlet);
}

/* The hub, from which all greenlets come: which greenlet of the runner made this one is not kept. */
static PyObject *
greenlet_get_spawning(PyObject *object, void *Py_UNUSED(closure))
{
    return PyWeakref_NewRef(((struct cload_user_greenlet *)object)->loop.hub->greenlet, NULL);
}

static PyObject *
greenlet_get_name(PyObject *object, void *Py_UNUSED(closure))
{
    PyObject *given = own_attribute(object, "name");
    if (given != NULL) {
        return given;
    }
    PyObject *ident = greenlet_get_ident(object, NULL);
    PyObject *name = ident == NULL ? NULL : PyUnicode_FromFormat("Greenlet-%S", ident);
    Py_XDECREF(ident);
    return name;
}

static PyObject *
greenlet_get_kwargs(PyObject *Py_UNUSED(object), void *Py_UNUSED(closure))
{
    return PyDict_New();
}

static PyObject *
greenlet_get_exc_info(PyObject *object, void *Py_UNUSED(closure))
{
    PyObject *exception = ((struct cload_user_greenlet *)object)->exception;
    if (exception == NULL) {
        Py_RETURN_NONE;
    }
    PyObject *traceback = PyException_GetTraceback(exception);
    PyObject *info =
        PyTuple_Pack(3, (PyObject *)Py_TYPE(exception), exception, traceback == NULL ? Py_None : traceback);
    Py_XDECREF(traceback);
    return info;
}

static PyObject *
greenlet_get_none(PyObject *Py_UNUSED(object), void *Py_UNUSED(closure))
{
    Py_RETURN_NONE;
}

PyGetSetDef cload__user_greenlet_getset[] = {
    {"args", greenlet_get_args, NULL, PyDoc_STR("A tuple of one: the user."), NULL},
    {"carrier", greenlet_get_carrier, NULL, PyDoc_STR("The greenlet the user's code runs in, or None."), NULL},
    {"exc_info", greenlet_get_exc_info, NULL, PyDoc_STR("What ended it: type, exception, traceback; or None."), NULL},
    {"kwargs", greenlet_get_kwargs, NULL, PyDoc_STR("Empty: see args."), NULL},
    {"loop", greenlet_get_loop, NULL, PyDoc_STR("gevent's loop."), NULL},
    {"minimal_ident", greenlet_get_ident, NULL, PyDoc_STR("A small number that is only its own as long as it lives."),
     NULL},
    {"name", greenlet_get_name, greenlet_set_name, PyDoc_STR("Its name in what gevent tells, with minimal_ident."),
     NULL},
    {"parent", greenlet_get_parent, NULL, PyDoc_STR("gevent's hub."), NULL},
    {"spawn_tree_locals", greenlet_get_locals, greenlet_set_locals,
     PyDoc_STR("What it shares with greenlets it spawns."), NULL},
    {"spawning_greenlet", greenlet_get_spawning, NULL, PyDoc_STR("A weak reference to gevent's hub."), NULL},
    {"spawning_stack", greenlet_get_none, NULL, NULL, NULL},
    {"value", greenlet_get_none, NULL, NULL, NULL},
    {"__class__", cload_carrier_class, NULL, NULL, NULL},
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};
