#include "stats.h"

#include "state.h"
#include "stats_entry.h"
#include "stats_parts.h"
#include "stats_values.h"

static int
stats_traverse(struct cload_stats *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->rounding);
    return 0;
}

static int
stats_clear(struct cload_stats *self)
{
    self->config.bucket_fn = NULL;
    Py_CLEAR(self->rounding);
    return 0;
}

static void
stats_dealloc(struct cload_stats *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    Py_XDECREF(self->rounding);
    lc_stats_free(self->core);
    type->tp_free(self);
    Py_DECREF(type);
}

bool
cload__stats_is(PyObject *object, struct lc_stats **out)
{
    if (object == NULL) {
        return false;
    }
    for (PyTypeObject *type = Py_TYPE(object); type != NULL; type = type->tp_base) {
        if (type->tp_dealloc == (destructor)stats_dealloc) {
            *out = ((struct cload_stats *)object)->core;
            return true;
        }
    }
    return false;
}

struct lc_stats *
cload__stats_get(PyObject *stats)
{
    struct lc_stats *core = NULL;
    if (!cload__stats_is(stats, &core)) {
        PyErr_Format(PyExc_TypeError, "a RequestStats is needed, not %s", Py_TYPE(stats)->tp_name);
    }
    return core;
}

static PyObject *
stats_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"use_response_times_cache", NULL};
    int is_keeping_recent = 1;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|p:Stats", keywords, &is_keeping_recent)) {
        return NULL;
    }
    struct cload_stats *self = (struct cload_stats *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->config = lc__stats_default_config;
    self->core = lc__stats_new(&self->config, is_keeping_recent);
    if (self->core == NULL) {
        Py_DECREF(self);
        return PyErr_NoMemory();
    }
    return (PyObject *)self;
}

static int
call_rounding(double ms, double *bucket_ms, void *arg)
{
    struct cload_stats *self = arg;
    PyObject *time = PyFloat_FromDouble(ms);
    PyObject *rounding = Py_NewRef(self->rounding);
    PyObject *rounded = time == NULL ? NULL : PyObject_CallOneArg(rounding, time);
    Py_DECREF(rounding);
    double bucket = rounded == NULL ? -1 : PyFloat_AsDouble(rounded);
    if (PyErr_Occurred() == NULL && !(bucket >= 0 && bucket < UINT32_MAX)) {
        PyErr_Format(PyExc_ValueError, "bucket_response_time returned %R for %R ms", rounded, time);
    }
    Py_XDECREF(time);
    Py_XDECREF(rounded);
    if (PyErr_Occurred() != NULL) {
        return LCE_INVALID;
    }
    *bucket_ms = bucket;
    return 0;
}

static PyObject *
stats_tune(struct cload_stats *self, PyObject *args)
{
    PyObject *rounding;
    long long recent_s;
    if (!PyArg_ParseTuple(args, "OL:_tune", &rounding, &recent_s)) {
        return NULL;
    }
    self->config.recent_s = recent_s;
    self->config.arg = self;
    self->config.bucket_fn = rounding == Py_None ? NULL : call_rounding;
    Py_XSETREF(self->rounding, rounding == Py_None ? NULL : Py_NewRef(rounding));
    Py_RETURN_NONE;
}

