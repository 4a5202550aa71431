#include "taskset.h"

#include <structmember.h>

#include "base/clock.h"
#include "object.h"
#include "task_loop.h"
#include "user.h"

PyObject *
cload_call_task_helper(struct cload_state *state, const char *name, PyObject *first, PyObject *second)
{
    if (state->task_helpers == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "locust.user.task has not been imported");
        return NULL;
    }
    PyObject *function = cload_attribute(state->task_helpers, name);
    if (function == NULL) {
        return NULL;
    }
    PyObject *result = PyObject_CallFunctionObjArgs(function, first, second, NULL);
    Py_DECREF(function);
    return result;
}

static unsigned
class_overrides(struct cload_state *state, PyTypeObject *type)
{
    const struct {
        PyObject *name;
        unsigned flag;
    } hooks[] = {
        {state->str_run, HAS_RUN},
        {state->str_wait, HAS_WAIT},
        {state->str_get_next_task, HAS_PICK},
        {state->str_execute_next_task, HAS_EXECUTE_NEXT},
        {state->str_execute_task, HAS_EXECUTE},
        {state->str_schedule_task, HAS_SCHEDULE},
        {state->str_on_start, HAS_ON_START},
        {state->str_on_stop, HAS_ON_STOP},
    };
    unsigned overrides = (PyObject *)type == state->default_taskset_type ? IS_DEFAULT : 0;
    for (size_t i = 0; i < sizeof(hooks) / sizeof(hooks[0]); i++) {
        if (_PyType_Lookup(type, hooks[i].name) != _PyType_Lookup(state->taskset_type, hooks[i].name)) {
            overrides |= hooks[i].flag;
        }
    }
    if (_PyType_Lookup(type, state->str_wait_time) != state->own_wait_time) {
        overrides |= HAS_WAIT_TIME;
    }
    return overrides;
}

/* The same, remembered as long as the class is not changed. */
static unsigned
known_overrides(struct cload_state *state, PyTypeObject *type)
{
    unsigned version = type->tp_version_tag;
    struct cload_class_overrides *known = &state->class_overrides[version % CLOAD_CLASS_OVERRIDES];
    if (version == 0 || known->version != version) {
        unsigned overrides = class_overrides(state, type);
        *known = (struct cload_class_overrides){type->tp_version_tag, overrides};
    }
    return known->overrides;
}

unsigned
cload_taskset_overrides(struct cload_state *state, PyObject *taskset)
{
    unsigned overrides = known_overrides(state, Py_TYPE(taskset));
    PyObject *dict = ((struct cload_taskset *)taskset)->dict;
    if (dict != NULL && PyDict_GET_SIZE(dict) > 0) {
        overrides |= PyDict_Contains(dict, state->str_run) > 0 ? HAS_RUN : 0;
        overrides |= PyDict_Contains(dict, state->str_wait) > 0 ? HAS_WAIT : 0;
        overrides |= PyDict_Contains(dict, state->str_wait_time) > 0 ? HAS_WAIT_TIME : 0;
        overrides |= PyDict_Contains(dict, state->str_get_next_task) > 0 ? HAS_PICK : 0;
        overrides |= PyDict_Contains(dict, state->str_execute_next_task) > 0 ? HAS_EXECUTE_NEXT : 0;
        overrides |= PyDict_Contains(dict, state->str_execute_task) > 0 ? HAS_EXECUTE : 0;
        overrides |= PyDict_Contains(dict, state->str_schedule_task) > 0 ? HAS_SCHEDULE : 0;
        overrides |= PyDict_Contains(dict, state->str_on_stop) > 0 ? HAS_ON_STOP : 0;
        overrides |= PyDict_Contains(dict, state->str_on_start) > 0 ? HAS_ON_START : 0;
    }
    return overrides;
}

/* The number random.choice() would draw from its generator: a file that seeds it gets the tasks it got from Locust. */
static Py_ssize_t
draw_below(struct cload_state *state, Py_ssize_t count)
{
    int bits = 0;
    while (count >> bits != 0) {
        bits++;
    }
    PyObject *width = PyLong_FromLong(bits);
    if (width == NULL) {
        return -1;
    }
    Py_ssize_t place;
    do {
        PyObject *number = PyObject_CallOneArg(state->getrandbits, width);
        place = number == NULL ? -1 : PyLong_AsSsize_t(number);
        Py_XDECREF(number);
    } while (place >= count);
    Py_DECREF(width);
    return place;
}

