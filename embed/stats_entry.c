#include "stats_entry.h"

#include <math.h>

#include "base/alloc.h"
#include "base/buffer.h"
#include "report/console.h"
#include "stats_entry_tables.h"
#include "stats_values.h"

static int
entry_traverse(struct entry_object *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->stats);
    return 0;
}

static int
entry_clear(struct entry_object *self)
{
    Py_CLEAR(self->stats);
    return 0;
}

static void
entry_dealloc(struct entry_object *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (self->entry != NULL) {
        if (self->entry->peer == self) {
            self->entry->peer = NULL;
        }
        lc__stats_entry_unref(self->entry);
    }
    Py_XDECREF(self->stats);
    type->tp_free(self);
    Py_DECREF(type);
}

/* Entry types are told by this file's deallocator, which every type below them inherits from. */
static bool
is_entry_type(PyTypeObject *type)
{
    while (type != NULL && type->tp_dealloc != (destructor)entry_dealloc) {
        type = type->tp_base;
    }
    return type != NULL;
}

struct lc_stats_entry *
cload__stats_entry_get(PyObject *object)
{
    if (!is_entry_type(Py_TYPE(object))) {
        PyErr_Format(PyExc_TypeError, "a StatsEntry is needed, not %s", Py_TYPE(object)->tp_name);
        return NULL;
    }
    return ((struct entry_object *)object)->entry;
}

PyObject *
cload__stats_entry_wrap(PyObject *type, PyObject *stats, struct lc_stats_entry *entry)
{
    if (!PyType_Check(type) || !is_entry_type((PyTypeObject *)type)) {
        PyErr_Format(PyExc_TypeError, "entries cannot be of type %R", type);
        return NULL;
    }
    /* Callbacks of weak references may ask for a row while its object is going. */
    if (entry->peer != NULL && Py_REFCNT(entry->peer) > 0) {
        return Py_NewRef(entry->peer);
    }
    struct entry_object *self = (struct entry_object *)((PyTypeObject *)type)->tp_alloc((PyTypeObject *)type, 0);
    if (self != NULL) {
        self->stats = Py_NewRef(stats);
        self->entry = lc__stats_entry_ref(entry);
        entry->peer = self;
    }
    return (PyObject *)self;
}

static PyObject *
entry_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"stats", "name", "method", "use_response_times_cache", NULL};
    PyObject *stats, *name, *method;
    int is_keeping_recent = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOO|p:StatsEntry", keywords, &stats, &name, &method,
                                     &is_keeping_recent)) {
        return NULL;
    }
    struct lc_str name_text, method_text;
    PyObject *name_owner, *method_owner;
    if (cload__stats_name(name, &name_text, &name_owner) < 0) {
        return NULL;
    }
    if (cload__stats_text(method, &method_text, &method_owner) < 0) {
        Py_DECREF(name_owner);
        return NULL;
    }
    struct lc_stats_entry *entry = lc__stats_entry_new(name_text, method_text, is_keeping_recent, cload__stats_now());
    Py_DECREF(name_owner);
    Py_DECREF(method_owner);
    if (entry == NULL) {
        return PyErr_NoMemory();
    }
    PyObject *self = cload__stats_entry_wrap((PyObject *)type, stats, entry);
    lc__stats_entry_unref(entry);
    return self;
}

static const struct lc_stats_config *
entry_config(struct entry_object *self)
{
    struct lc_stats *stats;
    return cload__stats_is(self->stats, &stats) ? stats->config : &lc__stats_default_config;
}

static PyObject *
entry_log(struct entry_object *self, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"response_time", "content_length", NULL};
    PyObject *response_time, *content_length;
    double ms;
    bool is_whole;
    uint64_t length;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO:log", keywords, &response_time, &content_length) ||
        cload__stats_read_ms(response_time, &ms, &is_whole) < 0 ||
        cload__stats_read_length(content_length, &length) < 0) {
        return NULL;
    }
    int err = lc__stats_log_entry_ms(self->entry, entry_config(self), ms, is_whole, length, cload__stats_now());
    return err < 0 ? cload__stats_raise(err) : Py_NewRef(Py_None);
}