int
cload__stats_find_entry(struct cload_stats *self, PyObject *name, PyObject *method, bool is_made,
                        struct lc_stats_entry **out)
{
    struct lc_str name_text, method_text;
    PyObject *name_owner, *method_owner;
    if (cload__stats_name(name, &name_text, &name_owner) < 0) {
        return -1;
    }
    if (cload__stats_text(method, &method_text, &method_owner) < 0) {
        Py_DECREF(name_owner);
        return -1;
    }
    *out = is_made ? lc_stats_entry(self->core, name_text, method_text)
                   : lc__stats_find(self->core, name_text, method_text);
    Py_DECREF(name_owner);
    Py_DECREF(method_owner);
    if (*out == NULL && is_made) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

/* The class of entry objects is what the subclass says, and whatever that runs may empty the table. */
static PyObject *
wrap_entry(struct cload_stats *self, struct lc_stats_entry *entry)
{
    lc__stats_entry_ref(entry);
    PyObject *type = PyObject_GetAttrString((PyObject *)self, "_entry_type");
    PyObject *object = type == NULL ? NULL : cload__stats_entry_wrap(type, (PyObject *)self, entry);
    Py_XDECREF(type);
    lc__stats_entry_unref(entry);
    return object;
}

int
cload__stats_counts_itself(struct cload_state *state, PyObject *stats)
{
    PyTypeObject *type = Py_TYPE(stats);
    if (state->counting_entry_type != NULL && type->tp_version_tag == state->counting_version &&
        state->counting_entry_type->tp_version_tag == state->counting_entry_version &&
        !((struct cload_stats *)stats)->is_assigned) {
        return 1;
    }
    state->counting_entry_type = NULL;
    PyObject *answer = PyObject_CallMethod(stats, "_counts_itself", NULL);
    int is_own = answer == NULL ? -1 : PyObject_IsTrue(answer);
    Py_XDECREF(answer);
    PyObject *entry_type = is_own > 0 ? _PyType_Lookup(type, state->str__entry_type) : NULL;
    /* The class keeps it for as long as its version is the same. */
    if (entry_type != NULL && PyType_Check(entry_type) && type->tp_version_tag != 0 &&
        ((PyTypeObject *)entry_type)->tp_version_tag != 0) {
        state->counting_version = type->tp_version_tag;
        state->counting_entry_type = (PyTypeObject *)entry_type;
        state->counting_entry_version = state->counting_entry_type->tp_version_tag;
    }
    return is_own;
}

static int
stats_setattr(PyObject *self, PyObject *name, PyObject *value)
{
    if (PyUnicode_Check(name) && (PyUnicode_CompareWithASCIIString(name, "log_request") == 0 ||
                                  PyUnicode_CompareWithASCIIString(name, "log_error") == 0)) {
        ((struct cload_stats *)self)->is_assigned = true;
    }
    return PyObject_GenericSetAttr(self, name, value);
}

static PyObject *
stats_counts_itself(PyObject *self, PyObject *unused)
{
    Py_RETURN_TRUE;
}

static PyObject *
stats_log_request(struct cload_stats *self, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"method", "name", "response_time", "content_length", NULL};
    PyObject *method, *name, *response_time, *content_length;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOOO:log_request", keywords, &method, &name, &response_time,
                                     &content_length)) {
        return NULL;
    }
    struct cload_state *state = cload_state_find(Py_TYPE(self));
    int is_own = state == NULL ? -1 : cload__stats_counts_itself(state, (PyObject *)self);
    if (is_own <= 0) {
        return is_own < 0 ? NULL
                          : PyObject_CallMethod((PyObject *)self, "_log_by_entries", "OOOO", method, name,
                                                response_time, content_length);
    }
    double ms;
    bool is_whole;
    uint64_t length;
    struct lc_stats_entry *entry;
    if (cload__stats_read_ms(response_time, &ms, &is_whole) < 0 ||
        cload__stats_read_length(content_length, &length) < 0 ||
        cload__stats_find_entry(self, name, method, true, &entry) < 0) {
        return NULL;
    }
    lc__stats_entry_ref(entry); /* the rounding rule is Python code */
    int err = lc__stats_log_ms(self->core, entry, ms, is_whole, length, cload__stats_now());
    lc__stats_entry_unref(entry);
    return err < 0 ? cload__stats_raise(err) : Py_NewRef(Py_None);
}

static PyObject *
stats_entry(struct cload_stats *self, PyObject *args)
{
    PyObject *name, *method;
    int is_made;
    struct lc_stats_entry *entry;
    if (!PyArg_ParseTuple(args, "OOp:_entry", &name, &method, &is_made) ||
        cload__stats_find_entry(self, name, method, is_made, &entry) < 0) {
        return NULL;
    }
    return entry == NULL ? Py_NewRef(Py_None) : wrap_entry(self, entry);
}

