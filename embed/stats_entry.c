#include "stats_entry.h"

#include "base/buffer.h"
#include "report/console.h"
#include "stats_entry_parts.h"
#include "stats_values.h"

static int
entry_traverse(struct cload_stats_entry *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->stats);
    return 0;
}

static int
entry_clear(struct cload_stats_entry *self)
{
    Py_CLEAR(self->stats);
    return 0;
}

static void
entry_dealloc(struct cload_stats_entry *self)
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
    return ((struct cload_stats_entry *)object)->entry;
}

/* Callbacks of weak references may ask for a row while its object is going. */
static bool
has_object(const struct lc_stats_entry *entry)
{
    return entry->peer != NULL && Py_REFCNT(entry->peer) > 0;
}

PyObject *
cload__stats_entry_wrap(PyObject *type, PyObject *stats, struct lc_stats_entry *entry)
{
    if (!PyType_Check(type) || !is_entry_type((PyTypeObject *)type)) {
        PyErr_Format(PyExc_TypeError, "entries cannot be of type %R", type);
        return NULL;
    }
    struct cload_stats_entry *self = NULL;
    if (!has_object(entry)) {
        self = (struct cload_stats_entry *)((PyTypeObject *)type)->tp_alloc((PyTypeObject *)type, 0);
        if (self == NULL) {
            return NULL;
        }
    }
    /* Garbage that was collected for the new one may have asked for the row, too. */
    if (has_object(entry)) {
        PyObject *known = Py_NewRef(entry->peer);
        Py_XDECREF(self);
        return known;
    }
    self->stats = Py_NewRef(stats);
    self->entry = lc__stats_entry_ref(entry);
    entry->peer = self;
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
entry_config(struct cload_stats_entry *self)
{
    struct lc_stats *stats;
    return cload__stats_is(self->stats, &stats) ? stats->config : &lc__stats_default_config;
}

static PyObject *
entry_log(struct cload_stats_entry *self, PyObject *args, PyObject *kwargs)
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
entry_log_error(struct cload_stats_entry *self, PyObject *error)
{
    int err = lc__stats_entry_count_failure(self->entry, (uint32_t)cload__stats_now());
    return err < 0 ? cload__stats_raise(err) : Py_NewRef(Py_None);
}

static PyObject *
entry_reset(struct cload_stats_entry *self, PyObject *unused)
{
    lc__stats_entry_reset(self->entry, cload__stats_now());
    Py_RETURN_NONE;
}

static PyObject *
entry_extend(struct cload_stats_entry *self, PyObject *other)
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

int
cload__entry_read_clock(struct cload_stats_entry *self, double *start_unix_s, double *last_unix_s)
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
entry_request_row(struct cload_stats_entry *self, PyObject *args)
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
    if (cload__entry_read_clock(self, &clock->start_unix_s, &clock->last_request_unix_s) == 0) {
        struct lc_stats *stats;
        clock->whole_unix_s = cload__stats_is(self->stats, &stats) ? stats->total->whole_unix_s : 0;
        int err = lc__console_request_row(&text, self->entry, clock, &options);
        row = err < 0 ? cload__stats_raise(err) : cload__stats_str((struct lc_str){text.data, text.len});
    }
    lc_buffer_fini(&text);
    lc__stats_entry_unref(clock);
    return row;
}

#define WITH_KEYWORDS(function) (PyCFunction)(void (*)(void)) function, METH_VARARGS | METH_KEYWORDS

static PyMethodDef entry_methods[] = {
    {"log", WITH_KEYWORDS(entry_log),
     "log($self, /, response_time, content_length)\n--\n\nCounts a request in this entry only."},
    {"log_error", (PyCFunction)entry_log_error, METH_O,
     "log_error($self, error, /)\n--\n\nCounts a failure in this entry only."},
    {"reset", (PyCFunction)entry_reset, METH_NOARGS, "reset($self, /)\n--\n\nZeroes the entry."},
    {"extend", (PyCFunction)entry_extend, METH_O, "extend($self, other, /)\n--\n\nAdds another entry's numbers."},
    {"get_response_time_percentile", WITH_KEYWORDS(cload__entry_percentile),
     "get_response_time_percentile($self, /, percent)\n--\n\nRounded percentile in ms; percent is 0.0 to 1.0."},
    {"get_exact_response_time_percentile", WITH_KEYWORDS(cload__entry_exact_percentile),
     "get_exact_response_time_percentile($self, /, percent)\n--\n\nPercentile in ms, true to 0.1 %."},
    {"_recent_percentile", (PyCFunction)(void (*)(void))cload__entry_recent_percentile, METH_FASTCALL,
     "Rounded percentile of the last seconds, or None."},
    {"_moments", (PyCFunction)cload__entry_moments, METH_NOARGS, "What _recent_percentile() compares with."},
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
    {Py_tp_getset, cload__entry_getset},
    {Py_tp_methods, entry_methods},
    {0, NULL},
};

static PyType_Spec entry_spec = {
    .name = "_cload.StatsEntry",
    .basicsize = sizeof(struct cload_stats_entry),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = entry_slots,
};

PyObject *
cload__stats_entry_type(PyObject *module)
{
    return PyType_FromModuleAndSpec(module, &entry_spec, NULL);
}
