#include "stats.h"

#include "base/buffer.h"
#include "report/console.h"
#include "report/csv.h"
#include "report/own.h"
#include "report/rows.h"
#include "report/writer.h"
#include "stats_entry.h"
#include "stats_values.h"

struct stats_object {
    PyObject_HEAD
    struct lc_stats *core;
    struct lc_stats_config config;
    PyObject *rounding; /* the user's rule; NULL: Locust's */
};

static int
stats_traverse(struct stats_object *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->rounding);
    return 0;
}

static int
stats_clear(struct stats_object *self)
{
    self->config.bucket_fn = NULL;
    Py_CLEAR(self->rounding);
    return 0;
}

static void
stats_dealloc(struct stats_object *self)
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
            *out = ((struct stats_object *)object)->core;
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
    struct stats_object *self = (struct stats_object *)type->tp_alloc(type, 0);
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
call_rounding(double ms, uint32_t *bucket_ms, void *arg)
{
    struct stats_object *self = arg;
    PyObject *time = PyFloat_FromDouble(ms);
    PyObject *rounded = time == NULL ? NULL : PyObject_CallOneArg(self->rounding, time);
    double bucket = rounded == NULL ? -1 : PyFloat_AsDouble(rounded);
    if (PyErr_Occurred() == NULL && !(bucket >= 0 && bucket < UINT32_MAX)) {
        PyErr_Format(PyExc_ValueError, "bucket_response_time returned %R for %R ms", rounded, time);
    }
    Py_XDECREF(time);
    Py_XDECREF(rounded);
    if (PyErr_Occurred() != NULL) {
        return LCE_INVALID;
    }
    *bucket_ms = (uint32_t)bucket;
    return 0;
}

static PyObject *
stats_tune(struct stats_object *self, PyObject *args)
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

/* The row of (name, method), made if missing unless `is_made` is false. *out is NULL where there is none. */
static int
find_entry(struct stats_object *self, PyObject *name, PyObject *method, bool is_made, struct lc_stats_entry **out)
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

/* The class of entry objects is what the subclass says. */
static PyObject *
wrap_entry(struct stats_object *self, struct lc_stats_entry *entry)
{
    PyObject *type = PyObject_GetAttrString((PyObject *)self, "_entry_type");
    if (type == NULL) {
        return NULL;
    }
    PyObject *object = cload__stats_entry_wrap(type, (PyObject *)self, entry);
    Py_DECREF(type);
    return object;
}

static PyObject *
stats_log_request(struct stats_object *self, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"method", "name", "response_time", "content_length", NULL};
    PyObject *method, *name, *response_time, *content_length;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOOO:log_request", keywords, &method, &name, &response_time,
                                     &content_length)) {
        return NULL;
    }
    double ms;
    bool is_whole;
    uint64_t length;
    struct lc_stats_entry *entry;
    if (cload__stats_read_ms(response_time, &ms, &is_whole) < 0 ||
        cload__stats_read_length(content_length, &length) < 0 || find_entry(self, name, method, true, &entry) < 0) {
        return NULL;
    }
    int err = lc__stats_log_ms(self->core, entry, ms, is_whole, length, cload__stats_now());
    return err < 0 ? cload__stats_raise(err) : Py_NewRef(Py_None);
}

static PyObject *
stats_log_failure(struct stats_object *self, PyObject *args)
{
    PyObject *method, *name, *text;
    struct lc_stats_entry *entry;
    if (!PyArg_ParseTuple(args, "OOO:_log_failure", &method, &name, &text) ||
        find_entry(self, name, method, true, &entry) < 0) {
        return NULL;
    }
    struct lc_str error_text;
    PyObject *owner;
    if (cload__stats_text(text, &error_text, &owner) < 0) {
        return NULL;
    }
    const struct lc_stats *logging = self->core->held == NULL ? self->core : self->core->held;
    size_t count = logging->failures.count;
    int err = lc_stats_log_failure(self->core, entry, error_text, cload__stats_now());
    Py_DECREF(owner);
    return err < 0 ? cload__stats_raise(err) : PyBool_FromLong(logging->failures.count != count);
}

static PyObject *
stats_entry(struct stats_object *self, PyObject *args)
{
    PyObject *name, *method;
    int is_made;
    struct lc_stats_entry *entry;
    if (!PyArg_ParseTuple(args, "OOp:_entry", &name, &method, &is_made) ||
        find_entry(self, name, method, is_made, &entry) < 0) {
        return NULL;
    }
    return entry == NULL ? Py_NewRef(Py_None) : wrap_entry(self, entry);
}