static PyObject *
entry_log_error(struct entry_object *self, PyObject *error)
{
    int err = lc__stats_entry_count_failure(self->entry, (uint32_t)cload__stats_now());
    return err < 0 ? cload__stats_raise(err) : Py_NewRef(Py_None);
}

static PyObject *
entry_reset(struct entry_object *self, PyObject *unused)
{
    lc__stats_entry_reset(self->entry, cload__stats_now());
    Py_RETURN_NONE;
}

static PyObject *
entry_extend(struct entry_object *self, PyObject *other)
{
    struct lc_stats_entry *source = cload__stats_entry_get(other);
    if (source == NULL) {
        return NULL;
    }
    if (source == self->entry) {
        PyErr_SetString(PyExc_ValueError, "an entry cannot be added to itself");
        return NULL;
    }
    int err = lc__stats_entry_extend(self->entry, source, entry_config(self));
    return err < 0 ? cload__stats_raise(err) : Py_NewRef(Py_None);
}

/* Within what the core expects; beyond it nothing changes. */
static int
read_fraction(PyObject *object, double *fraction)
{
    *fraction = PyFloat_AsDouble(object);
    if (*fraction == -1 && PyErr_Occurred() != NULL) {
        return -1;
    }
    *fraction = *fraction > 0 ? fmin(*fraction, 1) : 0;
    return 0;
}

static int
read_percent(PyObject *args, PyObject *kwargs, double *fraction)
{
    static char *keywords[] = {"percent", NULL};
    PyObject *percent;
    return PyArg_ParseTupleAndKeywords(args, kwargs, "O", keywords, &percent) ? read_fraction(percent, fraction) : -1;
}

static PyObject *
entry_percentile(struct entry_object *self, PyObject *args, PyObject *kwargs)
{
    double fraction;
    uint32_t ms;
    if (read_percent(args, kwargs, &fraction) < 0) {
        return NULL;
    }
    lc__stats_entry_percentiles_ms(self->entry, &fraction, 1, &ms);
    return PyLong_FromUnsignedLong(ms);
}

static PyObject *
entry_exact_percentile(struct entry_object *self, PyObject *args, PyObject *kwargs)
{
    double fraction;
    if (read_percent(args, kwargs, &fraction) < 0) {
        return NULL;
    }
    return PyFloat_FromDouble(lc_stats_entry_percentile_ms(self->entry, fraction));
}

static PyObject *
entry_recent_percentile(struct entry_object *self, PyObject *const *args, Py_ssize_t count)
{
    double fraction;
    uint32_t ms;
    if (count != 2) {
        PyErr_SetString(PyExc_TypeError, "_recent_percentile() takes a fraction and a number of seconds");
        return NULL;
    }
    long long recent_s = PyLong_AsLongLong(args[1]);
    if ((recent_s == -1 && PyErr_Occurred() != NULL) || read_fraction(args[0], &fraction) < 0) {
        return NULL;
    }
    if (!lc__stats_entry_recent_percentiles_ms(self->entry, (int64_t)cload__stats_now(), recent_s, &fraction, 1, &ms)) {
        Py_RETURN_NONE;
    }
    return PyLong_FromUnsignedLong(ms);
}

/* A dict of milliseconds to counts. */
static PyObject *
moment_buckets(const struct lc_stats_entry *entry, uint32_t number)
{
    struct lc_bucket *buckets;
    size_t count;
    if (lc__recent_read(&entry->recent, number, &entry->few, &entry->buckets, &buckets, &count) < 0) {
        return PyErr_NoMemory();
    }
    PyObject *dict = PyDict_New();
    for (size_t i = 0; dict != NULL && i < count; i++) {
        PyObject *key = PyLong_FromUnsignedLong(buckets[i].ms);
        PyObject *value = PyLong_FromUnsignedLongLong(buckets[i].count);
        if (key == NULL || value == NULL || PyDict_SetItem(dict, key, value) < 0) {
            Py_CLEAR(dict);
        }
        Py_XDECREF(key);
        Py_XDECREF(value);
    }
    lc__free(buckets);
    return dict;
}

