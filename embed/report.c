#include "report.h"

#include <structmember.h>

#include "base/clock.h"
#include "entry_cache.h"
#include "object.h"
#include "response.h"
#include "stats.h"
#include "stats/table.h"
#include "stats_entry.h"
#include "stats_parts.h"
#include "stats_values.h"

struct sink_object {
    PyObject_HEAD
    PyObject *environment;
    vectorcallfunc vectorcall;
};

/* An attribute that the object's class keeps in a slot is read where it is; another is asked for. New reference. */
static PyObject *
read_at(struct cload_place *place, PyObject *object, PyObject *name)
{
    PyTypeObject *type = Py_TYPE(object);
    if (place->class_version == 0 || place->class_version != type->tp_version_tag) {
        PyObject *found = _PyType_Lookup(type, name);
        const PyMemberDef *member =
            found != NULL && Py_IS_TYPE(found, &PyMemberDescr_Type) ? ((PyMemberDescrObject *)found)->d_member : NULL;
        if (member == NULL || member->type != T_OBJECT_EX || type->tp_getattro != PyObject_GenericGetAttr) {
            return PyObject_GetAttr(object, name);
        }
        *place = (struct cload_place){type->tp_version_tag, member->offset};
    }
    PyObject *value = *(PyObject **)((char *)object + place->offset);
    return value == NULL ? PyObject_GetAttr(object, name) : Py_NewRef(value);
}

int
cload_report_is_direct(struct cload_state *state, PyObject *request_event, struct lc_stats **stats, PyObject **owner)
{
    if (request_event == NULL || request_event == Py_None) {
        return 2;
    }
    PyObject *handlers = read_at(&state->handlers_place, request_event, state->str__handlers);
    if (handlers == NULL) {
        return -1;
    }
    int result = 0;
    if (PyList_CheckExact(handlers)) {
        Py_ssize_t count = PyList_GET_SIZE(handlers);
        if (count == 0) {
            result = 2;
        } else if (count == 1 && Py_IS_TYPE(PyList_GET_ITEM(handlers, 0), state->sink_type)) {
            struct sink_object *sink = (struct sink_object *)PyList_GET_ITEM(handlers, 0);
            *owner = read_at(&state->stats_place, sink->environment, state->str_stats);
            *stats = *owner == NULL ? NULL : cload__stats_get(*owner);
            result = *stats == NULL ? -1 : cload__stats_counts_itself(state, *owner);
            if (result <= 0) {
                *stats = NULL;
                Py_CLEAR(*owner);
            }
        }
    }
    Py_DECREF(handlers);
    return result;
}