static PyObject *
stats_keys(struct stats_object *self, PyObject *unused)
{
    size_t count = lc_stats_count(self->core);
    PyObject *keys = PyList_New((Py_ssize_t)count);
    for (size_t i = 0; keys != NULL && i < count; i++) {
        const struct lc_stats_entry *entry = lc_stats_at(self->core, i);
        PyObject *key = Py_BuildValue("(NN)", cload__stats_str(entry->name), cload__stats_str(entry->method));
        if (key == NULL) {
            Py_CLEAR(keys);
        } else {
            PyList_SET_ITEM(keys, (Py_ssize_t)i, key);
        }
    }
    return keys;
}

static PyObject *
stats_count(struct stats_object *self, PyObject *unused)
{
    return PyLong_FromSize_t(lc_stats_count(self->core));
}

static PyObject *
change_entry(struct stats_object *self, PyObject *object, int (*change)(struct lc_stats *, struct lc_stats_entry *))
{
    struct lc_stats_entry *entry = cload__stats_entry_get(object);
    if (entry == NULL) {
        return NULL;
    }
    int err = change(self->core, entry);
    return err < 0 ? cload__stats_raise(err) : Py_NewRef(Py_None);
}

static PyObject *
stats_adopt(struct stats_object *self, PyObject *object)
{
    return change_entry(self, object, lc__stats_adopt);
}

static PyObject *
stats_remove(struct stats_object *self, PyObject *object)
{
    return change_entry(self, object, lc__stats_remove);
}

static PyObject *
stats_reset(struct stats_object *self, PyObject *unused)
{
    lc_stats_reset(self->core, cload__stats_now());
    Py_RETURN_NONE;
}

static PyObject *
stats_left_out(struct stats_object *self, PyObject *unused)
{
    uint64_t requests, failures;
    lc_stats_left_out(self->core, &requests, &failures);
    return Py_BuildValue("(KK)", (unsigned long long)requests, (unsigned long long)failures);
}

static PyObject *
stats_clear_all(struct stats_object *self, PyObject *unused)
{
    lc_stats_clear(self->core, cload__stats_now());
    Py_RETURN_NONE;
}

/* Reads the place of a failure. */
static int
read_place(struct stats_object *self, PyObject *object, size_t *place)
{
    *place = PyLong_AsSize_t(object);
    if (PyErr_Occurred() == NULL && *place >= lc_stats_failure_count(self->core)) {
        PyErr_SetString(PyExc_IndexError, "no such failure");
    }
    return PyErr_Occurred() != NULL ? -1 : 0;
}

static PyObject *
stats_failure(struct stats_object *self, PyObject *index)
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

static PyObject *
stats_failure_counts(struct stats_object *self, PyObject *unused)
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

static PyObject *
stats_failure_state(struct stats_object *self, PyObject *unused)
{
    return Py_BuildValue("(Kn)", (unsigned long long)self->core->failures.epoch,
                         (Py_ssize_t)lc_stats_failure_count(self->core));
}

static PyObject *
stats_add_failure(struct stats_object *self, PyObject *args)
{
    PyObject *method, *name, *text;
    unsigned long long occurrences;
    struct lc_failure more = {0};
    int is_remote;
    struct lc_stats_entry *entry;
    if (!PyArg_ParseTuple(args, "OOOKddp:_add_failure", &method, &name, &text, &occurrences, &more.first_seen_unix_s,
                          &more.last_seen_unix_s, &is_remote) ||
        find_entry(self, name, method, true, &entry) < 0) {
        return NULL;
    }
    struct lc_str error_text;
    PyObject *owner;
    if (cload__stats_text(text, &error_text, &owner) < 0) {
        return NULL;
    }
    more.occurrences = occurrences;
    more.is_remote = is_remote;
    int err = lc__failures_add(&self->core->failures, entry, error_text, &more);
    Py_DECREF(owner);
    return err < 0 ? cload__stats_raise(err) : Py_NewRef(Py_None);
}

static PyObject *
stats_set_failure(struct stats_object *self, PyObject *args)
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

static PyObject *
stats_remove_failure(struct stats_object *self, PyObject *index)
{
    size_t place;
    if (read_place(self, index, &place) < 0) {
        return NULL;
    }
    lc__failures_remove(&self->core->failures, place);
    Py_RETURN_NONE;
}