static PyObject *
entry_moments(struct entry_object *self, PyObject *unused)
{
    PyObject *list = PyList_New(0);
    const struct lc_stats_entry *entry = self->entry;
    for (uint32_t i = 0; list != NULL && i < entry->recent.count; i++) {
        const struct lc_recent_moment *moment = lc__recent_at(&entry->recent, i);
        if (moment->unix_s == INT64_MIN) {
            continue;
        }
        PyObject *buckets = moment_buckets(entry, i);
        PyObject *row = buckets == NULL ? NULL
                                        : Py_BuildValue("(LNK)", (long long)moment->unix_s, buckets,
                                                        (unsigned long long)moment->timed_count);
        if (row == NULL || PyList_Append(list, row) < 0) {
            Py_CLEAR(list);
        }
        Py_XDECREF(row);
    }
    return list;
}

/* The clock of the rates: start and last request of the statistics the entry belongs to. */
static int
read_clock(struct entry_object *self, double *start_unix_s, double *last_unix_s)
{
    struct lc_stats *stats;
    if (cload__stats_is(self->stats, &stats)) {
        *start_unix_s = stats->total->start_unix_s;
        *last_unix_s = stats->total->last_request_unix_s;
        return 0;
    }
    if (self->stats == NULL) {
        PyErr_SetString(PyExc_ReferenceError, "the statistics of this entry are gone");
        return -1;
    }
    static const char *const names[] = {"start_time", "last_request_timestamp"};
    double *const out[] = {start_unix_s, last_unix_s};
    for (size_t i = 0; i < 2; i++) {
        PyObject *value = PyObject_GetAttrString(self->stats, names[i]);
        if (value == NULL) {
            return -1;
        }
        *out[i] = value == Py_None ? 0 : PyFloat_AsDouble(value);
        Py_DECREF(value);
        if (PyErr_Occurred() != NULL) {
            return -1;
        }
    }
    return 0;
}

static PyObject *
get_current_rate(struct entry_object *self, void *which)
{
    double start_unix_s, last_unix_s, rates[2];
    if (read_clock(self, &start_unix_s, &last_unix_s) < 0) {
        return NULL;
    }
    if (last_unix_s == 0) {
        return PyLong_FromLong(0);
    }
    lc__stats_entry_rates_at(self->entry, start_unix_s, last_unix_s, &rates[CLOAD_RATE_REQUESTS],
                             &rates[CLOAD_RATE_FAILURES]);
    return PyFloat_FromDouble(rates[(intptr_t)which]);
}

static PyObject *
get_total_rate(struct entry_object *self, void *which)
{
    double start_unix_s, last_unix_s;
    if (read_clock(self, &start_unix_s, &last_unix_s) < 0) {
        return NULL;
    }
    double elapsed_s = last_unix_s - start_unix_s;
    if (last_unix_s == 0 || start_unix_s == 0 || elapsed_s == 0) {
        return PyFloat_FromDouble(0);
    }
    uint64_t count = (intptr_t)which == CLOAD_RATE_REQUESTS ? self->entry->request_count : self->entry->failure_count;
    return PyFloat_FromDouble((double)count / elapsed_s);
}

/* Locust's numbers are whole where they came of whole ones. */
static PyObject *
ms_object(double ms, bool is_whole)
{
    return is_whole ? PyLong_FromDouble(ms) : PyFloat_FromDouble(ms);
}

static PyObject *
get_name(struct entry_object *self, void *unused)
{
    return cload__stats_str(self->entry->name);
}

static PyObject *
get_method(struct entry_object *self, void *unused)
{
    return cload__stats_str(self->entry->method);
}

static PyObject *
get_stats(struct entry_object *self, void *unused)
{
    return Py_NewRef(self->stats == NULL ? Py_None : self->stats);
}

static PyObject *
get_total_ms(struct entry_object *self, void *unused)
{
    return ms_object(self->entry->total_ms, self->entry->is_total_whole);
}

static PyObject *
get_min_ms(struct entry_object *self, void *unused)
{
    if (self->entry->min_ms == INFINITY) {
        Py_RETURN_NONE;
    }
    return ms_object(self->entry->min_ms, self->entry->is_min_whole);
}