/* NULL with an exception. */
static struct lc_stats_entry *
find_entry(struct cload_state *state, struct lc_stats *stats, PyObject *name, PyObject *request_type)
{
    if (state->entry_cache == NULL && (state->entry_cache = cload_entry_cache_new()) == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    return cload_entry_cache_get(state->entry_cache, stats, name, request_type);
}

/* The phases of all hops of a response; a negative code. */
static int
log_hops(struct lc_stats *stats, struct lc_stats_entry *entry, const struct cload_timed *timed)
{
    int err = 0;
    struct lc_phases phases;
    const struct lc_response *response = timed->response;
    for (; err == 0 && response != NULL; response = response->previous) {
        lc_timings_phases(&response->timings, &phases);
        err = lc_stats_log_phases(stats, entry, &phases);
    }
    if (timed->response == NULL && timed->adopted != NULL) {
        lc_timings_phases(timed->adopted, &phases);
        err = lc_stats_log_phases(stats, entry, &phases);
    }
    return err;
}

int
cload_report_log(struct cload_state *state, struct lc_stats *stats, const struct cload_report *report)
{
    struct lc_stats_entry *entry = find_entry(state, stats, report->name, report->request_type);
    if (entry == NULL) {
        return -1;
    }
    double unix_s = (double)lc_clock_realtime_ns() * 1e-9;
    bool is_held = stats->config->bucket_fn != NULL; /* the script's rounding rule, which may empty the table */
    if (is_held) {
        lc__stats_entry_ref(entry);
    }
    int err = lc_stats_log_request(stats, entry, report->response_time_ns, report->response_length, unix_s);
    if (err == 0) {
        err = log_hops(stats, entry, &report->timed);
    }
    bool is_new = false;
    if (err == 0 && report->error_text.data != NULL) {
        const struct lc_stats *logging = stats->held == NULL ? stats : stats->held;
        size_t count = logging->failures.count;
        err = lc_stats_log_failure(stats, entry, report->error_text, unix_s);
        is_new = logging->failures.count != count;
    }
    if (is_held) {
        lc__stats_entry_unref(entry);
    }
    if (err < 0) {
        cload__stats_raise(err);
        return -1;
    }
    return is_new ? 1 : 0;
}

int
cload_report_keep(struct cload_state *state, PyObject *stats, const struct cload_report *report, PyObject *exception)
{
    PyObject *text = exception == NULL
                         ? NULL
                         : PyUnicode_DecodeUTF8(report->error_text.data, (Py_ssize_t)report->error_text.len, "replace");
    PyObject *result = text == NULL
                           ? NULL
                           : PyObject_CallMethodObjArgs(stats, state->str__keep_exception, report->request_type,
                                                        report->name, text, exception, NULL);
    Py_XDECREF(text);
    Py_XDECREF(exception);
    Py_XDECREF(result);
    return result == NULL ? -1 : 0;
}

static int
take_keyword(PyObject *kwnames, PyObject *const *values, PyObject *wanted, PyObject **out)
{
    Py_ssize_t count = kwnames == NULL ? 0 : PyTuple_GET_SIZE(kwnames);
    /* Keywords in code are interned; to compare the letters of each is the larger part of all there is to do. */
    for (Py_ssize_t i = 0; i < count; i++) {
        if (PyTuple_GET_ITEM(kwnames, i) == wanted) {
            *out = values[i];
            return 1;
        }
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        if (PyUnicode_Compare(PyTuple_GET_ITEM(kwnames, i), wanted) == 0) {
            *out = values[i];
            return 1;
        }
    }
    *out = NULL;
    return 0;
}

/* The phases of a response of ours, once: scripts may report it again under names of their own. */
static int
log_phases(struct cload_state *state, PyObject *stats, PyObject *request_type, PyObject *name, PyObject *response)
{
    struct lc_stats *core;
    const struct cload_timed timed = cload_response_take_timed(state, response);
    if ((timed.response == NULL && timed.adopted == NULL) || !cload__stats_is(stats, &core) || !PyUnicode_Check(name) ||
        !PyUnicode_Check(request_type)) {
        return 0;
    }
    /* Where a script counts in its own way, there may be no such entry. */
    int is_own = cload__stats_counts_itself(state, stats);
    struct lc_stats_entry *entry = is_own > 0 ? find_entry(state, core, name, request_type) : NULL;
    if (is_own < 0 || (is_own > 0 && entry == NULL) ||
        (is_own == 0 && cload__stats_find_entry((struct cload_stats *)stats, name, request_type, false, &entry) < 0)) {
        return -1;
    }
    int err = entry == NULL ? 0 : log_hops(core, entry, &timed);
    if (err < 0) {
        cload_raise(err, NULL);
        return -1;
    }
    return 0;
}

static PyObject *
sink_call(PyObject *self_object, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    struct sink_object *self = (struct sink_object *)self_object;
    struct cload_state *state = cload_state_of_type(Py_TYPE(self));
    PyObject *const *values = args + PyVectorcall_NARGS(nargsf);
    PyObject *request_type, *name, *response_time, *length, *exception, *response;
    if (!take_keyword(kwnames, values, state->str_request_type, &request_type) ||
        !take_keyword(kwnames, values, state->str_name, &name) ||
        !take_keyword(kwnames, values, state->str_response_time, &response_time) ||
        !take_keyword(kwnames, values, state->str_response_length, &length)) {
        PyErr_SetString(PyExc_TypeError,
                        "events.request needs request_type, name, response_time and response_length as keywords");
        return NULL;
    }
    take_keyword(kwnames, values, state->str_exception, &exception);
    take_keyword(kwnames, values, state->str_response, &response);
    PyObject *stats = PyObject_GetAttr(self->environment, state->str_stats);
    if (stats == NULL) {
        return NULL;
    }
    PyObject *result =
        PyObject_CallMethodObjArgs(stats, state->str_log_request, request_type, name, response_time, length, NULL);
    if (result != NULL && response != NULL && log_phases(state, stats, request_type, name, response) < 0) {
        Py_CLEAR(result);
    }
    if (result != NULL && exception != NULL) {
        int has_failed = PyObject_IsTrue(exception);
        if (has_failed != 0) {
            Py_DECREF(result);
            result = has_failed < 0
                         ? NULL
                         : PyObject_CallMethodObjArgs(stats, state->str_log_error, request_type, name, exception, NULL);
        }
    }
    Py_DECREF(stats);
    if (result == NULL) {
        return NULL;
    }
    Py_DECREF(result);
    Py_RETURN_NONE;
}

static PyObject *
sink_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"environment", NULL};
    PyObject *environment;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O", names, &environment)) {
        return NULL;
    }
    struct sink_object *self = (struct sink_object *)type->tp_alloc(type, 0);
    if (self != NULL) {
        self->environment = Py_NewRef(environment);
        self->vectorcall = sink_call;
    }
    return (PyObject *)self;
}

static int
sink_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(((struct sink_object *)self)->environment);
    return 0;
}

static int
sink_clear(PyObject *self)
{
    Py_CLEAR(((struct sink_object *)self)->environment);
    return 0;
}

static void
sink_dealloc(PyObject *self)
{
    cload_object_dealloc(self, sink_clear);
}

static PyMemberDef sink_members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(struct sink_object, vectorcall), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot sink_slots[] = {
    {Py_tp_doc, (void *)PyDoc_STR("RequestSink(environment)\n\nThe listener of events.request that counts into "
                                  "environment.stats.")},
    {Py_tp_new, sink_new},
    {Py_tp_call, PyVectorcall_Call},
    {Py_tp_traverse, sink_traverse},
    {Py_tp_clear, sink_clear},
    {Py_tp_dealloc, sink_dealloc},
    {Py_tp_members, sink_members},
    {0, NULL},
};

static PyType_Spec sink_spec = {
    .name = "_cload.RequestSink",
    .basicsize = sizeof(struct sink_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL,
    .slots = sink_slots,
};

int
cload__report_add_types(PyObject *module)
{
    struct cload_state *state = cload_state_of_module(module);
    return cload_type_add(module, &sink_spec, &state->sink_type);
}
