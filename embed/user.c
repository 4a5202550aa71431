#include "user.h"

#include <structmember.h>

#include "base/clock.h"
#include "carrier.h"
#include "object.h"
#include "task_loop.h"
#include "taskset.h"
#include "user_greenlet.h"

/* Of the interned names; borrowed. */
static PyObject *
run_state_name(const struct cload_state *state, enum cload_run_state run_state)
{
    PyObject *const names[] = {Py_None, state->str_running, state->str_waiting, state->str_stopping};
    return names[run_state];
}

static PyObject *
user_get_state(PyObject *object, void *Py_UNUSED(closure))
{
    struct cload_state *state = cload_state_find(Py_TYPE(object));
    return state == NULL ? NULL : Py_NewRef(run_state_name(state, ((struct cload_user *)object)->run_state));
}

static int
user_set_state(PyObject *object, PyObject *value, void *Py_UNUSED(closure))
{
    struct cload_state *state = cload_state_find(Py_TYPE(object));
    if (state == NULL) {
        return -1;
    }
    for (int i = USER_NEW; value != NULL && i <= USER_STOPPING; i++) {
        PyObject *name = run_state_name(state, (enum cload_run_state)i);
        if (value == name || (PyUnicode_Check(value) && i != USER_NEW && PyUnicode_Compare(value, name) == 0)) {
            ((struct cload_user *)object)->run_state = (enum cload_run_state)i;
            return 0;
        }
    }
    PyErr_SetString(PyExc_ValueError, "a user's state is 'running', 'waiting', 'stopping' or None");
    return -1;
}

/* New reference. Since Python 3.12 the types that are Python's own have it somewhere else in each interpreter. */
static PyObject *
dict_of(PyTypeObject *type)
{
#if PY_VERSION_HEX >= 0x030C0000
    return PyType_GetDict(type);
#else
    return Py_NewRef(type->tp_dict);
#endif
}

/* Calls the __init__() that super() would find behind ours: a script's class may have other bases beside. */
static int
init_further_bases(struct cload_state *state, PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    if (type->tp_version_tag != 0 && type->tp_version_tag == state->plain_init_version) {
        return 0;
    }
    PyObject *mro = Py_NewRef(type->tp_mro), *function = NULL;
    Py_ssize_t count = PyTuple_GET_SIZE(mro), i = 0;
    while (i < count && PyTuple_GET_ITEM(mro, i) != (PyObject *)state->user_type) {
        i++;
    }
    while (function == NULL && ++i < count && PyTuple_GET_ITEM(mro, i) != (PyObject *)&PyBaseObject_Type) {
        PyObject *dict = dict_of((PyTypeObject *)PyTuple_GET_ITEM(mro, i));
        function = Py_XNewRef(PyDict_GetItemWithError(dict, state->str___init__));
        Py_DECREF(dict);
        if (function == NULL && PyErr_Occurred()) {
            break;
        }
    }
    int err = PyErr_Occurred() ? -1 : 0;
    if (function != NULL) {
        descrgetfunc bind = Py_TYPE(function)->tp_descr_get;
        PyObject *method = bind == NULL ? Py_NewRef(function) : bind(function, object, (PyObject *)type);
        PyObject *result = method == NULL ? NULL : PyObject_CallNoArgs(method);
        err = result == NULL ? -1 : 0;
        Py_XDECREF(result);
        Py_XDECREF(method);
        Py_DECREF(function);
    } else if (err == 0) {
        state->plain_init_version = type->tp_version_tag;
    }
    Py_DECREF(mro);
    return err;
}