static PyObject *
get_max_ms(struct entry_object *self, void *unused)
{
    return ms_object(self->entry->max_ms, self->entry->is_max_whole);
}

static PyObject *
get_average_ms(struct entry_object *self, void *unused)
{
    return PyFloat_FromDouble(lc_stats_entry_average_ms(self->entry));
}

static PyObject *
get_median_ms(struct entry_object *self, void *unused)
{
    return ms_object(lc_stats_entry_locust_median_ms(self->entry), lc__stats_entry_is_median_whole(self->entry));
}

static PyObject *
get_fail_ratio(struct entry_object *self, void *unused)
{
    return PyFloat_FromDouble(lc_stats_entry_fail_ratio(self->entry));
}

static PyObject *
get_content_length(struct entry_object *self, void *unused)
{
    return PyLong_FromLongLong((long long)self->entry->content_bytes);
}

static int
set_content_length(struct entry_object *self, PyObject *value, void *unused)
{
    if (value == NULL) {
        PyErr_SetString(PyExc_AttributeError, "this attribute cannot be deleted");
        return -1;
    }
    return cload__stats_read_length(value, &self->entry->content_bytes);
}

static PyObject *
get_average_length(struct entry_object *self, void *unused)
{
    if (self->entry->request_count == 0) {
        return PyLong_FromLong(0);
    }
    return PyFloat_FromDouble((double)(int64_t)self->entry->content_bytes / (double)self->entry->request_count);
}

static PyObject *
get_is_keeping_recent(struct entry_object *self, void *unused)
{
    return PyBool_FromLong(self->entry->is_keeping_recent);
}

static int
set_is_keeping_recent(struct entry_object *self, PyObject *value, void *unused)
{
    int is_true = value == NULL ? 0 : PyObject_IsTrue(value);
    if (is_true < 0) {
        return -1;
    }
    if (lc__stats_entry_pin(self->entry) < 0) {
        PyErr_NoMemory();
        return -1;
    }
    self->entry->is_keeping_recent = is_true;
    return 0;
}

/* Counters are told by their place in struct lc_stats_entry. */
static uint64_t *
counter_at(struct entry_object *self, void *offset)
{
    return (uint64_t *)((char *)self->entry + (uintptr_t)offset);
}

static PyObject *
get_counter(struct entry_object *self, void *offset)
{
    return PyLong_FromUnsignedLongLong(*counter_at(self, offset));
}

static int
set_counter(struct entry_object *self, PyObject *value, void *offset)
{
    unsigned long long count = value == NULL ? 0 : PyLong_AsUnsignedLongLong(value);
    if (PyErr_Occurred() != NULL) {
        return -1;
    }
    *counter_at(self, offset) = count;
    return 0;
}

/* A number of ms; None, where it is allowed, is `none`. */
static int
set_ms(PyObject *value, double *out, bool *is_whole, double none)
{
    double ms;
    if (value == NULL || cload__stats_read_ms(value, &ms, is_whole) < 0) {
        if (PyErr_Occurred() == NULL) {
            PyErr_SetString(PyExc_AttributeError, "this attribute cannot be deleted");
        }
        return -1;
    }
    *out = isnan(ms) ? none : ms;
    return 0;
}

static int
set_total_ms(struct entry_object *self, PyObject *value, void *unused)
{
    return set_ms(value, &self->entry->total_ms, &self->entry->is_total_whole, 0);
}

static int
set_min_ms(struct entry_object *self, PyObject *value, void *unused)
{
    return set_ms(value, &self->entry->min_ms, &self->entry->is_min_whole, INFINITY);
}

static int
set_max_ms(struct entry_object *self, PyObject *value, void *unused)
{
    return set_ms(value, &self->entry->max_ms, &self->entry->is_max_whole, 0);
}

static PyObject *
get_start(struct entry_object *self, void *unused)
{
    return PyFloat_FromDouble(self->entry->start_unix_s);
}