/* What tasks are functions of: the user for the set that every user has, else the set. NULL with an exception. */
static PyObject *
task_holder(struct cload_state *state, PyObject *taskset, bool is_default)
{
    PyObject *holder = is_default ? ((struct cload_taskset *)taskset)->user : taskset;
    if (holder == NULL || (is_default && !PyObject_TypeCheck(holder, state->user_type))) {
        PyErr_SetString(PyExc_RuntimeError,
                        "this task set has no user; does its __init__() call super().__init__(parent)?");
    }
    return Py_NewRef(holder);
}

/* The holder's tasks. What its class says is looked up without the detours that any attribute takes. New reference. */
static PyObject *
holder_tasks(struct cload_state *state, PyObject *taskset, PyObject *holder)
{
    bool is_user = holder != taskset;
    PyObject *dict = is_user ? ((struct cload_user *)holder)->dict : ((struct cload_taskset *)holder)->dict;
    PyObject *tasks = _PyType_Lookup(Py_TYPE(holder), state->str_tasks);
    bool is_plain =
        tasks != NULL && PyList_CheckExact(tasks) && Py_TYPE(holder)->tp_getattro == PyObject_GenericGetAttr;
    if (is_plain && (dict == NULL || PyDict_Contains(dict, state->str_tasks) == 0)) {
        return Py_NewRef(tasks);
    }
    return PyObject_GetAttr(holder, state->str_tasks);
}

/* random.choice() of the holder's tasks. New reference. */
static PyObject *
cload_taskset_pick_task(struct cload_state *state, PyObject *taskset, bool is_default)
{
    PyObject *holder = task_holder(state, taskset, is_default);
    if (holder == NULL) {
        return NULL;
    }
    PyObject *tasks = holder_tasks(state, taskset, holder);
    if (tasks == NULL) {
        Py_DECREF(holder);
        return NULL;
    }
    PyObject *task = NULL;
    bool is_list = PyList_CheckExact(tasks);
    Py_ssize_t count = is_list ? PyList_GET_SIZE(tasks) : PySequence_Size(tasks);
    if (count == 0) {
        PyObject *raised = cload_call_task_helper(state, "raise_no_tasks", holder, NULL);
        Py_XDECREF(raised);
    } else if (count > 0) {
        Py_ssize_t place = count == 1 ? 0 : draw_below(state, count);
        if (place < 0) {
            goto out;
        }
        /* Drawing a number may call Python code. */
        task = is_list && place < PyList_GET_SIZE(tasks) ? Py_NewRef(PyList_GET_ITEM(tasks, place))
                                                         : PySequence_GetItem(tasks, place);
    }
out:
    Py_DECREF(tasks);
    Py_DECREF(holder);
    return task;
}

static bool
is_taskset_class(struct cload_state *state, PyObject *task)
{
    return PyType_Check(task) && PyType_IsSubtype((PyTypeObject *)task, state->taskset_type);
}

int
cload_taskset_run_task(struct cload_state *state, PyObject *taskset, bool is_default, PyObject *task, PyObject **nested)
{
    PyObject *holder = task_holder(state, taskset, is_default);
    if (holder == NULL) {
        return -1;
    }
    PyObject *result;
    if (PyFunction_Check(task)) {
        result = PyObject_CallOneArg(task, holder);
    } else if (is_taskset_class(state, task)) {
        *nested = PyObject_CallOneArg(task, holder);
        Py_DECREF(holder);
        if (*nested != NULL && !PyObject_TypeCheck(*nested, state->taskset_type)) {
            PyErr_SetString(PyExc_TypeError, "a task set class made an object that is no task set");
            Py_CLEAR(*nested);
        }
        return *nested == NULL ? -1 : 1;
    } else if (!is_default && PyMethod_Check(task) && PyMethod_GET_SELF(task) == taskset) {
        result = PyObject_CallNoArgs(task);
    } else {
        result = PyObject_CallOneArg(task, holder);
    }
    Py_DECREF(holder);
    if (result == NULL) {
        return -1;
    }
    Py_DECREF(result);
    return 0;
}

