/* The users of a runner, thousands at a time: how many there are, which of them to stop, and their end. */
#include "greenlet.h"
#include "object.h"
#include "pool.h"
#include "session.h"
#include "taskset.h"
#include "user.h"
#include "user_greenlet.h"

/* The user whose greenlet this is, a new reference; NULL without an exception: none, as of a gevent greenlet that is
 * over. */
static PyObject *
user_of(struct cload_state *state, PyObject *greenlet)
{
    if (Py_IS_TYPE(greenlet, state->user_greenlet_type)) {
        return Py_XNewRef(((struct cload_user_greenlet *)greenlet)->user);
    }
    PyObject *args;
    if (PyObject_GetOptionalAttr(greenlet, state->str_args, &args) <= 0) {
        return NULL;
    }
    bool has_user = PyTuple_CheckExact(args) && PyTuple_GET_SIZE(args) > 0;
    PyObject *user = has_user ? Py_NewRef(PyTuple_GET_ITEM(args, 0)) : NULL;
    Py_DECREF(args);
    return user;
}

static int
add_count(PyObject *counts, PyObject *type, Py_ssize_t count)
{
    PyObject *former = PyDict_GetItemWithError(counts, type);
    Py_ssize_t sum = former == NULL ? 0 : PyLong_AsSsize_t(former);
    PyObject *value = PyErr_Occurred() ? NULL : PyLong_FromSsize_t(sum + count);
    int err = value == NULL ? -1 : PyDict_SetItem(counts, type, value);
    Py_XDECREF(value);
    return err;
}

/* count_users(greenlets) */
static PyObject *
count_users(PyObject *module, PyObject *greenlets)
{
    struct cload_state *state = cload_state_of_module(module);
    PyObject *all = PySequence_List(greenlets);
    PyObject *counts = all == NULL ? NULL : PyDict_New();
    PyObject *type = NULL;
    Py_ssize_t count = 0;
    for (Py_ssize_t i = 0; counts != NULL && i < PyList_GET_SIZE(all); i++) {
        PyObject *user = user_of(state, PyList_GET_ITEM(all, i));
        if (user != NULL && (PyObject *)Py_TYPE(user) == type) {
            count++;
        } else if (user != NULL) {
            if (type != NULL && add_count(counts, type, count) < 0) {
                Py_CLEAR(counts);
            }
            Py_XSETREF(type, Py_NewRef(Py_TYPE(user)));
            count = 1;
        } else if (PyErr_Occurred()) {
            Py_CLEAR(counts);
        }
        Py_XDECREF(user);
    }
    if (counts != NULL && type != NULL && add_count(counts, type, count) < 0) {
        Py_CLEAR(counts);
    }
    Py_XDECREF(type);
    Py_XDECREF(all);
    return counts;
}

/* Takes one off `left`, which says by the name of its class how many users are wanted; 1 if it was one of them. */
static int
take_one(PyObject *left, PyTypeObject *type)
{
    PyObject *name = PyType_GetName(type);
    PyObject *number = name == NULL ? NULL : PyDict_GetItemWithError(left, name);
    Py_ssize_t count = number == NULL ? 0 : PyLong_AsSsize_t(number);
    int taken = PyErr_Occurred() ? -1 : count > 0;
    if (taken == 1) {
        PyObject *less = PyLong_FromSsize_t(count - 1);
        taken = less == NULL || PyDict_SetItem(left, name, less) < 0 ? -1 : 1;
        Py_XDECREF(less);
    }
    Py_XDECREF(name);
    return taken;
}

/* choose_users(greenlets, counts): (chosen greenlets, whether one of the users has not begun yet) */
static PyObject *
choose_users(PyObject *module, PyObject *args)
{
    struct cload_state *state = cload_state_of_module(module);
    PyObject *greenlets, *counts;
    if (!PyArg_ParseTuple(args, "OO!", &greenlets, &PyDict_Type, &counts)) {
        return NULL;
    }
    PyObject *left = PyDict_Copy(counts);
    PyObject *all = left == NULL ? NULL : PySequence_List(greenlets);
    PyObject *chosen = all == NULL ? NULL : PyList_New(0);
    bool has_new = false;
    for (Py_ssize_t i = 0; chosen != NULL && i < PyList_GET_SIZE(all); i++) {
        PyObject *greenlet = PyList_GET_ITEM(all, i);
        PyObject *user = user_of(state, greenlet);
        int taken = user == NULL ? 0 : take_one(left, Py_TYPE(user));
        if (taken < 0 || PyErr_Occurred() || (taken == 1 && PyList_Append(chosen, greenlet) < 0)) {
            Py_CLEAR(chosen);
        } else if (taken == 1 && PyObject_TypeCheck(user, state->user_type)) {
            has_new = has_new || ((struct cload_user *)user)->run_state == USER_NEW;
        }
        Py_XDECREF(user);
    }
    Py_XDECREF(all);
    Py_XDECREF(left);
    return chosen == NULL ? NULL : Py_BuildValue("(NO)", chosen, has_new ? Py_True : Py_False);
}