static int
read_time(PyObject *value, struct lc_sample *sample)
{
    double unix_s = value == NULL || value == Py_None ? 0 : PyFloat_AsDouble(value);
    if (PyErr_Occurred() != NULL) {
        return -1;
    }
    if (lc__sample_set_time(sample, unix_s) < 0) {
        PyErr_Format(PyExc_ValueError, "not a time of 1970 to 2106: %R", value);
        return -1;
    }
    return 0;
}

static int
set_start(struct entry_object *self, PyObject *value, void *unused)
{
    struct lc_sample sample;
    if (read_time(value, &sample) < 0) {
        return -1;
    }
    self->entry->start_unix_s = sample.unix_s;
    return 0;
}

static PyObject *
get_last_request(struct entry_object *self, void *unused)
{
    double unix_s = self->entry->last_request_unix_s;
    return unix_s == 0 ? Py_NewRef(Py_None) : PyFloat_FromDouble(unix_s);
}

static int
set_last_request(struct entry_object *self, PyObject *value, void *unused)
{
    struct lc_sample sample;
    if (read_time(value, &sample) < 0) {
        return -1;
    }
    self->entry->last_request_unix_s = sample.unix_s;
    return 0;
}

static PyObject *
entry_request_row(struct entry_object *self, PyObject *args)
{
    struct lc_report_options options;
    lc_report_options_init(&options);
    int is_current;
    if (!PyArg_ParseTuple(args, "iip:_request_row", &options.name_width, &options.type_width, &is_current)) {
        return NULL;
    }
    options.is_whole_run = !is_current;
    struct lc_stats_entry *clock = lc__stats_entry_new(LCORE_STR(""), LCORE_STR(""), false, 0);
    if (clock == NULL) {
        return PyErr_NoMemory();
    }
    struct lc_buffer text = {0};
    PyObject *row = NULL;
    if (read_clock(self, &clock->start_unix_s, &clock->last_request_unix_s) == 0) {
        int err = lc__console_request_row(&text, self->entry, clock, &options);
        row = err < 0 ? cload__stats_raise(err) : cload__stats_str((struct lc_str){text.data, text.len});
    }
    lc_buffer_fini(&text);
    lc__stats_entry_unref(clock);
    return row;
}

#define COUNTER(name, field, doc)                                                                                      \
    {                                                                                                                  \
        name, (getter)get_counter, (setter)set_counter, doc, (void *)offsetof(struct lc_stats_entry, field)            \
    }

