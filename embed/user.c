#include "user.h"

#include <structmember.h>

#include "object.h"
#include "task_loop.h"

static const char *const run_state_names[] = {NULL, "running", "waiting", "stopping"};

static PyObject *
user_get_state(PyObject *object, void *Py_UNUSED(closure))
{
    const char *name = run_state_names[((struct cload_user *)object)->run_state];
    return name == NULL ? Py_NewRef(Py_None) : PyUnicode_InternFromString(name);
}

static int
user_set_state(PyObject *object, PyObject *value, void *Py_UNUSED(closure))
{
    struct cload_user *self = (struct cload_user *)object;
    if (value == Py_None) {
        self->run_state = USER_NEW;
        return 0;
    }
    for (int i = USER_RUNNING; i <= USER_STOPPING; i++) {
        if (value != NULL && PyUnicode_Check(value) &&
            PyUnicode_CompareWithASCIIString(value, run_state_names[i]) == 0) {
            self->run_state = (enum cload_run_state)i;
            return 0;
        }
    }
    PyErr_SetString(PyExc_ValueError, "a user's state is 'running', 'waiting', 'stopping' or None");
    return -1;
}

static PyObject *
user_run(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    struct cload_state *state = cload_state_find(Py_TYPE(object));
    return state == NULL ? NULL : cload_loop_run_here(state, (struct cload_user *)object, NULL);
}

static int
user_traverse(PyObject *object, visitproc visit, void *arg)
{
    struct cload_user *self = (struct cload_user *)object;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->environment);
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

static PyMethodDef user_methods[] = {
    {"run", user_run, METH_NOARGS,
     PyDoc_STR("run($self, /)\n--\n\nLives the user's life in the current greenlet: on_start, tasks, on_stop.")},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef user_getset[] = {
    {"_state", user_get_state, user_set_state, PyDoc_STR("'running', 'waiting', 'stopping' or None"), NULL},
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef user_members[] = {
    {"environment", T_OBJECT_EX, offsetof(struct cload_user, environment), 0, NULL},
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
    {Py_tp_doc, (void *)PyDoc_STR("Base of locust.User: the part of a user that the task loop looks at.")},
    {Py_tp_new, cload_object_new},
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