static enum cload_run_state
user_state(const struct cload_user_greenlet *greenlet)
{
    return ((const struct cload_user *)greenlet->user)->run_state;
}

/* end_users(greenlets, is_patient, stop): those that are left to the caller */
static PyObject *
end_users(PyObject *module, PyObject *args)
{
    struct cload_state *state = cload_state_of_module(module);
    PyObject *greenlets, *stop;
    int is_patient;
    if (!PyArg_ParseTuple(args, "O!pO", &PyList_Type, &greenlets, &is_patient, &stop)) {
        return NULL;
    }
    PyObject *rest = PyList_New(0), *current = cload_greenlet_current();
    int err = rest == NULL || current == NULL ? -1 : 0;
    PyObject *name = state->str_stop;
    for (Py_ssize_t i = 0; err == 0 && i < PyList_GET_SIZE(greenlets); i++) {
        PyObject *greenlet = Py_NewRef(PyList_GET_ITEM(greenlets, i));
        struct cload_user_greenlet *self = (struct cload_user_greenlet *)greenlet;
        if (!Py_IS_TYPE(greenlet, state->user_greenlet_type) || _PyType_Lookup(Py_TYPE(self->user), name) != stop ||
            (self->worker != NULL && self->worker->greenlet == current)) {
            err = PyList_Append(rest, greenlet);
        } else if (is_patient && user_state(self) == USER_RUNNING) {
            ((struct cload_user *)self->user)->run_state = USER_STOPPING;
        } else if (!is_patient || user_state(self) != USER_STOPPING) {
            err = cload_user_kill(self);
        }
        Py_DECREF(greenlet);
    }
    Py_XDECREF(current);
    if (err < 0) {
        Py_CLEAR(rest);
    }
    return rest;
}

void
cload_user_release(struct cload_user_greenlet *self, Py_ssize_t held)
{
    struct cload_user *user = (struct cload_user *)self->user;
    if (user == NULL || user->greenlet != (PyObject *)self || Py_REFCNT(self) != held + 1 ||
        Py_TYPE(user)->tp_finalize != NULL || user->weakrefs != NULL) {
        return;
    }
    Py_ssize_t inner_count = 1; /* references to the user: first, the greenlet's */
    if (user->taskset != NULL) {
        struct cload_taskset *taskset = (struct cload_taskset *)user->taskset;
        if (!PyObject_TypeCheck(user->taskset, self->loop.state->taskset_type) || Py_REFCNT(taskset) != 1) {
            return;
        }
        inner_count += (taskset->user == (PyObject *)user) + (taskset->parent == (PyObject *)user);
    }
    bool has_session = user->client != NULL && cload_session_user(self->loop.state, user->client) == (PyObject *)user;
    if (has_session && Py_REFCNT(user->client) == 1) {
        inner_count++;
    } else {
        has_session = false;
    }
    if (Py_REFCNT(user) != inner_count) {
        return;
    }
    Py_CLEAR(user->taskset);
    if (has_session) {
        Py_CLEAR(user->client);
    }
    Py_CLEAR(user->greenlet);
}

/* forget_users(greenlets) */
static PyObject *
forget_users(PyObject *module, PyObject *greenlets)
{
    struct cload_state *state = cload_state_of_module(module);
    if (!PyList_CheckExact(greenlets)) {
        PyErr_SetString(PyExc_TypeError, "a list of greenlets is needed");
        return NULL;
    }
    while (PyList_GET_SIZE(greenlets) > 0) {
        Py_ssize_t last = PyList_GET_SIZE(greenlets) - 1;
        PyObject *greenlet = Py_NewRef(PyList_GET_ITEM(greenlets, last));
        if (PyList_SetSlice(greenlets, last, last + 1, NULL) < 0) {
            Py_DECREF(greenlet);
            return NULL;
        }
        if (Py_IS_TYPE(greenlet, state->user_greenlet_type) && ((struct cload_user_greenlet *)greenlet)->is_dead) {
            cload_user_release((struct cload_user_greenlet *)greenlet, 1);
        }
        Py_DECREF(greenlet);
    }
    Py_RETURN_NONE;
}

static PyMethodDef users_functions[] = {
    {"count_users", count_users, METH_O,
     PyDoc_STR("count_users(greenlets)\n\nHow many users of each class run in the greenlets: a dictionary.")},
    {"choose_users", choose_users, METH_VARARGS,
     PyDoc_STR("choose_users(greenlets, counts)\n\nGreenlets of so many users of the classes with these names, and "
               "whether one of the users has not begun yet.")},
    {"end_users", end_users, METH_VARARGS,
     PyDoc_STR(
         "end_users(greenlets, is_patient, stop)\n\nEnds the users in these greenlets: soon, or, patient, after "
         "their tasks. Returns the greenlets that this is not for: the current one, those of gevent, and of users "
         "whose class has another method stop().")},
    {"forget_users", forget_users, METH_O,
     PyDoc_STR("forget_users(greenlets)\n\nEmpties the list. Of users that are over and that nobody else has, all "
               "memory is given back.")},
    {NULL, NULL, 0, NULL},
};

int
cload__users_add(PyObject *module)
{
    return PyModule_AddFunctions(module, users_functions);
}
