#include "dispatch.h"

#include "base/clock.h"
#include "object.h"
#include "run/dispatcher.h"

struct dispatcher_object {
    PyObject_HEAD
    struct lc_dispatcher *core;
    int64_t step_start_ns;
    PyObject *class_names; /* tuple of str, in the order of the core's indices */
};

static PyObject *
raise_error(int err, const struct lc_error *error)
{
    if (err == LCE_NOMEM) {
        return PyErr_NoMemory();
    }
    PyErr_SetString(PyExc_ValueError, error != NULL ? error->text : lc_error_text(err));
    return NULL;
}

/* Borrows the text of a str; it lives as long as the object. */
static int
str_view(PyObject *object, struct lc_str *out)
{
    Py_ssize_t len;
    out->data = PyUnicode_AsUTF8AndSize(object, &len);
    if (out->data == NULL) {
        return -1;
    }
    out->len = (size_t)len;
    return 0;
}

/* `rows` is a sequence of (name, weight, fixed_count). Returns the tuple of names, which keeps the texts alive. */
static PyObject *
read_classes(PyObject *rows, struct lc_dispatch_class *classes)
{
    Py_ssize_t count = PyTuple_GET_SIZE(rows);
    PyObject *names = PyTuple_New(count);
    if (names == NULL) {
        return NULL;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *name;
        long long fixed_count;
        if (!PyTuple_Check(PyTuple_GET_ITEM(rows, i))) {
            PyErr_SetString(PyExc_TypeError, "a user class is given as (name, weight, fixed_count)");
            goto fail;
        }
        if (!PyArg_ParseTuple(PyTuple_GET_ITEM(rows, i), "UdL", &name, &classes[i].weight, &fixed_count) ||
            str_view(name, &classes[i].name) < 0) {
            goto fail;
        }
        classes[i].fixed_count = fixed_count;
        PyTuple_SET_ITEM(names, i, Py_NewRef(name));
    }
    return names;
fail:
    Py_DECREF(names);
    return NULL;
}

static PyObject *
dispatcher_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"classes", "worker_ids", NULL};
    PyObject *class_rows, *ids;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!O!:Dispatcher", keywords, &PyTuple_Type, &class_rows,
                                     &PyTuple_Type, &ids)) {
        return NULL;
    }
    size_t class_count = (size_t)PyTuple_GET_SIZE(class_rows);
    size_t worker_count = (size_t)PyTuple_GET_SIZE(ids);
    PyObject *names = NULL;
    struct dispatcher_object *self = NULL;
    struct lc_dispatch_class *classes = PyMem_Calloc(class_count + 1, sizeof(struct lc_dispatch_class));
    struct lc_str *worker_ids = PyMem_Calloc(worker_count + 1, sizeof(struct lc_str));
    if (classes == NULL || worker_ids == NULL) {
        PyErr_NoMemory();
        goto done;
    }
    names = read_classes(class_rows, classes);
    if (names == NULL) {
        goto done;
    }
    for (size_t i = 0; i < worker_count; i++) {
        if (str_view(PyTuple_GET_ITEM(ids, i), &worker_ids[i]) < 0) {
            goto done;
        }
    }
    struct lc_error error;
    struct lc_dispatcher *core = lc_dispatcher_new(classes, class_count, worker_ids, worker_count, &error);
    if (core == NULL) {
        raise_error(error.code, &error);
        goto done;
    }
    self = (struct dispatcher_object *)type->tp_alloc(type, 0);
    if (self == NULL) {
        lc_dispatcher_free(core);
        goto done;
    }
    self->core = core;
    self->class_names = Py_NewRef(names);
done:
    Py_XDECREF(names);
    PyMem_Free(classes);
    PyMem_Free(worker_ids);
    return (PyObject *)self;
}

static void
dispatcher_dealloc(PyObject *object)
{
    struct dispatcher_object *self = (struct dispatcher_object *)object;
    PyTypeObject *type = Py_TYPE(object);
    lc_dispatcher_free(self->core);
    Py_XDECREF(self->class_names);
    type->tp_free(object);
    Py_DECREF(type);
}

PyDoc_STRVAR(start_doc, "start($self, target_count, spawn_rate, classes=None, /)\n--\n\n"
                        "Begin a dispatch; classes is a tuple of indices new users may come from.");