static PyObject *
stats_clear_failures(struct stats_object *self, PyObject *unused)
{
    lc__failures_fini(&self->core->failures);
    Py_RETURN_NONE;
}

/* The options of a report; `percentiles` is a sequence of fractions. To be ended with free_options(). */
static int
read_percentiles(PyObject *percentiles, struct lc_report_options *options)
{
    lc_report_options_init(options);
    PyObject *list = PySequence_Fast(percentiles, "percentiles must be a sequence");
    if (list == NULL) {
        return -1;
    }
    Py_ssize_t count = PySequence_Fast_GET_SIZE(list);
    double *fractions = PyMem_New(double, (size_t)count + 1);
    if (fractions == NULL) {
        PyErr_NoMemory();
    }
    for (Py_ssize_t i = 0; fractions != NULL && i < count; i++) {
        double fraction = PyFloat_AsDouble(PySequence_Fast_GET_ITEM(list, i));
        if (PyErr_Occurred() != NULL) {
            PyMem_Free(fractions);
            fractions = NULL;
        } else {
            fractions[i] = fraction > 0 ? fraction < 1 ? fraction : 1 : 0;
        }
    }
    Py_DECREF(list);
    options->percentiles = fractions;
    options->percentile_count = (size_t)count;
    return fractions == NULL ? -1 : 0;
}

static void
free_options(struct lc_report_options *options)
{
    PyMem_Free((void *)options->percentiles);
}

static PyObject *
take_text(struct lc_buffer *text, int err)
{
    PyObject *result = err < 0 ? cload__stats_raise(err) : cload__stats_str((struct lc_str){text->data, text->len});
    lc_buffer_fini(text);
    return result;
}

static PyObject *
stats_console_requests(struct stats_object *self, PyObject *args)
{
    struct lc_report_options options;
    lc_report_options_init(&options);
    int is_current;
    if (!PyArg_ParseTuple(args, "iip:_console_requests", &options.name_width, &options.type_width, &is_current)) {
        return NULL;
    }
    options.is_whole_run = !is_current;
    struct lc_buffer text = {0};
    int err = lc__console_requests(&text, self->core, &options);
    return take_text(&text, err);
}

static PyObject *
stats_console_percentiles(struct stats_object *self, PyObject *args)
{
    int name_width, type_width;
    PyObject *percentiles;
    struct lc_report_options options;
    if (!PyArg_ParseTuple(args, "iiO:_console_percentiles", &name_width, &type_width, &percentiles) ||
        read_percentiles(percentiles, &options) < 0) {
        return NULL;
    }
    options.name_width = name_width;
    options.type_width = type_width;
    struct lc_buffer text = {0};
    int err = lc__console_percentiles(&text, self->core, &options);
    free_options(&options);
    return take_text(&text, err);
}

static PyObject *
stats_console_phases(struct stats_object *self, PyObject *args)
{
    struct lc_report_options options;
    lc_report_options_init(&options);
    if (!PyArg_ParseTuple(args, "ii:_console_phases", &options.name_width, &options.type_width)) {
        return NULL;
    }
    struct lc_buffer text = {0};
    int err = lc__console_phases(&text, self->core, &options);
    return take_text(&text, err);
}

static PyObject *
stats_console_exact(struct stats_object *self, PyObject *args)
{
    int name_width, type_width;
    PyObject *percentiles;
    struct lc_report_options options;
    if (!PyArg_ParseTuple(args, "iiO:_console_exact", &name_width, &type_width, &percentiles) ||
        read_percentiles(percentiles, &options) < 0) {
        return NULL;
    }
    options.name_width = name_width;
    options.type_width = type_width;
    struct lc_buffer text = {0};
    int err = lc__console_exact(&text, self->core, &options);
    free_options(&options);
    return take_text(&text, err);
}

static PyObject *
stats_console_percentile_row(PyObject *unused, PyObject *args)
{
    int name_width, type_width;
    PyObject *object, *percentiles;
    struct lc_report_options options;
    if (!PyArg_ParseTuple(args, "OiiO:_console_percentile_row", &object, &name_width, &type_width, &percentiles)) {
        return NULL;
    }
    struct lc_stats_entry *entry = cload__stats_entry_get(object);
    if (entry == NULL || read_percentiles(percentiles, &options) < 0) {
        return NULL;
    }
    options.name_width = name_width;
    options.type_width = type_width;
    struct lc_buffer text = {0};
    int err = lc__console_percentile_row(&text, entry, &options);
    free_options(&options);
    return take_text(&text, err);
}