PyObject *
cload_taskset_next_task(struct cload_state *state, PyObject *object, unsigned overrides)
{
    struct cload_taskset *taskset = (struct cload_taskset *)object;
    bool is_queue_empty =
        taskset->queue == NULL || !PyList_Check(taskset->queue) || PyList_GET_SIZE(taskset->queue) == 0;
    if (is_queue_empty) {
        PyObject *task = overrides & HAS_PICK ? PyObject_CallMethodNoArgs(object, state->str_get_next_task)
                                              : cload_taskset_pick_task(state, object, overrides & IS_DEFAULT);
        if (task == NULL ||
            (!(overrides & HAS_SCHEDULE) && (taskset->queue == NULL || PyList_GET_SIZE(taskset->queue) == 0))) {
            return task;
        }
        PyObject *scheduled = PyObject_CallMethodOneArg(object, state->str_schedule_task, task);
        Py_DECREF(task);
        if (scheduled == NULL) {
            return NULL;
        }
        Py_DECREF(scheduled);
        if (taskset->queue == NULL || !PyList_Check(taskset->queue) || PyList_GET_SIZE(taskset->queue) == 0) {
            PyErr_SetString(PyExc_IndexError, "schedule_task() left the task queue empty");
            return NULL;
        }
    }
    PyObject *task = Py_NewRef(PyList_GET_ITEM(taskset->queue, 0));
    if (PyList_SetSlice(taskset->queue, 0, 1, NULL) < 0) {
        Py_CLEAR(task);
    }
    return task;
}

static struct cload_state *
taskset_state(PyObject *object)
{
    struct cload_state *state = cload_state_find(Py_TYPE(object));
    struct cload_taskset *self = (struct cload_taskset *)object;
    if (state != NULL && (self->user == NULL || !PyObject_TypeCheck(self->user, state->user_type))) {
        PyErr_SetString(PyExc_RuntimeError,
                        "this task set has no user; does its __init__() call super().__init__(parent)?");
        return NULL;
    }
    return state;
}

static struct cload_user *
taskset_user(PyObject *object)
{
    return (struct cload_user *)((struct cload_taskset *)object)->user;
}

static PyObject *
taskset_run(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    struct cload_state *state = taskset_state(object);
    return state == NULL ? NULL : cload_loop_run_here(state, taskset_user(object), object);
}

static PyObject *
taskset_wait(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    struct cload_state *state = taskset_state(object);
    return state == NULL ? NULL : cload_loop_wait_here(state, taskset_user(object), object);
}

static PyObject *
taskset_get_next_task(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    struct cload_state *state = taskset_state(object);
    return state == NULL
               ? NULL
               : cload_taskset_pick_task(state, object, (PyObject *)Py_TYPE(object) == state->default_taskset_type);
}