static PyObject *
dispatcher_start(PyObject *object, PyObject *args)
{
    struct dispatcher_object *self = (struct dispatcher_object *)object;
    long long target_count;
    double spawn_rate;
    PyObject *classes = Py_None;
    if (!PyArg_ParseTuple(args, "Ld|O:start", &target_count, &spawn_rate, &classes)) {
        return NULL;
    }
    if (target_count < 0) {
        return PyErr_Format(PyExc_ValueError, "user count must not be negative, not %lld", target_count);
    }
    uint32_t *indices = NULL;
    size_t count = 0;
    if (classes != Py_None) {
        if (!PyTuple_Check(classes)) {
            PyErr_SetString(PyExc_TypeError, "classes must be a tuple of indices");
            return NULL;
        }
        count = (size_t)PyTuple_GET_SIZE(classes);
        indices = PyMem_Calloc(count + 1, sizeof(uint32_t));
        if (indices == NULL) {
            return PyErr_NoMemory();
        }
        for (size_t i = 0; i < count; i++) {
            unsigned long index = PyLong_AsUnsignedLong(PyTuple_GET_ITEM(classes, i));
            if (PyErr_Occurred()) {
                PyMem_Free(indices);
                return NULL;
            }
            indices[i] = index > UINT32_MAX ? UINT32_MAX : (uint32_t)index;
        }
    }
    struct lc_error error;
    int err = lc_dispatcher_start(self->core, (uint64_t)target_count, spawn_rate, indices, count, &error);
    PyMem_Free(indices);
    if (err < 0) {
        return raise_error(err, &error);
    }
    Py_RETURN_NONE;
}

static int
put_row(struct dispatcher_object *self, size_t row, PyObject *dict)
{
    const uint32_t *counts = lc_dispatcher_counts(self->core, row);
    int err = 0;
    for (Py_ssize_t i = 0; err == 0 && i < PyTuple_GET_SIZE(self->class_names); i++) {
        PyObject *count = PyLong_FromUnsignedLong(counts[i]);
        err = count == NULL ? -1 : PyDict_SetItem(dict, PyTuple_GET_ITEM(self->class_names, i), count);
        Py_XDECREF(count);
    }
    return err;
}

static PyObject *
counts_to_dict(struct dispatcher_object *self)
{
    PyObject *result = PyDict_New();
    for (size_t row = 0; result != NULL; row++) {
        /* First of all: garbage that is collected for it may take workers away. */
        PyObject *counts = PyDict_New();
        if (counts != NULL && row >= lc_dispatcher_worker_count(self->core)) {
            Py_DECREF(counts);
            break;
        }
        struct lc_str id = counts == NULL ? (struct lc_str){0} : lc_dispatcher_worker_id(self->core, row);
        PyObject *key = counts == NULL ? NULL : PyUnicode_DecodeUTF8(id.data, (Py_ssize_t)id.len, NULL);
        if (key == NULL || put_row(self, row, counts) < 0 || PyDict_SetItem(result, key, counts) < 0) {
            Py_CLEAR(result);
        }
        Py_XDECREF(key);
        Py_XDECREF(counts);
    }
    return result;
}

PyDoc_STRVAR(advance_doc, "advance($self, /)\n--\n\n"
                          "A dict: counts to send. A tuple: the step is over; the seconds since it began, and whether\n"
                          "there is a pause before the next. None: done.");

static PyObject *
dispatcher_advance(PyObject *object, PyObject *Py_UNUSED(unused))
{
    struct dispatcher_object *self = (struct dispatcher_object *)object;
    int64_t now_ns = lc_clock_monotonic_ns();
    int64_t pause_ns;
    int state = lc_dispatcher_next(self->core, &pause_ns);
    switch (state) {
    case LCORE_DISPATCH_DONE:
        Py_RETURN_NONE;
    case LCORE_DISPATCH_STEP:
        self->step_start_ns = now_ns;
        return counts_to_dict(self);
    case LCORE_DISPATCH_UPDATE:
        return counts_to_dict(self);
    case LCORE_DISPATCH_PAUSE:
        return Py_BuildValue("(dO)", (double)(now_ns - self->step_start_ns) / (double)LCORE_NS_PER_S,
                             pause_ns == 0 ? Py_False : Py_True);
    case LCE_INVALID:
        PyErr_SetString(PyExc_RuntimeError, "there is no worker to place users on");
        return NULL;
    default:
        return raise_error(state, NULL);
    }
}