static PyObject *
stats_keys(struct cload_stats *self, PyObject *unused)
{
    PyObject *keys = PyList_New(0);
    /* A new tuple may have garbage collected, whose finalizers may empty the table. */
    for (size_t i = 0; keys != NULL && i < lc_stats_count(self->core); i++) {
        const struct lc_stats_entry *entry = lc_stats_at(self->core, i);
        PyObject *name = cload__stats_str(entry->name), *method = cload__stats_str(entry->method);
        PyObject *key = Py_BuildValue("(NN)", name, method);
        if (key == NULL || PyList_Append(keys, key) < 0) {
            Py_CLEAR(keys);
        }
        Py_XDECREF(key);
    }
    return keys;
}

static PyObject *
stats_count(struct cload_stats *self, PyObject *unused)
{
    return PyLong_FromSize_t(lc_stats_count(self->core));
}

static PyObject *
change_entry(struct cload_stats *self, PyObject *object, int (*change)(struct lc_stats *, struct lc_stats_entry *))
{
    struct lc_stats_entry *entry = cload__stats_entry_get(object);
    if (entry == NULL) {
        return NULL;
    }
    int err = change(self->core, entry);
    return err < 0 ? cload__stats_raise(err) : Py_NewRef(Py_None);
}

static PyObject *
stats_adopt(struct cload_stats *self, PyObject *object)
{
    return change_entry(self, object, lc__stats_adopt);
}

static PyObject *
stats_remove(struct cload_stats *self, PyObject *object)
{
    return change_entry(self, object, lc__stats_remove);
}

static PyObject *
stats_reset(struct cload_stats *self, PyObject *unused)
{
    lc_stats_reset(self->core, cload__stats_now());
    Py_RETURN_NONE;
}

static PyObject *
stats_set_whole(struct cload_stats *self, PyObject *unix_s)
{
    double whole_unix_s = PyFloat_AsDouble(unix_s);
    if (whole_unix_s == -1 && PyErr_Occurred() != NULL) {
        return NULL;
    }
    self->core->total->whole_unix_s = whole_unix_s;
    Py_RETURN_NONE;
}

static PyObject *
stats_left_out(struct cload_stats *self, PyObject *unused)
{
    uint64_t requests, failures;
    lc_stats_left_out(self->core, &requests, &failures);
    return Py_BuildValue("(KK)", (unsigned long long)requests, (unsigned long long)failures);
}

static PyObject *
stats_clear_all(struct cload_stats *self, PyObject *unused)
{
    lc_stats_clear(self->core, cload__stats_now());
    Py_RETURN_NONE;
}

static PyObject *
get_total(struct cload_stats *self, void *unused)
{
    return wrap_entry(self, self->core->total);
}