static PyGetSetDef entry_getset[] = {
    {"name", (getter)get_name, NULL, "Name of the request.", NULL},
    {"method", (getter)get_method, NULL, "Method of the request.", NULL},
    {"stats", (getter)get_stats, NULL, "The statistics that give the clock of the rates.", NULL},
    {"use_response_times_cache", (getter)get_is_keeping_recent, (setter)set_is_keeping_recent,
     "Whether current percentiles can be told.", NULL},
    COUNTER("num_requests", request_count, "Requests, failed ones included."),
    COUNTER("num_none_requests", none_count, "Requests without a response time."),
    COUNTER("num_failures", failure_count, "Failures."),
    {"total_response_time", (getter)get_total_ms, (setter)set_total_ms, "Sum of the response times in ms.", NULL},
    {"min_response_time", (getter)get_min_ms, (setter)set_min_ms, "Smallest response time in ms, or None.", NULL},
    {"max_response_time", (getter)get_max_ms, (setter)set_max_ms, "Largest response time in ms.", NULL},
    {"response_times", (getter)cload__entry_get_buckets, (setter)cload__entry_set_buckets,
     "A copy of the rounded times and their counts.", NULL},
    {"num_reqs_per_sec", (getter)cload__entry_get_seconds, (setter)cload__entry_set_seconds,
     "A copy of the requests of each second.", (void *)CLOAD_RATE_REQUESTS},
    {"num_fail_per_sec", (getter)cload__entry_get_seconds, (setter)cload__entry_set_seconds,
     "A copy of the failures of each second.", (void *)CLOAD_RATE_FAILURES},
    {"total_content_length", (getter)get_content_length, (setter)set_content_length, "Bytes received.", NULL},
    {"_histogram", (getter)cload__entry_get_histogram, (setter)cload__entry_set_histogram,
     "A copy of the exact histogram: slot, count, ...", NULL},
    {"_phases", (getter)cload__entry_get_phases, (setter)cload__entry_set_phases,
     "A copy of the phases' sums: count, total_ns, max_ns, ...", NULL},
    {"start_time", (getter)get_start, (setter)set_start, "When the entry was made or reset.", NULL},
    {"last_request_timestamp", (getter)get_last_request, (setter)set_last_request, "Newest request, or None.", NULL},
    {"fail_ratio", (getter)get_fail_ratio, NULL, "Failures per request.", NULL},
    {"avg_response_time", (getter)get_average_ms, NULL, "Average response time in ms.", NULL},
    {"median_response_time", (getter)get_median_ms, NULL, "Median response time in ms, rounded.", NULL},
    {"current_rps", (getter)get_current_rate, NULL, "Requests/s of the last seconds.", (void *)CLOAD_RATE_REQUESTS},
    {"current_fail_per_sec", (getter)get_current_rate, NULL, "Failures/s of the last seconds.",
     (void *)CLOAD_RATE_FAILURES},
    {"total_rps", (getter)get_total_rate, NULL, "Requests/s of the whole run.", (void *)CLOAD_RATE_REQUESTS},
    {"total_fail_per_sec", (getter)get_total_rate, NULL, "Failures/s of the whole run.", (void *)CLOAD_RATE_FAILURES},
    {"avg_content_length", (getter)get_average_length, NULL, "Average bytes per request.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

#define WITH_KEYWORDS(function) (PyCFunction)(void (*)(void)) function, METH_VARARGS | METH_KEYWORDS

static PyMethodDef entry_methods[] = {
    {"log", WITH_KEYWORDS(entry_log),
     "log($self, /, response_time, content_length)\n--\n\nCounts a request in this entry only."},
    {"log_error", (PyCFunction)entry_log_error, METH_O,
     "log_error($self, error, /)\n--\n\nCounts a failure in this entry only."},
    {"reset", (PyCFunction)entry_reset, METH_NOARGS, "reset($self, /)\n--\n\nZeroes the entry."},
    {"extend", (PyCFunction)entry_extend, METH_O, "extend($self, other, /)\n--\n\nAdds another entry's numbers."},
    {"get_response_time_percentile", WITH_KEYWORDS(entry_percentile),
     "get_response_time_percentile($self, /, percent)\n--\n\nRounded percentile in ms; percent is 0.0 to 1.0."},
    {"get_exact_response_time_percentile", WITH_KEYWORDS(entry_exact_percentile),
     "get_exact_response_time_percentile($self, /, percent)\n--\n\nPercentile in ms, true to 0.1 %."},
    {"_recent_percentile", (PyCFunction)(void (*)(void))entry_recent_percentile, METH_FASTCALL,
     "Rounded percentile of the last seconds, or None."},
    {"_moments", (PyCFunction)entry_moments, METH_NOARGS, "What _recent_percentile() compares with."},
    {"_bands", (PyCFunction)cload__entry_bands, METH_NOARGS,
     "Requests by coarse bands of their time (stats/histogram.h)."},
    {"_request_row", (PyCFunction)entry_request_row, METH_VARARGS, "Row of the request table."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot entry_slots[] = {
    {Py_tp_doc, "StatsEntry(stats, name, method, use_response_times_cache=False)\n--\n\nOne row of the statistics."},
    {Py_tp_new, entry_new},
    {Py_tp_dealloc, entry_dealloc},
    {Py_tp_traverse, entry_traverse},
    {Py_tp_clear, entry_clear},
    {Py_tp_getset, entry_getset},
    {Py_tp_methods, entry_methods},
    {0, NULL},
};

static PyType_Spec entry_spec = {
    .name = "_cload.StatsEntry",
    .basicsize = sizeof(struct entry_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = entry_slots,
};

PyObject *
cload__stats_entry_type(PyObject *module)
{
    return PyType_FromModuleAndSpec(module, &entry_spec, NULL);
}