static PyObject *
change_worker(PyObject *object, PyObject *id, int (*change)(struct lc_dispatcher *, struct lc_str))
{
    struct dispatcher_object *self = (struct dispatcher_object *)object;
    struct lc_str text;
    if (str_view(id, &text) < 0) {
        return NULL;
    }
    int err = change(self->core, text);
    if (err < 0) {
        return raise_error(err, NULL);
    }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(add_worker_doc, "add_worker($self, id, /)\n--\n\nRedistribute the users over one worker more.");

static PyObject *
dispatcher_add_worker(PyObject *object, PyObject *id)
{
    return change_worker(object, id, lc_dispatcher_add_worker);
}

PyDoc_STRVAR(remove_worker_doc,
             "remove_worker($self, id, /)\n--\n\nRedistribute the users over the workers that are left.");

static PyObject *
dispatcher_remove_worker(PyObject *object, PyObject *id)
{
    return change_worker(object, id, lc_dispatcher_remove_worker);
}

PyDoc_STRVAR(set_class_doc, "set_class($self, index, weight, fixed_count, /)\n--\n\nChange what a class asks for.");

static PyObject *
dispatcher_set_class(PyObject *object, PyObject *args)
{
    struct dispatcher_object *self = (struct dispatcher_object *)object;
    unsigned int index;
    double weight;
    long long fixed_count;
    if (!PyArg_ParseTuple(args, "IdL:set_class", &index, &weight, &fixed_count)) {
        return NULL;
    }
    int err = lc_dispatcher_set_class(self->core, index, weight, fixed_count);
    if (err < 0) {
        return raise_error(err, NULL);
    }
    Py_RETURN_NONE;
}

static PyObject *
dispatcher_get_user_count(PyObject *object, void *Py_UNUSED(closure))
{
    return PyLong_FromUnsignedLongLong(lc_dispatcher_user_count(((struct dispatcher_object *)object)->core));
}

static PyObject *
dispatcher_get_is_dispatching(PyObject *object, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(lc_dispatcher_is_dispatching(((struct dispatcher_object *)object)->core));
}

static PyObject *
dispatcher_get_is_rebalanced(PyObject *object, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(lc_dispatcher_is_rebalanced(((struct dispatcher_object *)object)->core));
}

static PyMethodDef dispatcher_methods[] = {
    {"start", dispatcher_start, METH_VARARGS, start_doc},
    {"advance", dispatcher_advance, METH_NOARGS, advance_doc},
    {"add_worker", dispatcher_add_worker, METH_O, add_worker_doc},
    {"remove_worker", dispatcher_remove_worker, METH_O, remove_worker_doc},
    {"set_class", dispatcher_set_class, METH_VARARGS, set_class_doc},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef dispatcher_getset[] = {
    {"user_count", dispatcher_get_user_count, NULL, "users placed now", NULL},
    {"is_dispatching", dispatcher_get_is_dispatching, NULL, "from the first step of a dispatch to its end", NULL},
    {"is_rebalanced", dispatcher_get_is_rebalanced, NULL, "users were redistributed, and no step has told it", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyDoc_STRVAR(dispatcher_doc, "Dispatcher(classes, worker_ids)\n--\n\n"
                             "Which worker runs how many users of which class; classes is a tuple of\n"
                             "(name, weight, fixed_count), worker_ids one of str.");

static PyType_Slot dispatcher_slots[] = {
    {Py_tp_doc, (void *)dispatcher_doc}, {Py_tp_new, dispatcher_new},       {Py_tp_dealloc, dispatcher_dealloc},
    {Py_tp_methods, dispatcher_methods}, {Py_tp_getset, dispatcher_getset}, {0, NULL},
};

/* Holds only strings, so it takes no part in garbage collection. */
static PyType_Spec dispatcher_spec = {
    .name = "_cload.Dispatcher",
    .basicsize = sizeof(struct dispatcher_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = dispatcher_slots,
};

int
cload__dispatch_add_types(PyObject *module)
{
    return cload_type_add(module, &dispatcher_spec, NULL);
}