/* schedule_task(task_callable, first=False) */
static PyObject *
taskset_schedule_task(PyObject *object, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"task_callable", "first", NULL};
    struct cload_taskset *self = (struct cload_taskset *)object;
    PyObject *task;
    int is_first = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|p", names, &task, &is_first)) {
        return NULL;
    }
    if (self->queue == NULL && (self->queue = PyList_New(0)) == NULL) {
        return NULL;
    }
    if ((is_first ? PyList_Insert(self->queue, 0, task) : PyList_Append(self->queue, task)) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
taskset_execute_task(PyObject *object, PyObject *task)
{
    struct cload_state *state = taskset_state(object);
    if (state == NULL) {
        return NULL;
    }
    PyObject *nested = NULL;
    int done = cload_taskset_run_task(state, object, (PyObject *)Py_TYPE(object) == state->default_taskset_type, task,
                                      &nested);
    if (done == 1) {
        done = cload_call_hook(nested, state->str_run);
        Py_DECREF(nested);
    }
    return done < 0 ? NULL : Py_NewRef(Py_None);
}

static PyObject *
taskset_execute_next_task(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    struct cload_state *state = taskset_state(object);
    struct cload_taskset *self = (struct cload_taskset *)object;
    if (state == NULL) {
        return NULL;
    }
    if (self->queue == NULL || !PyList_Check(self->queue) || PyList_GET_SIZE(self->queue) == 0) {
        PyErr_SetString(PyExc_IndexError, "no task is scheduled");
        return NULL;
    }
    PyObject *task = Py_NewRef(PyList_GET_ITEM(self->queue, 0));
    PyObject *result = NULL;
    if (PyList_SetSlice(self->queue, 0, 1, NULL) == 0) {
        result = PyObject_CallMethodOneArg(object, state->str_execute_task, task);
    }
    Py_DECREF(task);
    return result;
}

static PyObject *
taskset_do_nothing(PyObject *Py_UNUSED(object), PyObject *Py_UNUSED(ignored))
{
    Py_RETURN_NONE;
}

static PyObject *
taskset_get_queue(PyObject *object, void *Py_UNUSED(closure))
{
    struct cload_taskset *self = (struct cload_taskset *)object;
    if (self->queue == NULL && (self->queue = PyList_New(0)) == NULL) {
        return NULL;
    }
    return Py_NewRef(self->queue);
}

static int
taskset_set_queue(PyObject *object, PyObject *value, void *Py_UNUSED(closure))
{
    struct cload_taskset *self = (struct cload_taskset *)object;
    PyObject *list = value == NULL ? NULL : PySequence_List(value);
    if (value != NULL && list == NULL) {
        return -1;
    }
    Py_XSETREF(self->queue, list);
    return 0;
}

/* Gives the set the user's value, unless the set's own class has one. Mostly neither has one, which is quick to see. */
static int
inherit_wait(struct cload_state *state, struct cload_taskset *self, PyObject *user, PyObject *name)
{
    PyObject *in_class = _PyType_Lookup(Py_TYPE(self), name);
    if (in_class == Py_None && self->dict == NULL && PyObject_TypeCheck(user, state->user_type)) {
        PyObject *dict = ((struct cload_user *)user)->dict;
        bool is_dict_empty = dict == NULL || PyDict_GET_SIZE(dict) == 0;
        if (is_dict_empty && _PyType_Lookup(Py_TYPE(user), name) == Py_None) {
            return 0;
        }
    }
    PyObject *own = PyObject_GetAttr((PyObject *)self, name);
    int is_own = own == NULL ? -1 : PyObject_IsTrue(own);
    PyObject *of_user = is_own == 0 ? PyObject_GetAttr(user, name) : NULL;
    int err = is_own < 0 || (is_own == 0 && of_user == NULL) ? -1 : 0;
    if (of_user != NULL && of_user != own) {
        err = PyObject_SetAttr((PyObject *)self, name, of_user);
    }
    Py_XDECREF(of_user);
    Py_XDECREF(own);
    return err;
}

static int
taskset_begin(struct cload_state *state, struct cload_taskset *self, PyObject *parent)
{
    PyObject *user = PyObject_TypeCheck(parent, state->taskset_type) ? PyObject_GetAttr(parent, state->str__user)
                                                                     : Py_NewRef(parent);
    if (user == NULL) {
        return -1;
    }
    Py_XSETREF(self->user, Py_NewRef(user));
    Py_XSETREF(self->parent, Py_NewRef(parent));
    PyObject *const names[] = {state->str_min_wait, state->str_max_wait, state->str_wait_function};
    int err = 0;
    for (size_t i = 0; err == 0 && i < sizeof(names) / sizeof(names[0]); i++) {
        err = inherit_wait(state, self, user, names[i]);
    }
    self->last_run_s = (double)lc_clock_monotonic_ns() / 1e9;
    Py_DECREF(user);
    return err;
}

/* TaskSet(parent) */
static int
taskset_init(PyObject *object, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"parent", NULL};
    struct cload_state *state = cload_state_find(Py_TYPE(object));
    PyObject *parent;
    if (state == NULL || !PyArg_ParseTupleAndKeywords(args, kwargs, "O:TaskSet", names, &parent)) {
        return -1;
    }
    return taskset_begin(state, (struct cload_taskset *)object, parent);
}

PyObject *
cload_taskset_new_default(struct cload_state *state, PyObject *user)
{
    PyTypeObject *type = (PyTypeObject *)state->default_taskset_type;
    if (type->tp_init != taskset_init || type->tp_new != cload_object_new) {
        return PyObject_CallOneArg((PyObject *)type, user);
    }
    PyObject *taskset = type->tp_alloc(type, 0);
    if (taskset != NULL && taskset_begin(state, (struct cload_taskset *)taskset, user) < 0) {
        Py_CLEAR(taskset);
    }
    return taskset;
}

static int
taskset_traverse(PyObject *object, visitproc visit, void *arg)
{
    struct cload_taskset *self = (struct cload_taskset *)object;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->user);
    Py_VISIT(self->parent);
    Py_VISIT(self->queue);
    Py_VISIT(self->dict);
    return 0;
}