static PyObject *
stats_console_failures(struct stats_object *self, PyObject *args)
{
    struct lc_report_options options;
    lc_report_options_init(&options);
    if (!PyArg_ParseTuple(args, "i:_console_failures", &options.name_width)) {
        return NULL;
    }
    struct lc_buffer text = {0};
    int err = lc__console_failures(&text, self->core, &options);
    return take_text(&text, err);
}

static PyObject *
stats_csv_header(PyObject *unused, PyObject *args)
{
    const char *file;
    PyObject *percentiles;
    struct lc_report_options options;
    if (!PyArg_ParseTuple(args, "sO:_csv_header", &file, &percentiles) || read_percentiles(percentiles, &options) < 0) {
        return NULL;
    }
    struct lc_buffer text = {0};
    int err = strcmp(file, "requests") == 0   ? lc__csv_requests_header(&text, &options)
              : strcmp(file, "history") == 0  ? lc__csv_history_header(&text, &options)
              : strcmp(file, "failures") == 0 ? lc__csv_failures_header(&text)
              : strcmp(file, "phases") == 0   ? lc__csv_phases_header(&text)
              : strcmp(file, "exact") == 0    ? lc__csv_exact_header(&text, &options)
                                              : lc__csv_exceptions_header(&text);
    free_options(&options);
    return take_text(&text, err);
}

static PyObject *
stats_json_rows(struct stats_object *self, PyObject *args)
{
    Py_ssize_t first, end;
    PyObject *percentiles;
    struct lc_report_options options;
    if (!PyArg_ParseTuple(args, "nnO:_json_rows", &first, &end, &percentiles) ||
        read_percentiles(percentiles, &options) < 0) {
        return NULL;
    }
    struct lc_buffer text = {0};
    int err = lc__json_rows(&text, self->core, first < 0 ? 0 : (size_t)first, end < 0 ? 0 : (size_t)end, &options);
    free_options(&options);
    return take_text(&text, err);
}

static PyObject *
stats_csv_requests(struct stats_object *self, PyObject *percentiles)
{
    struct lc_report_options options;
    if (read_percentiles(percentiles, &options) < 0) {
        return NULL;
    }
    struct lc_buffer text = {0};
    int err = lc__csv_requests(&text, self->core, &options);
    free_options(&options);
    return take_text(&text, err);
}

static PyObject *
stats_csv_history(struct stats_object *self, PyObject *args)
{
    PyObject *percentiles;
    int is_every_row;
    long long recent_s;
    unsigned long long user_count;
    double unix_s;
    struct lc_report_options options;
    if (!PyArg_ParseTuple(args, "OpLKd:_csv_history", &percentiles, &is_every_row, &recent_s, &user_count, &unix_s) ||
        read_percentiles(percentiles, &options) < 0) {
        return NULL;
    }
    options.is_every_row = is_every_row;
    options.recent_s = recent_s;
    struct lc_buffer text = {0};
    int err = lc__csv_history(&text, self->core, &options, user_count, unix_s);
    free_options(&options);
    return take_text(&text, err);
}

static PyObject *
stats_csv_failures(struct stats_object *self, PyObject *unused)
{
    struct lc_buffer text = {0};
    int err = lc__csv_failures(&text, self->core);
    return take_text(&text, err);
}

static PyObject *
stats_csv_phases(struct stats_object *self, PyObject *unused)
{
    struct lc_buffer text = {0};
    int err = lc__csv_phases(&text, self->core);
    return take_text(&text, err);
}

static PyObject *
stats_csv_exact(struct stats_object *self, PyObject *percentiles)
{
    struct lc_report_options options;
    if (read_percentiles(percentiles, &options) < 0) {
        return NULL;
    }
    struct lc_buffer text = {0};
    int err = lc__csv_exact(&text, self->core, &options);
    free_options(&options);
    return take_text(&text, err);
}

static PyObject *
stats_failure_text(PyObject *unused, PyObject *args)
{
    PyObject *object, *owner;
    int is_remote;
    struct lc_str failure;
    if (!PyArg_ParseTuple(args, "Op:_failure_text", &object, &is_remote) ||
        cload__stats_text(object, &failure, &owner) < 0) {
        return NULL;
    }
    struct lc_buffer text = {0};
    struct lc_writer writer = {&text, 0};
    lc__write_failure(&writer, failure, is_remote);
    Py_DECREF(owner);
    return take_text(&text, writer.err);
}

