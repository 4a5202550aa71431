/* The numbers of a `_cload.StatsEntry` as attributes, most of which may be assigned to. */
#include <math.h>

#include "stats_entry.h"
#include "stats_entry_parts.h"
#include "stats_values.h"

static PyObject *
get_current_rate(struct cload_stats_entry *self, void *which)
{
    double start_unix_s, last_unix_s, rates[2];
    struct lc_stats *stats;
    if (cload__stats_is(self->stats, &stats) && stats->total->last_request_unix_s != 0) {
        lc_stats_entry_current_rates(self->entry, stats->total, &rates[CLOAD_RATE_REQUESTS],
                                     &rates[CLOAD_RATE_FAILURES]);
        return PyFloat_FromDouble(rates[(intptr_t)which]);
    }
    if (cload__entry_read_clock(self, &start_unix_s, &last_unix_s) < 0) {
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
get_total_rate(struct cload_stats_entry *self, void *which)
{
    double start_unix_s, last_unix_s;
    if (cload__entry_read_clock(self, &start_unix_s, &last_unix_s) < 0) {
        return NULL;
    }
    double elapsed_s = last_unix_s - start_unix_s;
    if (last_unix_s == 0 || start_unix_s == 0 || elapsed_s == 0) {
        return PyFloat_FromDouble(0);
    }
    uint64_t count = (intptr_t)which == CLOAD_RATE_REQUESTS ? self->entry->request_count : self->entry->failure_count;
    return PyFloat_FromDouble((double)count / elapsed_s);
}

/* As in Locust, a number is an int if it was made from ints. */
static PyObject *
ms_object(double ms, bool is_whole)
{
    return is_whole ? PyLong_FromDouble(ms) : PyFloat_FromDouble(ms);
}

static PyObject *
get_name(struct cload_stats_entry *self, void *unused)
{
    return cload__stats_str(self->entry->name);
}

static PyObject *
get_method(struct cload_stats_entry *self, void *unused)
{
    return cload__stats_str(self->entry->method);
}

static PyObject *
get_stats(struct cload_stats_entry *self, void *unused)
{
    return Py_NewRef(self->stats == NULL ? Py_None : self->stats);
}

static PyObject *
get_total_ms(struct cload_stats_entry *self, void *unused)
{
    return ms_object(self->entry->total_ms, self->entry->is_total_whole);
}

static PyObject *
get_min_ms(struct cload_stats_entry *self, void *unused)
{
    if (self->entry->min_ms == INFINITY) {
        Py_RETURN_NONE;
    }
    return ms_object(self->entry->min_ms, self->entry->is_min_whole);
}

static PyObject *
get_max_ms(struct cload_stats_entry *self, void *unused)
{
    return ms_object(self->entry->max_ms, self->entry->is_max_whole);
}

static PyObject *
get_average_ms(struct cload_stats_entry *self, void *unused)
{
    return PyFloat_FromDouble(lc_stats_entry_average_ms(self->entry));
}

static PyObject *
get_median_ms(struct cload_stats_entry *self, void *unused)
{
    return ms_object(lc_stats_entry_locust_median_ms(self->entry), lc__stats_entry_is_median_whole(self->entry));
}

static PyObject *
get_fail_ratio(struct cload_stats_entry *self, void *unused)
{
    return PyFloat_FromDouble(lc_stats_entry_fail_ratio(self->entry));
}

static PyObject *
get_content_length(struct cload_stats_entry *self, void *unused)
{
    return PyLong_FromLongLong((long long)self->entry->content_bytes);
}

static int
set_content_length(struct cload_stats_entry *self, PyObject *value, void *unused)
{
    if (value == NULL) {
        PyErr_SetString(PyExc_AttributeError, "this attribute cannot be deleted");
        return -1;
    }
    return cload__stats_read_length(value, &self->entry->content_bytes);
}

static PyObject *
get_average_length(struct cload_stats_entry *self, void *unused)
{
    if (self->entry->request_count == 0) {
        return PyLong_FromLong(0);
    }
    return PyFloat_FromDouble((double)(int64_t)self->entry->content_bytes / (double)self->entry->request_count);
}

static PyObject *
get_is_keeping_recent(struct cload_stats_entry *self, void *unused)
{
    return PyBool_FromLong(self->entry->is_keeping_recent);
}

static int
set_is_keeping_recent(struct cload_stats_entry *self, PyObject *value, void *unused)
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
counter_at(struct cload_stats_entry *self, void *offset)
{
    return (uint64_t *)((char *)self->entry + (uintptr_t)offset);
}

static PyObject *
get_counter(struct cload_stats_entry *self, void *offset)
{
    return PyLong_FromUnsignedLongLong(*counter_at(self, offset));
}

static int
set_counter(struct cload_stats_entry *self, PyObject *value, void *offset)
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
set_total_ms(struct cload_stats_entry *self, PyObject *value, void *unused)
{
    return set_ms(value, &self->entry->total_ms, &self->entry->is_total_whole, 0);
}

static int
set_min_ms(struct cload_stats_entry *self, PyObject *value, void *unused)
{
    return set_ms(value, &self->entry->min_ms, &self->entry->is_min_whole, INFINITY);
}

static int
set_max_ms(struct cload_stats_entry *self, PyObject *value, void *unused)
{
    return set_ms(value, &self->entry->max_ms, &self->entry->is_max_whole, 0);
}

static PyObject *
get_start(struct cload_stats_entry *self, void *unused)
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
set_start(struct cload_stats_entry *self, PyObject *value, void *unused)
{
    struct lc_sample sample;
    if (read_time(value, &sample) < 0) {
        return -1;
    }
    self->entry->start_unix_s = sample.unix_s;
    return 0;
}

static PyObject *
get_last_request(struct cload_stats_entry *self, void *unused)
{
    double unix_s = self->entry->last_request_unix_s;
    return unix_s == 0 ? Py_NewRef(Py_None) : PyFloat_FromDouble(unix_s);
}

static int
set_last_request(struct cload_stats_entry *self, PyObject *value, void *unused)
{
    struct lc_sample sample;
    if (read_time(value, &sample) < 0) {
        return -1;
    }
    self->entry->last_request_unix_s = sample.unix_s;
    return 0;
}

#define COUNTER(name, field, doc)                                                                                      \
    {                                                                                                                  \
        name, (getter)get_counter, (setter)set_counter, doc, (void *)offsetof(struct lc_stats_entry, field)            \
    }

PyGetSetDef cload__entry_getset[] = {
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