static int
taskset_clear(PyObject *object)
{
    struct cload_taskset *self = (struct cload_taskset *)object;
    Py_CLEAR(self->user);
    Py_CLEAR(self->parent);
    Py_CLEAR(self->queue);
    Py_CLEAR(self->dict);
    return 0;
}

static void
taskset_dealloc(PyObject *object)
{
    cload_object_dealloc(object, taskset_clear);
}

static PyObject *
taskset_get_dict(PyObject *object, void *Py_UNUSED(closure))
{
    static const char *const names[] = {"_user", "_parent", "_task_queue", "_cp_last_run", "_cp_last_wait_time", NULL};
    struct cload_state *state = cload_state_find(Py_TYPE(object));
    return state == NULL ? NULL : cload_object_dict(object, state->taskset_type, names);
}

static PyMethodDef taskset_methods[] = {
    {"__getstate__", cload_object_getstate, METH_NOARGS,
     PyDoc_STR("__getstate__($self, /)\n--\n\nWhat a copy has, too.")},
    {"__setstate__", cload_object_setstate, METH_O, PyDoc_STR("__setstate__($self, state, /)\n--\n\nMakes it a copy.")},
    {"run", taskset_run, METH_NOARGS,
     PyDoc_STR("run($self, /)\n--\n\nRuns tasks in the current greenlet until something raises.")},
    {"wait", taskset_wait, METH_NOARGS, PyDoc_STR("wait($self, /)\n--\n\nWaits as after a task.")},
    {"get_next_task", taskset_get_next_task, METH_NOARGS,
     PyDoc_STR("get_next_task($self, /)\n--\n\nPicks a task by weight.")},
    {"schedule_task", (PyCFunction)(void (*)(void))taskset_schedule_task, METH_VARARGS | METH_KEYWORDS,
     PyDoc_STR("schedule_task($self, /, task_callable, first=False)\n--\n\nPuts a task into the queue.")},
    {"execute_task", taskset_execute_task, METH_O, PyDoc_STR("execute_task($self, task, /)\n--\n\nRuns a task now.")},
    {"execute_next_task", taskset_execute_next_task, METH_NOARGS,
     PyDoc_STR("execute_next_task($self, /)\n--\n\nRuns the first task of the queue.")},
    {"on_start", taskset_do_nothing, METH_NOARGS,
     PyDoc_STR("on_start($self, /)\n--\n\nCalled when the set is entered.")},
    {"on_stop", taskset_do_nothing, METH_NOARGS, PyDoc_STR("on_stop($self, /)\n--\n\nCalled when the set is left.")},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef taskset_getset[] = {
    {"_task_queue", taskset_get_queue, taskset_set_queue, PyDoc_STR("Tasks that run before new ones are picked."),
     NULL},
    {"__dict__", taskset_get_dict, PyObject_GenericSetDict, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef taskset_members[] = {
    {"_user", T_OBJECT_EX, offsetof(struct cload_taskset, user), 0, NULL},
    {"_parent", T_OBJECT_EX, offsetof(struct cload_taskset, parent), 0, NULL},
    {"_cp_last_run", T_DOUBLE, offsetof(struct cload_taskset, last_run_s), 0, NULL},
    {"_cp_last_wait_time", T_DOUBLE, offsetof(struct cload_taskset, last_wait_s), 0, NULL},
    {"__dictoffset__", T_PYSSIZET, offsetof(struct cload_taskset, dict), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(struct cload_taskset, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot taskset_slots[] = {
    {Py_tp_doc, (void *)PyDoc_STR("TaskSet(parent)\n--\n\nBase of locust.TaskSet: the task loop.")},
    {Py_tp_new, cload_object_new},
    {Py_tp_init, taskset_init},
    {Py_tp_traverse, taskset_traverse},
    {Py_tp_clear, taskset_clear},
    {Py_tp_dealloc, taskset_dealloc},
    {Py_tp_methods, taskset_methods},
    {Py_tp_getset, taskset_getset},
    {Py_tp_members, taskset_members},
    {0, NULL},
};

static PyType_Spec taskset_spec = {
    .name = "_cload.TaskSet",
    .basicsize = sizeof(struct cload_taskset),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = taskset_slots,
};

int
cload__taskset_add_types(PyObject *module)
{
    struct cload_state *state = cload_state_of_module(module);
    return cload_type_add(module, &taskset_spec, &state->taskset_type);
}