struct cload_state *
cload_user_init(PyObject *object, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"environment", NULL};
    struct cload_user *self = (struct cload_user *)object;
    struct cload_state *state = cload_state_find(Py_TYPE(object));
    PyObject *environment;
    if (state == NULL) {
        return NULL;
    }
    if (PyTuple_GET_SIZE(args) == 1 && (kwargs == NULL || PyDict_GET_SIZE(kwargs) == 0)) {
        environment = PyTuple_GET_ITEM(args, 0);
    } else if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O:User", names, &environment)) {
        return NULL;
    }
    if (init_further_bases(state, object) < 0) {
        return NULL;
    }
    Py_XSETREF(self->environment, Py_NewRef(environment));
    self->last_run_s = (double)lc_clock_monotonic_ns() / 1e9;
    return state;
}

static int
user_init(PyObject *object, PyObject *args, PyObject *kwargs)
{
    return cload_user_init(object, args, kwargs) == NULL ? -1 : 0;
}

/* start(group) */
static PyObject *
user_start(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames)
{
    struct cload_user *self = (struct cload_user *)object;
    struct cload_state *state = cload_state_find(Py_TYPE(object));
    if (state == NULL) {
        return NULL;
    }
    Py_ssize_t named = kwnames == NULL ? 0 : PyTuple_GET_SIZE(kwnames);
    if (count + named != 1 || (named == 1 && PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(kwnames, 0), "group"))) {
        PyErr_SetString(PyExc_TypeError, "start() takes one argument: group");
        return NULL;
    }
    PyObject *group = args[0];
    Py_XSETREF(self->group, Py_NewRef(group));
    bool is_own_run =
        self->dict != NULL && PyDict_GET_SIZE(self->dict) > 0 && PyDict_Contains(self->dict, state->str_run) != 0;
    if (is_own_run ||
        _PyType_Lookup(Py_TYPE(object), state->str_run) != _PyType_Lookup(state->user_type, state->str_run)) {
        PyObject *spawned = PyErr_Occurred() ? NULL : cload_call_task_helper(state, "spawn_user", group, object);
        if (spawned != NULL) {
            Py_XSETREF(self->greenlet, Py_NewRef(spawned));
        }
        return spawned;
    }
    PyObject *greenlet = cload_user_greenlet_new(state, object);
    if (greenlet == NULL) {
        return NULL;
    }
    Py_XSETREF(self->greenlet, Py_NewRef(greenlet));
    PyObject *added = PyObject_CallMethodOneArg(group, state->str_add, greenlet);
    if (added == NULL || cload_user_greenlet_start(greenlet) < 0) {
        Py_CLEAR(greenlet);
    }
    Py_XDECREF(added);
    return greenlet;
}

static PyObject *
user_run(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    struct cload_state *state = cload_state_find(Py_TYPE(object));
    return state == NULL ? NULL : cload_loop_run_here(state, (struct cload_user *)object, NULL);
}

static PyObject *
user_do_nothing(PyObject *Py_UNUSED(object), PyObject *Py_UNUSED(ignored))
{
    Py_RETURN_NONE;
}

static int
user_traverse(PyObject *object, visitproc visit, void *arg)
{
    struct cload_user *self = (struct cload_user *)object;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->environment);
    Py_VISIT(self->client);
    Py_VISIT(self->greenlet);
    Py_VISIT(self->group);
    Py_VISIT(self->taskset);
    Py_VISIT(self->dict);
    return 0;
}

static int
user_clear(PyObject *object)
{
    struct cload_user *self = (struct cload_user *)object;
    Py_CLEAR(self->environment);
    Py_CLEAR(self->client);
    Py_CLEAR(self->greenlet);
    Py_CLEAR(self->group);
    Py_CLEAR(self->taskset);
    Py_CLEAR(self->dict);
    return 0;
}

static void
user_dealloc(PyObject *object)
{
    cload_object_dealloc(object, user_clear);
}

static PyObject *
user_get_dict(PyObject *object, void *Py_UNUSED(closure))
{
    static const char *const names[] = {
        "environment",        "client", "_state", "_greenlet", "_group", "_taskset_instance", "_cp_last_run",
        "_cp_last_wait_time", NULL};
    struct cload_state *state = cload_state_find(Py_TYPE(object));
    return state == NULL ? NULL : cload_object_dict(object, state->user_type, names);
}

