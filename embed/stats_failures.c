/* The failures of a `_cload.Stats`: rows of their own, told by their place in the order of first occurrence. */
#include "stats_parts.h"
#include "stats_values.h"

PyObject *
cload__stats_log_failure(struct cload_stats *self, PyObject *args)
{
    PyObject *method, *name, *text;
    struct lc_stats_entry *entry;
    struct lc_str error_text;
    PyObject *owner;
    if (!PyArg_ParseTuple(args, "OOO:_log_failure", &method, &name, &text) ||
        cload__stats_text(text, &error_text, &owner) < 0) {
        return NULL;
    }
    if (cload__stats_find_entry(self, name, method, true, &entry) < 0) {
        Py_DECREF(owner);
        return NULL;
    }
    const struct lc_stats *logging = self->core->held == NULL ? self->core : self->core->held;
    size_t count = logging->failures.count;
    int err = lc_stats_log_failure(self->core, entry, error_text, cload__stats_now());
    Py_DECREF(owner);
    return err < 0 ? cload__stats_raise(err) : PyBool_FromLong(logging->failures.count != count);
}

/* Reads the place of a failure. */
static int
read_place(struct cload_stats *self, PyObject *object, size_t *place)
{
    *place = PyLong_AsSize_t(object);
    if (PyErr_Occurred() == NULL && *place >= lc_stats_failure_count(self->core)) {
        PyErr_SetString(PyExc_IndexError, "no such failure");
    }
    return PyErr_Occurred() != NULL ? -1 : 0;
}

PyObject *
cload__stats_failure(struct cload_stats *self, PyObject *index)
{
    size_t place;
    if (read_place(self, index, &place) < 0) {
        return NULL;
    }
    struct lc_stats_failure failure;
    lc_stats_failure_at(self->core, place, &failure);
    return Py_BuildValue("(NNNKddN)", cload__stats_str(failure.method), cload__stats_str(failure.name),
                         cload__stats_str(failure.text), (unsigned long long)failure.occurrences,
                         failure.first_seen_unix_s, failure.last_seen_unix_s, PyBool_FromLong(failure.is_remote));
}

PyObject *
cload__stats_failure_counts(struct cload_stats *self, PyObject *unused)
{
    PyObject *counts = PyDict_New();
    size_t count = lc_stats_failure_count(self->core);
    for (size_t i = 0; counts != NULL && i < count; i++) {
        struct lc_stats_failure failure;
        lc_stats_failure_at(self->core, i, &failure);
        PyObject *text = cload__stats_str(failure.text);
        PyObject *before = text == NULL ? NULL : PyDict_GetItemWithError(counts, text);
        unsigned long long sum = failure.occurrences + (before == NULL ? 0 : PyLong_AsUnsignedLongLong(before));
        PyObject *number = PyErr_Occurred() != NULL ? NULL : PyLong_FromUnsignedLongLong(sum);
        if (number == NULL || PyDict_SetItem(counts, text, number) < 0) {
            Py_CLEAR(counts);
        }
        Py_XDECREF(number);
        Py_XDECREF(text);
    }
    return counts;
}

PyObject *
cload__stats_failure_state(struct cload_stats *self, PyObject *unused)
{
    return Py_BuildValue("(Kn)", (unsigned long long)self->core->failures.epoch,
                         (Py_ssize_t)lc_stats_failure_count(self->core));
}

PyObject *
cload__stats_add_failure(struct cload_stats *self, PyObject *args)
{
    PyObject *method, *name, *text;
    unsigned long long occurrences;
    struct lc_failure more = {0};
    int is_remote;
    struct lc_stats_entry *entry;
    struct lc_str error_text;
    PyObject *owner;
    if (!PyArg_ParseTuple(args, "OOOKddp:_add_failure", &method, &name, &text, &occurrences, &more.first_seen_unix_s,
                          &more.last_seen_unix_s, &is_remote) ||
        cload__stats_text(text, &error_text, &owner) < 0) {
        return NULL;
    }
    if (cload__stats_find_entry(self, name, method, true, &entry) < 0) {
        Py_DECREF(owner);
        return NULL;
    }
    more.occurrences = occurrences;
    more.is_remote = is_remote;
    int err = lc__failures_add(&self->core->failures, entry, error_text, &more);
    Py_DECREF(owner);
    return err < 0 ? cload__stats_raise(err) : Py_NewRef(Py_None);
}

PyObject *
cload__stats_set_failure(struct cload_stats *self, PyObject *args)
{
    PyObject *index;
    unsigned long long occurrences;
    double first_seen, last_seen;
    size_t place;
    if (!PyArg_ParseTuple(args, "OKdd:_set_failure", &index, &occurrences, &first_seen, &last_seen) ||
        read_place(self, index, &place) < 0) {
        return NULL;
    }
    struct lc_failure *row = &self->core->failures.rows[place];
    row->occurrences = occurrences;
    row->first_seen_unix_s = first_seen;
    row->last_seen_unix_s = last_seen;
    Py_RETURN_NONE;
}

PyObject *
cload__stats_remove_failure(struct cload_stats *self, PyObject *index)
{
    size_t place;
    if (read_place(self, index, &place) < 0) {
        return NULL;
    }
    lc__failures_remove(&self->core->failures, place);
    Py_RETURN_NONE;
}

PyObject *
cload__stats_clear_failures(struct cload_stats *self, PyObject *unused)
{
    lc__failures_fini(&self->core->failures);
    Py_RETURN_NONE;
}