static PyObject *
get_total(struct stats_object *self, void *unused)
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
    {"_log_failure", (PyCFunction)stats_log_failure, METH_VARARGS, "Counts a failure by its text."},
    {"_tune", (PyCFunction)stats_tune, METH_VARARGS, "Sets the rounding rule and what \"current\" looks back."},
    {"_entry", (PyCFunction)stats_entry, METH_VARARGS, "The entry of (name, method), or None."},
    {"_keys", (PyCFunction)stats_keys, METH_NOARGS, "(name, method) of all entries in order of first use."},
    {"_count", (PyCFunction)stats_count, METH_NOARGS, "How many entries there are."},
    {"_adopt", (PyCFunction)stats_adopt, METH_O, "Takes an entry in, in place of one of the same key."},
    {"_remove", (PyCFunction)stats_remove, METH_O, "Drops an entry."},
    {"_left_out", (PyCFunction)stats_left_out, METH_NOARGS,
     "Requests and failures that a meter left out since the start or a reset."},
    {"_reset", (PyCFunction)stats_reset, METH_NOARGS, "Zeroes all entries, drops the failures."},
    {"_clear", (PyCFunction)stats_clear_all, METH_NOARGS, "Drops all entries and failures."},
    {"_failure", (PyCFunction)stats_failure, METH_O, "A failure by its place in the order of first occurrence."},
    {"_failure_counts", (PyCFunction)stats_failure_counts, METH_NOARGS, "Occurrences of failures by their text."},
    {"_failure_state", (PyCFunction)stats_failure_state, METH_NOARGS,
     "A number that changes when places do other than by being added, and how many failures there are."},
    {"_add_failure", (PyCFunction)stats_add_failure, METH_VARARGS, "Adds to a failure without counting it."},
    {"_set_failure", (PyCFunction)stats_set_failure, METH_VARARGS, "Other counts and times for one of them."},
    {"_remove_failure", (PyCFunction)stats_remove_failure, METH_O, "Drops a failure by its place."},
    {"_clear_failures", (PyCFunction)stats_clear_failures, METH_NOARGS, "Drops all failures."},
    {"_console_requests", (PyCFunction)stats_console_requests, METH_VARARGS, "The request table."},
    {"_console_percentiles", (PyCFunction)stats_console_percentiles, METH_VARARGS, "The percentile table."},
    {"_console_percentile_row", (PyCFunction)stats_console_percentile_row, METH_VARARGS | METH_STATIC,
     "Its row of an entry."},
    {"_console_failures", (PyCFunction)stats_console_failures, METH_VARARGS, "The error report."},
    {"_csv_header", (PyCFunction)stats_csv_header, METH_VARARGS | METH_STATIC, "The header of a CSV file."},
    {"_json_rows", (PyCFunction)stats_json_rows, METH_VARARGS, "Rows for the browser (lib/report/rows.h)."},
    {"_csv_requests", (PyCFunction)stats_csv_requests, METH_O, "Rows of the requests file."},
    {"_csv_history", (PyCFunction)stats_csv_history, METH_VARARGS, "Rows of the history file."},
    {"_console_phases", (PyCFunction)stats_console_phases, METH_VARARGS, "The table of phases."},
    {"_console_exact", (PyCFunction)stats_console_exact, METH_VARARGS, "The table of exact percentiles."},
    {"_csv_phases", (PyCFunction)stats_csv_phases, METH_NOARGS, "Rows of the phases file."},
    {"_csv_exact", (PyCFunction)stats_csv_exact, METH_O, "Rows of the file of exact percentiles."},
    {"_csv_failures", (PyCFunction)stats_csv_failures, METH_NOARGS, "Rows of the failures file."},
    {"_failure_text", (PyCFunction)stats_failure_text, METH_VARARGS | METH_STATIC, "A failure's text for people."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot stats_slots[] = {
    {Py_tp_doc, "The statistics of a run."},
    {Py_tp_new, stats_new},
    {Py_tp_dealloc, stats_dealloc},
    {Py_tp_traverse, stats_traverse},
    {Py_tp_clear, stats_clear},
    {Py_tp_getset, stats_getset},
    {Py_tp_methods, stats_methods},
    {0, NULL},
};

static PyType_Spec stats_spec = {
    .name = "_cload.Stats",
    .basicsize = sizeof(struct stats_object),
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