/* In the user's own code that is the greenlet it runs in, as gevent.getcurrent() has it; they are equal. */
static PyObject *
user_get_greenlet(PyObject *object, void *Py_UNUSED(closure))
{
    PyObject *greenlet = ((struct cload_user *)object)->greenlet;
    if (greenlet == NULL) {
        Py_RETURN_NONE;
    }
    PyObject *current = cload_carrier_of(greenlet);
    return current == NULL && !PyErr_Occurred() ? Py_NewRef(greenlet) : current;
}

static PyMethodDef user_methods[] = {
    {"__getstate__", cload_object_getstate, METH_NOARGS,
     PyDoc_STR("__getstate__($self, /)\n--\n\nWhat a copy has, too.")},
    {"__setstate__", cload_object_setstate, METH_O, PyDoc_STR("__setstate__($self, state, /)\n--\n\nMakes it a copy.")},
    {"run", user_run, METH_NOARGS,
     PyDoc_STR("run($self, /)\n--\n\nLives the user's life in the current greenlet: on_start, tasks, on_stop.")},
    {"on_start", user_do_nothing, METH_NOARGS,
     PyDoc_STR("on_start($self, /)\n--\n\nCalled when the user starts, before its first task.")},
    {"on_stop", user_do_nothing, METH_NOARGS, PyDoc_STR("on_stop($self, /)\n--\n\nCalled when the user stops.")},
    {"start", (PyCFunction)(void (*)(void))user_start, METH_FASTCALL | METH_KEYWORDS,
     PyDoc_STR("start($self, /, group)\n--\n\n"
               "Starts the user in a new greenlet of the group, and returns the greenlet.")},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef user_getset[] = {
    {"_state", user_get_state, user_set_state, PyDoc_STR("'running', 'waiting', 'stopping' or None"), NULL},
    {"__dict__", user_get_dict, PyObject_GenericSetDict, NULL, NULL},
    {"greenlet", user_get_greenlet, NULL, PyDoc_STR("The greenlet the user runs in."), NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef user_members[] = {
    {"environment", T_OBJECT_EX, offsetof(struct cload_user, environment), 0, NULL},
    {"client", T_OBJECT_EX, offsetof(struct cload_user, client), 0,
     PyDoc_STR("What the user makes its requests with, if it has one.")},
    {"_greenlet", T_OBJECT, offsetof(struct cload_user, greenlet), 0, NULL},
    {"_group", T_OBJECT, offsetof(struct cload_user, group), 0, NULL},
    {"_taskset_instance", T_OBJECT, offsetof(struct cload_user, taskset), 0, NULL},
    {"_cp_last_run", T_DOUBLE, offsetof(struct cload_user, last_run_s), 0, NULL},
    {"_cp_last_wait_time", T_DOUBLE, offsetof(struct cload_user, last_wait_s), 0, NULL},
    {"__dictoffset__", T_PYSSIZET, offsetof(struct cload_user, dict), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(struct cload_user, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot user_slots[] = {
    {Py_tp_doc,
     (void *)PyDoc_STR("User(environment)\n--\n\nBase of locust.User: the part of a user that the task loop looks "
                       "at.")},
    {Py_tp_new, cload_object_new},
    {Py_tp_init, user_init},
    {Py_tp_traverse, user_traverse},
    {Py_tp_clear, user_clear},
    {Py_tp_dealloc, user_dealloc},
    {Py_tp_methods, user_methods},
    {Py_tp_getset, user_getset},
    {Py_tp_members, user_members},
    {0, NULL},
};

static PyType_Spec user_spec = {
    .name = "_cload.User",
    .basicsize = sizeof(struct cload_user),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = user_slots,
};

int
cload__user_add_types(PyObject *module)
{
    struct cload_state *state = cload_state_of_module(module);
    return cload_type_add(module, &user_spec, &state->user_type);
}