static PyGetSetDef stats_getset[] = {
    {"total", (getter)get_total, NULL, "The aggregate of all entries.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef stats_methods[] = {
    {"log_request", (PyCFunction)(void (*)(void))stats_log_request, METH_VARARGS | METH_KEYWORDS,
     "log_request($self, /, method, name, response_time, content_length)\n--\n\n"
     "Counts a request in its entry and the aggregate."},
    {"_counts_itself", stats_counts_itself, METH_NOARGS, "Whether nobody has replaced what counts."},
    {"_log_failure", (PyCFunction)cload__stats_log_failure, METH_VARARGS, "Counts a failure by its text."},
    {"_tune", (PyCFunction)stats_tune, METH_VARARGS, "Sets the rounding rule and what \"current\" looks back."},
    {"_entry", (PyCFunction)stats_entry, METH_VARARGS, "The entry of (name, method), or None."},
    {"_keys", (PyCFunction)stats_keys, METH_NOARGS, "(name, method) of all entries in order of first use."},
    {"_count", (PyCFunction)stats_count, METH_NOARGS, "How many entries there are."},
    {"_adopt", (PyCFunction)stats_adopt, METH_O, "Takes an entry in, in place of one of the same key."},
    {"_remove", (PyCFunction)stats_remove, METH_O, "Drops an entry."},
    {"_left_out", (PyCFunction)stats_left_out, METH_NOARGS,
     "Requests and failures that a meter left out since the start or a reset."},
    {"_set_whole", (PyCFunction)stats_set_whole, METH_O,
     "_set_whole($self, unix_s, /)\n--\n\nSays up to when all that workers measured is counted here, for current "
     "rates; 0: nothing of it."},
    {"_reset", (PyCFunction)stats_reset, METH_NOARGS, "Zeroes all entries, drops the failures."},
    {"_clear", (PyCFunction)stats_clear_all, METH_NOARGS, "Drops all entries and failures."},
    {"_failure", (PyCFunction)cload__stats_failure, METH_O, "A failure by its place in the order of first occurrence."},
    {"_failure_counts", (PyCFunction)cload__stats_failure_counts, METH_NOARGS,
     "Occurrences of failures by their text."},
    {"_failure_state", (PyCFunction)cload__stats_failure_state, METH_NOARGS,
     "A number that changes when places do other than by being added, and how many failures there are."},
    {"_add_failure", (PyCFunction)cload__stats_add_failure, METH_VARARGS, "Adds to a failure without counting it."},
    {"_set_failure", (PyCFunction)cload__stats_set_failure, METH_VARARGS, "Other counts and times for one of them."},
    {"_remove_failure", (PyCFunction)cload__stats_remove_failure, METH_O, "Drops a failure by its place."},
    {"_clear_failures", (PyCFunction)cload__stats_clear_failures, METH_NOARGS, "Drops all failures."},
    {"_console_requests", (PyCFunction)cload__stats_console_requests, METH_VARARGS, "The request table."},
    {"_console_percentiles", (PyCFunction)cload__stats_console_percentiles, METH_VARARGS, "The percentile table."},
    {"_console_percentile_row", (PyCFunction)cload__stats_console_percentile_row, METH_VARARGS | METH_STATIC,
     "Its row of an entry."},
    {"_console_failures", (PyCFunction)cload__stats_console_failures, METH_VARARGS, "The error report."},
    {"_csv_header", (PyCFunction)cload__stats_csv_header, METH_VARARGS | METH_STATIC, "The header of a CSV file."},
    {"_json_rows", (PyCFunction)cload__stats_json_rows, METH_VARARGS, "Rows for the browser (lib/report/rows.h)."},
    {"_csv_requests", (PyCFunction)cload__stats_csv_requests, METH_O, "Rows of the requests file."},
    {"_csv_history", (PyCFunction)cload__stats_csv_history, METH_VARARGS, "Rows of the history file."},
    {"_console_phases", (PyCFunction)cload__stats_console_phases, METH_VARARGS, "The table of phases."},
    {"_console_exact", (PyCFunction)cload__stats_console_exact, METH_VARARGS, "The table of exact percentiles."},
    {"_csv_phases", (PyCFunction)cload__stats_csv_phases, METH_NOARGS, "Rows of the phases file."},
    {"_csv_exact", (PyCFunction)cload__stats_csv_exact, METH_O, "Rows of the file of exact percentiles."},
    {"_csv_failures", (PyCFunction)cload__stats_csv_failures, METH_NOARGS, "Rows of the failures file."},
    {"_failure_text", (PyCFunction)cload__stats_failure_text, METH_VARARGS | METH_STATIC,
     "A failure's text for people."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot stats_slots[] = {
    {Py_tp_doc, "The statistics of a run."},
    {Py_tp_new, stats_new},
    {Py_tp_dealloc, stats_dealloc},
    {Py_tp_traverse, stats_traverse},
    {Py_tp_clear, stats_clear},
    {Py_tp_setattro, stats_setattr},
    {Py_tp_getset, stats_getset},
    {Py_tp_methods, stats_methods},
    {0, NULL},
};

static PyType_Spec stats_spec = {
    .name = "_cload.Stats",
    .basicsize = sizeof(struct cload_stats),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = stats_slots,
};

int
cload__stats_add_types(PyObject *module)
{
    if (PyModule_AddIntConstant(module, "STATS_NAMES", LCORE_STATS_NAMES) < 0 ||
        PyModule_AddStringConstant(module, "STATS_FURTHER", LCORE_STATS_FURTHER) < 0) {
        return -1;
    }
    PyObject *types[] = {cload__stats_entry_type(module), PyType_FromModuleAndSpec(module, &stats_spec, NULL)};
    int err = 0;
    for (size_t i = 0; i < 2; i++) {
        if (types[i] == NULL || err < 0 || PyModule_AddType(module, (PyTypeObject *)types[i]) < 0) {
            err = -1;
        }
        Py_XDECREF(types[i]);
    }
    return err;
}
